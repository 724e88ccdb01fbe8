import { setMaxListeners } from "node:events";
import { StorageError, storageError } from "../base/index.js";
import type { CallDown, CallUp } from "./calls.js";
import type { Channel, Peer } from "./transport.js";

export interface CallContext {
  readonly peer: Peer;
  /** The caller gives up after this long. */
  readonly deadlineMs: number;
  /** Aborts when the channel closes: nobody is there to hear the answer. */
  readonly signal: AbortSignal;
}

/** Answers a request, or throws a `StorageError`. Anything else thrown is a bug and ends the process. */
export type CallHandler<Request, Reply> = (request: Request, context: CallContext) => Promise<Reply>;

export interface CallServer<Push> {
  readonly peer: Peer;
  readonly isClosed: boolean;
  /** Says something unasked. False when the peer is slow and much is waiting; see `Channel.send`. */
  push(push: Push): boolean;
  drained(): Promise<void>;
  onClose(handler: (failure: StorageError | undefined) => void): void;
  close(failure?: StorageError): void;
}

/** Where it is noted how long requests take. */
export interface CallTimes<Request> {
  /** A request begins; the result is given to `end`. */
  begin(): number;
  /** It was answered, or refused. */
  end(request: Request, began: number): void;
}

export interface CallServerOptions<Request = never> {
  /** Requests worked on at the same time; beyond that the channel is paused. Default 256. */
  readonly concurrencyMax?: number | undefined;
  readonly times?: CallTimes<Request> | undefined;
}

/**
 * Answers the numbered requests of a channel, in whatever order the answers come. To be called synchronously
 * after the channel was accepted; it takes the channel over. Requests begin in the order they were sent.
 */
export function serveCalls<Request, Reply, Push = never>(
  channel: Channel<CallDown<Reply | Push>, CallUp<Request>>,
  handle: CallHandler<Request, Reply>,
  options: CallServerOptions<Request> = {},
): CallServer<Push> {
  return new ChannelCalls(channel, handle, options);
}

class ChannelCalls<Request, Reply, Push> implements CallServer<Push> {
  readonly #channel: Channel<CallDown<Reply | Push>, CallUp<Request>>;
  readonly #handle: CallHandler<Request, Reply>;
  readonly #concurrencyMax: number;
  readonly #times: CallTimes<Request> | undefined;
  readonly #gone = new AbortController();
  #runningCount = 0;
  #isClogged = false;
  #isPaused = false;
  #onClose: ((failure: StorageError | undefined) => void) | undefined;

  constructor(
    channel: Channel<CallDown<Reply | Push>, CallUp<Request>>,
    handle: CallHandler<Request, Reply>,
    { concurrencyMax = 256, times }: CallServerOptions<Request>,
  ) {
    this.#channel = channel;
    this.#handle = handle;
    this.#concurrencyMax = concurrencyMax;
    this.#times = times;
    // Every request under way may wait with it.
    setMaxListeners(0, this.#gone.signal);
    channel.onMessage((call) => this.#begin(call));
    channel.onClose((failure) => {
      this.#gone.abort();
      this.#onClose?.(failure);
    });
  }

  get peer(): Peer {
    return this.#channel.peer;
  }

  get isClosed(): boolean {
    return this.#channel.isClosed;
  }

  push(push: Push): boolean {
    return this.#channel.send({ id: 0, failure: undefined, body: push });
  }

  drained(): Promise<void> {
    return this.#channel.drained();
  }

  onClose(handler: (failure: StorageError | undefined) => void): void {
    this.#onClose = handler;
  }

  close(failure?: StorageError): void {
    this.#channel.close(failure);
  }

  #begin({ id, deadlineMs, body }: CallUp<Request>): void {
    if (id === 0) {
      this.close(storageError("malformed", "a request without a number"));
      return;
    }
    this.#runningCount++;
    this.#balance();
    void this.#run(id, deadlineMs, body);
  }

  async #run(id: number, deadlineMs: number, body: Request | undefined): Promise<void> {
    let answer: CallDown<Reply>;
    const began = this.#times?.begin() ?? 0;
    try {
      if (body === undefined) throw storageError("unsupported", "a request not known here");
      const reply = await this.#handle(body, { peer: this.peer, deadlineMs, signal: this.#gone.signal });
      answer = { id, failure: undefined, body: reply };
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      answer = { id, failure: error.failure, body: undefined };
    }
    if (body !== undefined) this.#times?.end(body, began);
    this.#runningCount--;
    this.#answer(answer);
    this.#balance();
  }

  #answer(answer: CallDown<Reply>): void {
    if (this.#send(answer) || this.#isClogged) return;
    this.#isClogged = true;
    void this.#channel.drained().then(() => {
      this.#isClogged = false;
      this.#balance();
    });
  }

  #send(answer: CallDown<Reply>): boolean {
    try {
      return this.#channel.send(answer);
    } catch (error) {
      // An answer that cannot be encoded, because it is too long, is a failure of that request.
      if (!(error instanceof StorageError) || answer.failure !== undefined) throw error;
      return this.#channel.send({ id: answer.id, failure: error.failure, body: undefined });
    }
  }

  /** Takes in no more than can be worked on and answered. */
  #balance(): void {
    const mustPause = this.#isClogged || this.#runningCount >= this.#concurrencyMax;
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) this.#channel.pause();
    else this.#channel.resume();
  }
}
