import { type Failure, type FailureCode, StorageError, storageError } from "../base/index.js";
import type { Clock, Timer } from "../io/index.js";
import type { CallOptions, Channel } from "./transport.js";

/** A numbered request. The body is undefined if the receiver does not know it. */
export interface CallUp<Request> {
  /** From 1; the reply bears it. */
  readonly id: number;
  /** The caller gives up after this long. */
  readonly deadlineMs: number;
  readonly body: Request | undefined;
}

/** A reply (failure or body), or with id 0 a push. */
export interface CallDown<Reply> {
  readonly id: number;
  readonly failure: Failure | undefined;
  readonly body: Reply | undefined;
}

export interface CallClientOptions {
  /** Requests on the way at most; more wait. Default 1024. */
  readonly outstandingMax?: number | undefined;
  /** Requests waiting at most; more fail with `busy`. Default 4096. */
  readonly waitingMax?: number | undefined;
}

interface Call<Request, Reply> {
  readonly id: number;
  readonly body: Request;
  readonly expiresAtMs: number;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: StorageError) => void;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: (() => void) | undefined;
}

/** Deadlines are kept this exactly: expired requests are looked for no more often. */
const DEADLINE_GRAIN_MS = 10;

/**
 * Numbered requests over a channel, answered in any order.
 *
 * Every request ends exactly once: with its reply or its failure; `timed_out` at its deadline; `cancelled` by its
 * signal; with the failure the channel closed with, `unavailable` if it had none (`closed` if we closed it).
 * A request that ended without a reply may have been carried out all the same.
 */
export class CallClient<Request, Reply, Push = never> {
  readonly #channel: Channel<CallUp<Request>, CallDown<Reply | Push>>;
  readonly #clock: Clock;
  readonly #outstandingMax: number;
  readonly #waitingMax: number;
  /** By id, in the order they were sent. */
  readonly #outstanding = new Map<number, Call<Request, Reply>>();
  /** By id, in the order they were made. */
  readonly #waiting = new Map<number, Call<Request, Reply>>();
  #nextId = 1;
  #isClogged = false;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #closed: StorageError | undefined;
  #isClosing = false;
  #onPush: ((push: Push) => void) | undefined;
  #onClose: ((failure: StorageError | undefined) => void) | undefined;

  /** To be made synchronously after the channel was opened; it takes the channel over. */
  constructor(
    channel: Channel<CallUp<Request>, CallDown<Reply | Push>>,
    clock: Clock,
    options: CallClientOptions = {},
  ) {
    this.#channel = channel;
    this.#clock = clock;
    this.#outstandingMax = options.outstandingMax ?? 1024;
    this.#waitingMax = options.waitingMax ?? 4096;
    channel.onMessage((message) => this.#receive(message));
    channel.onClose((failure) => this.#end(failure));
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** Sends the request, waiting its turn; see the class for how it ends. */
  request(body: Request, options: CallOptions): Promise<Reply> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    if (options.signal?.aborted === true) return Promise.reject(storageError("cancelled"));
    const mustWait = this.#isClogged || this.#outstanding.size >= this.#outstandingMax;
    if (mustWait && this.#waiting.size >= this.#waitingMax) {
      return Promise.reject(storageError("busy", "too many requests wait for this connection"));
    }
    return new Promise((resolve, reject) => {
      const call = this.#makeCall(body, options, resolve, reject);
      this.#watch(call.expiresAtMs);
      if (mustWait) this.#waiting.set(call.id, call);
      else this.#send(call);
    });
  }

  /** What the other end says unasked. Set once, before anything can arrive. */
  onPush(handler: (push: Push) => void): void {
    this.#onPush = handler;
  }

  /** Called once, after every request has ended. */
  onClose(handler: (failure: StorageError | undefined) => void): void {
    this.#onClose = handler;
  }

  close(failure?: StorageError): void {
    this.#isClosing = true;
    this.#channel.close(failure);
  }

  #makeCall(
    body: Request,
    { deadlineMs, signal }: CallOptions,
    resolve: (reply: Reply) => void,
    reject: (error: StorageError) => void,
  ): Call<Request, Reply> {
    const id = this.#nextId++;
    const onAbort = signal && (() => this.#fail(id, "cancelled", "the caller gave up"));
    if (onAbort !== undefined) signal?.addEventListener("abort", onAbort, { once: true });
    return {
      id,
      body,
      expiresAtMs: this.#clock.monotonicMs() + deadlineMs,
      resolve,
      reject,
      signal,
      onAbort,
    };
  }

  #send(call: Call<Request, Reply>): void {
    this.#outstanding.set(call.id, call);
    const deadlineMs = Math.max(1, Math.ceil(call.expiresAtMs - this.#clock.monotonicMs()));
    try {
      if (this.#channel.send({ id: call.id, deadlineMs, body: call.body })) return;
    } catch (error) {
      // A request that cannot be encoded concerns its caller alone.
      if (!(error instanceof StorageError)) throw error;
      this.#take(call.id)?.reject(error);
      return;
    }
    this.#isClogged = true;
    void this.#channel.drained().then(() => {
      this.#isClogged = false;
      this.#sendWaiting();
    });
  }

  #sendWaiting(): void {
    for (const call of this.#waiting.values()) {
      if (this.#isClogged || this.#outstanding.size >= this.#outstandingMax) return;
      this.#waiting.delete(call.id);
      this.#send(call);
    }
  }

  #receive(message: CallDown<Reply | Push>): void {
    if (message.id === 0) {
      // A push this version does not know is none of its business.
      if (message.body !== undefined) this.#onPush?.(message.body as Push);
      return;
    }
    const call = this.#take(message.id);
    if (call === undefined) return;
    if (message.failure !== undefined) call.reject(new StorageError(message.failure));
    else if (message.body === undefined) call.reject(storageError("unsupported", "a reply not known here"));
    else call.resolve(message.body as Reply);
    this.#sendWaiting();
  }

  /** Removes a call that has not ended yet; whoever took it ends it. */
  #take(id: number): Call<Request, Reply> | undefined {
    const call = this.#outstanding.get(id) ?? this.#waiting.get(id);
    if (call === undefined) return undefined;
    this.#outstanding.delete(id);
    this.#waiting.delete(id);
    if (call.onAbort !== undefined) call.signal?.removeEventListener("abort", call.onAbort);
    return call;
  }

  #fail(id: number, code: FailureCode, detail: string): void {
    this.#take(id)?.reject(storageError(code, detail));
    this.#sendWaiting();
  }

  #end(failure: StorageError | undefined): void {
    const isOurs = this.#isClosing && failure === undefined;
    this.#closed = failure ?? storageError(isOurs ? "closed" : "unavailable", "the connection was closed");
    this.#timer?.cancel();
    for (const calls of [this.#outstanding, this.#waiting]) {
      for (const id of calls.keys()) this.#take(id)?.reject(this.#closed);
    }
    this.#onClose?.(failure);
  }

  /** One timer for all requests: it is set anew only for a deadline that comes earlier. */
  #watch(expiresAtMs: number): void {
    const atMs = expiresAtMs + DEADLINE_GRAIN_MS;
    if (atMs >= this.#timerAtMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.after("rpc.deadline", atMs - this.#clock.monotonicMs(), () => this.#expire());
  }

  #expire(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const calls of [this.#outstanding, this.#waiting]) {
      for (const { id, expiresAtMs } of calls.values()) {
        if (expiresAtMs <= nowMs) this.#take(id)?.reject(storageError("timed_out", "no answer in time"));
        else nextMs = Math.min(nextMs, expiresAtMs);
      }
    }
    if (nextMs !== Number.POSITIVE_INFINITY) this.#watch(nextMs);
    this.#sendWaiting();
  }
}
