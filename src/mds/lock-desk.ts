import type { AwaitLock, InodeNumber, MetadataPush, SessionId } from "../meta/index.js";
import { type LockOffer, LockWaits } from "./core/lock-waits.js";
import { checkLock } from "./core/locks.js";
import type { Tables } from "./core/tables.js";

/**
 * Where clients wait for locks, for one leadership. Nobody waits in a request: who may try is told by a push, and who
 * was told elsewhere, or not at all, asks again on its next stream.
 */
export class LockDesk {
  readonly #waits: LockWaits;
  readonly #push: (sessionId: SessionId, push: MetadataPush) => void;

  constructor(tables: Pick<Tables, "locks">, push: (sessionId: SessionId, push: MetadataPush) => void) {
    this.#waits = new LockWaits(tables);
    this.#push = push;
  }

  /** Throws `deadlock`, `too_many_locks`, or that it is no lock. */
  await(sessionId: SessionId, { waitId, lock }: AwaitLock, stream: object): void {
    checkLock(lock);
    this.#offer(this.#waits.begin(sessionId, waitId, lock, stream));
  }

  forget(sessionId: SessionId, waitId: number): void {
    this.#offer(this.#waits.forget(sessionId, waitId));
  }

  /** A stream is gone, or with none given, a session is over. */
  drop(sessionId: SessionId, stream?: object): void {
    this.#offer(this.#waits.drop(sessionId, stream));
  }

  /** The locks of that file are not what they were. */
  changed(ino: InodeNumber): void {
    this.#offer(this.#waits.offers(ino));
  }

  /** How many wait. */
  get size(): number {
    return this.#waits.size;
  }

  #offer(offers: readonly LockOffer[]): void {
    for (const { sessionId, waitId } of offers) this.#push(sessionId, { type: "lockFree", body: { waitId } });
  }
}
