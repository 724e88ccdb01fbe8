import type { FileHandle } from "../../../src/client/index.js";
import type { FileOperation } from "../checkers/file-history.js";

/**
 * Writes that buffered handles have accepted and nobody has waited for. Readers may see them, and they may be lost with
 * their client: they have neither succeeded nor failed until a sync or the close that covers them has ended.
 */
export class UnflushedWrites {
  readonly #accepted = new Map<FileHandle, FileOperation[]>();

  accepted(handle: FileHandle, write: FileOperation): void {
    write.isBuffered = true;
    const known = this.#accepted.get(handle);
    if (known === undefined) this.#accepted.set(handle, [write]);
    else known.push(write);
  }

  /** What a sync or close that begins now covers. */
  take(handle: FileHandle): readonly FileOperation[] {
    const covered = this.#accepted.get(handle) ?? [];
    this.#accepted.delete(handle);
    return covered;
  }
}
