import type { FileHandle } from "node:fs/promises";
import type { Prng } from "../../../../src/base/index.js";

const BLOCK_BYTES = 4096;

/** What the disk has of one file if the power fails now: blocks as they were at the last sync, where they changed since. */
export class UnsyncedFile {
  #blocks = new Map<number, Buffer>();
  /** At the last sync; undefined if nothing has changed since. */
  #syncedBytes: number | undefined;

  get isDirty(): boolean {
    return this.#syncedBytes !== undefined;
  }

  /** Before a write of that range, or before the end of the file is set to `offset` (then the length is infinite). */
  async changing(file: FileHandle, offset: number, lengthBytes: number): Promise<void> {
    const { size } = await file.stat();
    this.#syncedBytes ??= size;
    const end = Math.min(offset + lengthBytes, this.#syncedBytes, size);
    for (let at = offset - (offset % BLOCK_BYTES); at < end; at += BLOCK_BYTES) {
      const index = at / BLOCK_BYTES;
      if (this.#blocks.has(index)) continue;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(BLOCK_BYTES), 0, BLOCK_BYTES, at);
      this.#blocks.set(index, buffer.subarray(0, Math.min(bytesRead, this.#syncedBytes - at)));
    }
  }

  synced(): void {
    this.#blocks = new Map();
    this.#syncedBytes = undefined;
  }

  /** Some of the changes have reached the disk, in any order, and the others are lost. */
  async losePower(file: FileHandle, prng: Prng): Promise<void> {
    if (this.#syncedBytes === undefined) return;
    const { size } = await file.stat();
    const isOldSize = prng.chance(0.5);
    for (const [index, bytes] of this.#blocks) {
      const at = index * BLOCK_BYTES;
      // Of a cut that was lost nothing is missing.
      const isBehindEnd = isOldSize && at + bytes.length > size;
      if (isBehindEnd || prng.chance(0.5)) await file.write(bytes, 0, bytes.length, at);
    }
    await file.truncate(isOldSize ? this.#syncedBytes : size);
    this.synced();
  }
}

/**
 * Changes of names since the last sync of anything: a journal, of which any sync writes all there is, as that of ext4 does; of
 * which the disk has a beginning when the power fails.
 */
export class UnsyncedNames {
  #changes: { readonly undo: () => Promise<void>; readonly settled: () => Promise<void> }[] = [];

  changed(undo: () => Promise<void>, settled: () => Promise<void> = async () => undefined): void {
    this.#changes.push({ undo, settled });
  }

  async synced(): Promise<void> {
    const changes = this.#changes;
    this.#changes = [];
    for (const { settled } of changes) await settled();
  }

  async losePower(prng: Prng): Promise<void> {
    const kept = prng.below(this.#changes.length + 1);
    for (const { undo } of this.#changes.slice(kept).reverse()) await undo();
    this.#changes = this.#changes.slice(0, kept);
    await this.synced();
  }
}
