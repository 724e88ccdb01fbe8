import { assert, StorageError, storageError } from "../base/index.js";
import { MESSAGE_BYTES_MAX } from "./codec.js";
import type { Channel, Codec, Peer } from "./transport.js";

/** A transport's two-way stream of whole messages, as bytes; one end of it. */
export interface Pipe {
  /** Who is at the other end, as far as is known by now. */
  readonly peer: Peer;
  /** Sends head and tail as one message. False when the sender should wait for `drained`. */
  write(head: Uint8Array, tail: Uint8Array): boolean;
  drained(): Promise<void>;
  pause(): void;
  resume(): void;
  /** What was written goes out first. */
  close(failure: StorageError | undefined): void;
  /** At once. */
  destroy(): void;
}

/** How often a peer that is silent shows, or is asked, whether it lives. */
export const KEEP_ALIVE_MS = 5000;

/** What a pipe tells its owner. */
export interface PipeOwner {
  receive(bytes: Uint8Array): void;
  /** The other end closed, after all it had sent was received. */
  ended(failure: StorageError | undefined): void;
  /** The pipe broke; what was not delivered is lost. */
  broken(failure: StorageError): void;
}

/** The side of a channel that its transport sees. */
export interface PipeEnd extends PipeOwner {
  /** Of a message that is received. */
  readonly incomingBytesMax: number;
  /** To be called once, before anything else. The pipe may not call back before this returns. */
  attach(pipe: Pipe): void;
}

/** A sender that does not heed back-pressure is cut off when this much waits: its peer is too slow. */
const UNHEEDED_BYTES_MAX = 64 << 20;

const NOTHING = new Uint8Array(0);

/** A channel over any pipe: the rules of `Channel` in one place for all transports. */
export class PipeChannel<Out, In> implements Channel<Out, In>, PipeEnd {
  readonly #out: Codec<Out>;
  readonly #in: Codec<In>;
  #pipe: Pipe | undefined;
  /** Received and not delivered, because of a pause. */
  #backlog: Uint8Array[] = [];
  #isPaused = false;
  #isClosed = false;
  #isDraining = false;
  #unheededBytes = 0;
  /** The other end closed behind what is in the backlog. */
  #end: { readonly failure: StorageError | undefined } | undefined;
  #onMessage: ((message: In) => void) | undefined;
  #onClose: ((failure: StorageError | undefined) => void) | undefined;

  constructor(out: Codec<Out>, incoming: Codec<In>) {
    this.#out = out;
    this.#in = incoming;
  }

  attach(pipe: Pipe): void {
    this.#pipe = pipe;
  }

  get incomingBytesMax(): number {
    return this.#in.bytesMax ?? MESSAGE_BYTES_MAX;
  }

  get peer(): Peer {
    return this.#attached.peer;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get #attached(): Pipe {
    assert(this.#pipe !== undefined, "a channel has a pipe");
    return this.#pipe;
  }

  send(message: Out): boolean {
    if (this.#isClosed) return true;
    const { head, tail } = this.#out.encodeParts?.(message) ?? {
      head: this.#out.encode(message),
      tail: NOTHING,
    };
    if (this.#attached.write(head, tail)) return true;
    this.#unheededBytes += head.length + tail.length;
    if (this.#unheededBytes > UNHEEDED_BYTES_MAX) this.#fail(storageError("busy", "the peer is too slow"));
    else this.#watchDrain();
    return false;
  }

  async drained(): Promise<void> {
    if (!this.#isClosed) await this.#attached.drained();
  }

  onMessage(handler: (message: In) => void): void {
    this.#onMessage = handler;
  }

  onClose(handler: (failure: StorageError | undefined) => void): void {
    this.#onClose = handler;
  }

  pause(): void {
    if (this.#isPaused || this.#isClosed) return;
    this.#isPaused = true;
    this.#attached.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    // Not from inside the caller, who may be in the middle of a message.
    void Promise.resolve().then(() => this.#deliverBacklog());
  }

  close(failure?: StorageError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#attached.close(failure);
    void Promise.resolve().then(() => this.#announce(failure));
  }

  receive(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#isPaused || this.#backlog.length > 0) this.#backlog.push(bytes);
    else this.#deliver(bytes);
  }

  ended(failure: StorageError | undefined): void {
    if (this.#isClosed) return;
    if (this.#backlog.length > 0) {
      this.#end = { failure };
      return;
    }
    this.#isClosed = true;
    this.#attached.close(undefined);
    this.#announce(failure);
  }

  broken(failure: StorageError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#announce(failure);
  }

  #deliver(bytes: Uint8Array): void {
    let message: In;
    try {
      message = this.#in.decode(bytes);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#fail(error);
      return;
    }
    this.#onMessage?.(message);
  }

  #deliverBacklog(): void {
    while (!this.#isPaused && !this.#isClosed && this.#backlog.length > 0) {
      const next = this.#backlog.shift();
      if (next !== undefined) this.#deliver(next);
    }
    if (this.#isPaused || this.#isClosed) return;
    if (this.#end !== undefined) this.ended(this.#end.failure);
    else this.#attached.resume();
  }

  /** Something that cannot be gone on with: both ends hear of it. */
  #fail(failure: StorageError): void {
    this.close(failure);
  }

  #watchDrain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    void this.#attached.drained().then(() => {
      this.#isDraining = false;
      this.#unheededBytes = 0;
    });
  }

  #announce(failure: StorageError | undefined): void {
    this.#backlog = [];
    this.#onClose?.(failure);
  }
}

/** For a channel that cannot be made at all: it closes with the failure, as one does whose peer is not there. */
export function attachBroken(end: PipeEnd, peer: Peer, failure: StorageError): void {
  const nothing = (): void => undefined;
  end.attach({
    peer,
    write: () => true,
    drained: () => Promise.resolve(),
    pause: nothing,
    resume: nothing,
    close: nothing,
    destroy: nothing,
  });
  void Promise.resolve().then(() => end.broken(failure));
}
