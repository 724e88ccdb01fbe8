import { renameSync, statSync } from "node:fs";

/** A log that has grown to so many bytes is moved aside. */
export const LOG_BYTES_MAX = 64 * 1024 * 1024;
/** Older parts that are kept: `log.1` is the youngest. */
export const LOG_PARTS_MAX = 4;

/** `log` becomes `log.1`, `mount.log.gz` becomes `mount.log.1.gz`. */
export function partName(path: string, number: number): string {
  return path.endsWith(".gz") ? `${path.slice(0, -3)}.${number}.gz` : `${path}.${number}`;
}

/** Bounds what a log takes, by moving it aside when it is full. Nothing but regular files is moved. */
export class LogRotation {
  readonly #path: string;
  readonly #bytesMax: number;
  #bytes: number;

  constructor(path: string, bytesMax: number) {
    this.#path = path;
    this.#bytesMax = bytesMax;
    this.#bytes = sizeOf(path) ?? 0;
  }

  /** The file begins anew: somebody moved it away. */
  begun(): void {
    this.#bytes = 0;
  }

  /** Counts what is going to be written. True if the log was moved aside, so that it has to be opened anew before. */
  makeRoom(byteCount: number): boolean {
    this.#bytes += byteCount;
    if (this.#bytes <= this.#bytesMax) return false;
    // Somebody else may have moved it away, or it is no file of ours to move.
    const size = sizeOf(this.#path);
    this.#bytes = (size ?? 0) + byteCount;
    if (size === undefined || this.#bytes <= this.#bytesMax) return false;
    for (let number = LOG_PARTS_MAX - 1; number >= 1; number--)
      move(partName(this.#path, number), partName(this.#path, number + 1));
    this.#bytes = byteCount;
    return move(this.#path, partName(this.#path, 1));
  }
}

/** Of a regular file that is there. */
function sizeOf(path: string): number | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true ? found.size : undefined;
}

/** What cannot be moved stays: a log that is too long is better than none. */
function move(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch {
    return false;
  }
}
