import { type Prng, storageError } from "../../../src/base/index.js";
import type { DiskFaultEffect, DiskFaults, DiskOperation } from "./disk-faults.js";
import type { SimMedia } from "./sim-media.js";
import type { SimProcess } from "./sim-process.js";

/** One call to the disk. */
export interface DiskCall<T> {
  readonly operation: DiskOperation;
  /** For the trace and for failures: `write /cs/chunks/1`. */
  readonly what: string;
  readonly labels: readonly string[];
  readonly bytes?: number;
  /** What it does to the medium, at the end; its result or its failure is the caller's. */
  readonly complete: () => T;
  /** What it does to the medium when it fails or the process dies during it; without it, all or nothing. */
  readonly breakOff?: (prng: Prng, cause: "failure" | "death") => void;
  /** What it does somewhere in the middle, when others may look. */
  readonly midway?: ((prng: Prng) => void) | undefined;
}

/** What a disk does to the host it is in, when a rule says so. */
export interface DiskHost {
  crash(): void;
  powerLoss(): void;
}

/** How many of the calls that have a midway pass through it. */
const MIDWAY_RATE = 0.15;

/**
 * The calls of one life of a process to its disk: their delays, their faults, and what becomes of those under way
 * when it dies. The caller is answered only while the process lives; the medium is changed in any case.
 */
export class DiskOperations {
  readonly process: SimProcess;
  readonly media: SimMedia;
  readonly #faults: DiskFaults;
  readonly #host: DiskHost;
  /** Calls under way, oldest first: what breaks them off. */
  readonly #underWay = new Set<() => void>();

  constructor(process: SimProcess, media: SimMedia, faults: DiskFaults, host: DiskHost) {
    this.process = process;
    this.media = media;
    this.#faults = faults;
    this.#host = host;
  }

  call<T>(call: DiskCall<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.process.isAlive) return;
      const effect = this.#faults.judge(call.operation, call.labels, this.process.prng);
      const breakOff = (): void => this.#breakOff(call);
      this.#underWay.add(breakOff);
      const end = (outcome: () => T): void => {
        if (this.#underWay.delete(breakOff)) this.#answer(call, outcome, resolve, reject);
      };
      this.#start(call, effect, end);
    });
  }

  /** The process died: every call under way happens wholly, partly or not at all. */
  abandon(): void {
    const underWay = [...this.#underWay];
    this.#underWay.clear();
    for (const breakOff of underWay) breakOff();
  }

  #start<T>(call: DiskCall<T>, effect: DiskFaultEffect | undefined, end: (outcome: () => T) => void): void {
    const { prng } = this.process;
    const delayMs = this.#faults.delayMs(call.operation, call.bytes ?? 0, prng);
    if (effect !== undefined) this.process.simulator.note(this.process.name, `fault ${effect}: ${call.what}`);
    switch (effect) {
      case undefined:
        if (call.midway !== undefined && prng.chance(MIDWAY_RATE)) this.#passMidway(call, delayMs);
        this.#later(call, delayMs, () => end(call.complete));
        break;
      case "io_error":
      case "no_space":
        this.#later(call, delayMs, () => end(() => this.#fail(call, effect)));
        break;
      case "hang":
        this.#faults.whenReleased(() => this.#later(call, delayMs, () => end(call.complete)));
        break;
      case "crash":
        this.#later(call, delayMs * prng.float(), () => this.#die(() => this.#host.crash()));
        break;
      case "power_loss":
        this.#later(call, delayMs * prng.float(), () => this.#die(() => this.#host.powerLoss()));
        break;
    }
  }

  #later<T>(call: DiskCall<T>, delayMs: number, run: () => void): void {
    const { simulator, name } = this.process;
    simulator.schedule(name, `disk ${call.what} (${call.labels.join(", ")})`, delayMs, run);
  }

  #passMidway<T>(call: DiskCall<T>, delayMs: number): void {
    const { simulator, name, prng } = this.process;
    simulator.schedule(name, `disk ${call.what} midway`, delayMs * prng.float(), () => {
      if (this.process.isAlive) call.midway?.(prng);
    });
  }

  #answer<T>(
    call: DiskCall<T>,
    outcome: () => T,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): void {
    const what = `disk ${call.what} answered`;
    try {
      const value = outcome();
      this.process.dispatch(what, () => resolve(value));
    } catch (error) {
      this.process.dispatch(what, () => reject(error));
    }
  }

  #fail<T>(call: DiskCall<T>, code: "io_error" | "no_space"): never {
    call.breakOff?.(this.process.prng, "failure");
    throw storageError(code, `${call.what}: ${code === "no_space" ? "ENOSPC" : "EIO"}`);
  }

  /** Nobody is left to hear of a failure. */
  #breakOff<T>(call: DiskCall<T>): void {
    const { prng } = this.process;
    try {
      if (prng.chance(0.4)) call.complete();
      else if (call.breakOff !== undefined && prng.chance(0.6)) call.breakOff(prng, "death");
    } catch {
      // The operation would have failed; its caller is dead.
    }
  }

  #die(end: () => void): void {
    if (this.process.isAlive) end();
  }
}
