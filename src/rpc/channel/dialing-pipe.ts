import { StorageError, storageError } from "../../base/index.js";
import type { Pipe, PipeEnd } from "../pipe-channel.js";
import type { Peer } from "../transport.js";

/** What may wait for the connection before senders are told to wait. */
const EARLY_BYTES_MAX = 1 << 20;

/** A pipe that is still being made: keeps what is said to it, and then is the pipe that was made. */
export class DialingPipe implements Pipe {
  readonly #owner: PipeEnd;
  readonly #made: Promise<void>;
  readonly #nobody: Peer;
  #pipe: Pipe | undefined;
  #early: (readonly [head: Uint8Array, tail: Uint8Array])[] = [];
  #earlyBytes = 0;
  #isPaused = false;
  #end: { readonly failure: StorageError | undefined } | undefined;
  #isDestroyed = false;

  /** `making` resolves with a pipe of the same owner, which has not begun to call it: `begin` makes it. */
  constructor(owner: PipeEnd, nobody: Peer, making: Promise<{ pipe: Pipe; begin(): void }>) {
    this.#owner = owner;
    this.#nobody = nobody;
    this.#made = making.then(
      ({ pipe, begin }) => this.#becomes(pipe, begin),
      (error: unknown) => this.#fails(error),
    );
  }

  get peer(): Peer {
    return this.#pipe?.peer ?? this.#nobody;
  }

  write(head: Uint8Array, tail: Uint8Array): boolean {
    if (this.#pipe !== undefined) return this.#pipe.write(head, tail);
    this.#early.push([head, tail]);
    this.#earlyBytes += head.length + tail.length;
    return this.#earlyBytes < EARLY_BYTES_MAX;
  }

  async drained(): Promise<void> {
    await this.#made;
    await this.#pipe?.drained();
  }

  pause(): void {
    this.#isPaused = true;
    this.#pipe?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#pipe?.resume();
  }

  close(failure: StorageError | undefined): void {
    if (this.#pipe !== undefined) this.#pipe.close(failure);
    else this.#end ??= { failure };
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#pipe?.destroy();
  }

  #becomes(pipe: Pipe, begin: () => void): void {
    this.#pipe = pipe;
    begin();
    if (this.#isDestroyed) {
      pipe.destroy();
      return;
    }
    for (const [head, tail] of this.#early) pipe.write(head, tail);
    this.#early = [];
    if (this.#isPaused) pipe.pause();
    if (this.#end !== undefined) pipe.close(this.#end.failure);
  }

  #fails(error: unknown): void {
    this.#early = [];
    if (!(error instanceof StorageError)) throw error;
    const reason = this.#isDestroyed
      ? storageError("closed", "this process closed all its connections")
      : error;
    if (this.#end === undefined) this.#owner.broken(reason);
  }
}
