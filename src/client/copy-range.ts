import { storageError } from "../base/index.js";
import type { FileHandle } from "./file-handle.js";
import { type WaitOptions, Wakeup } from "./waiting.js";

/** What is copied where. */
export interface CopyRange {
  readonly source: FileHandle;
  /** In the source. */
  readonly offset: number;
  readonly target: FileHandle;
  readonly targetOffset: number;
  readonly lengthBytes: number;
}

const PART_BYTES = 1 << 20;
const DEPTH_COUNT = 8;

/** Copies data as data and holes as holes; resolves with the number of bytes, which the end of the source limits. */
export async function copyRange(range: CopyRange, options: WaitOptions): Promise<number> {
  const { source, offset, target, targetOffset } = range;
  const end = Math.min(offset + range.lengthBytes, await source.size(options));
  if (end <= offset) return 0;
  const shift = targetOffset - offset;
  if (source.ino === target.ino && Math.abs(shift) < range.lengthBytes)
    throw storageError("invalid", "a range cannot be copied onto itself");
  const parts = new Parts();
  try {
    for (let at = offset; at < end; ) {
      const data = Math.min((await source.seekData(at, options)) ?? end, end);
      if (data > at) await target.zeroRange(at + shift, data - at, options);
      if (data >= end) break;
      at = Math.min((await source.seekHole(data, options)) ?? end, end);
      for (let begin = data; begin < at; begin += PART_BYTES) {
        const lengthBytes = Math.min(PART_BYTES, at - begin);
        await parts.start(async () => {
          const bytes = await source.read(begin, lengthBytes, options);
          await target.write(bytes, begin + shift, options);
        });
      }
    }
  } finally {
    await parts.ended();
  }
  parts.throwIfFailed();
  return end - offset;
}

/** Parts of a copy under way at the same time. */
class Parts {
  readonly #changed = new Wakeup();
  #runningCount = 0;
  #failure: { readonly error: unknown } | undefined;

  /** Resolves when the part was begun; fails if an earlier one has failed. */
  async start(work: () => Promise<void>): Promise<void> {
    while (this.#runningCount >= DEPTH_COUNT) await this.#changed.next();
    this.throwIfFailed();
    this.#runningCount++;
    work()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#runningCount--;
        this.#changed.all();
      });
  }

  async ended(): Promise<void> {
    while (this.#runningCount > 0) await this.#changed.next();
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
