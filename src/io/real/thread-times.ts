import { openSync, readSync } from "node:fs";
import type { CallWatch } from "./promptness.js";

/** Of this thread: nanoseconds on a processor, nanoseconds that it waited for one, how often it got one. */
const SCHEDSTAT_PATH = "/proc/thread-self/schedstat";
const NANOS = 1e6;

interface Times {
  readonly processorMs: number;
  readonly turnCount: number;
}

/**
 * Tells a call that waited for a disk from one during which others had the processor: proc(5), `schedstat`. One reading
 * costs 1.5 us. Where the kernel keeps no such figures, every call is said to have waited for the disk.
 */
export class ThreadTimes implements CallWatch {
  readonly #fd: number | undefined;
  readonly #bytes = Buffer.alloc(96);
  #length = 0;

  /** To be made in the thread that it is to be about. */
  constructor() {
    try {
      this.#fd = openSync(SCHEDSTAT_PATH, "r");
    } catch {
      this.#fd = undefined;
    }
  }

  begin(): void {
    if (this.#fd !== undefined) this.#length = readSync(this.#fd, this.#bytes, 0, this.#bytes.length, 0);
  }

  blockedMs(tookMs: number): number {
    if (this.#fd === undefined) return tookMs;
    const before = this.#parse();
    this.begin();
    const after = this.#parse();
    // Who never left the processor did not wait for anything.
    if (after.turnCount === before.turnCount) return 0;
    return Math.max(0, tookMs - (after.processorMs - before.processorMs));
  }

  #parse(): Times {
    const [ran, waited, turns] = this.#bytes.toString("latin1", 0, this.#length).split(" ").map(Number);
    return { processorMs: ((ran ?? 0) + (waited ?? 0)) / NANOS, turnCount: turns ?? 0 };
  }
}
