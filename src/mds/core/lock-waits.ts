import { storageError } from "../../base/index.js";
import type { FileLock, InodeNumber, SessionId } from "../../meta/index.js";
import { conflictIn } from "./lock-ranges.js";
import { conflictsOf } from "./lock-records.js";
import type { Tables } from "./tables.js";

/** Waits of one session at most; more fail with `too_many_locks`. */
export const LOCK_WAITS_MAX = 1024;

/** Somebody who may try to set its lock now. */
export interface LockOffer {
  readonly sessionId: SessionId;
  readonly waitId: number;
}

interface Wait extends LockOffer {
  readonly lock: FileLock;
  /** Where it is told; it ends with that. */
  readonly stream: object;
  /** It was told that it may try, and has not said how that went. */
  isOffered: boolean;
}

/**
 * Who waits for locks at this leader: memory of one leadership, since waiting changes nothing. First come, first
 * served: a lock that comes free is offered to those who wait longest, and to nobody whom an offer that is not yet
 * answered stands in the way of. An offer is answered by waiting again (somebody was faster) or by ending the wait.
 * Whoever never waited may still be faster; then the place in the queue is kept.
 *
 * Owners of `range` locks that would wait for each other in a circle are refused: `deadlock`. Locks only change hands
 * by way of the tables, and a circle is closed by a wait that begins, so it is enough to look then.
 */
export class LockWaits {
  readonly #tables: Pick<Tables, "locks">;
  /** In the order of their coming. By file. */
  readonly #waits = new Map<InodeNumber, Map<string, Wait>>();
  /** The same, by session. */
  readonly #sessions = new Map<SessionId, Map<number, Wait>>();

  constructor(tables: Pick<Tables, "locks">) {
    this.#tables = tables;
  }

  /** Begins or goes on with a wait. Returns whom the file's locks are to be offered now. */
  begin(sessionId: SessionId, waitId: number, lock: FileLock, stream: object): readonly LockOffer[] {
    if (this.#closesCircle(sessionId, lock)) {
      this.forget(sessionId, waitId);
      throw storageError("deadlock", "the owner would wait for itself");
    }
    const own = this.#sessions.get(sessionId) ?? new Map<number, Wait>();
    const old = own.get(waitId);
    if (old === undefined && own.size >= LOCK_WAITS_MAX) throw storageError("too_many_locks");
    if (old !== undefined && old.lock.ino !== lock.ino) this.forget(sessionId, waitId);
    const wait: Wait = { sessionId, waitId, lock, stream, isOffered: false };
    const queue = this.#waits.get(lock.ino) ?? new Map<string, Wait>();
    this.#waits.set(lock.ino, queue);
    this.#sessions.set(sessionId, own);
    own.set(waitId, wait);
    queue.set(keyOf(wait), wait);
    // One more makes no difference to the others, but one who takes his place again was perhaps in their way.
    return old === undefined ? this.#offer(queue, [wait]) : this.offers(lock.ino);
  }

  /** The wait is over. Returns whom the file's locks are to be offered now. */
  forget(sessionId: SessionId, waitId: number): readonly LockOffer[] {
    const wait = this.#sessions.get(sessionId)?.get(waitId);
    if (wait === undefined) return [];
    this.#remove(wait);
    return wait.isOffered ? this.offers(wait.lock.ino) : [];
  }

  /** All waits told over that stream, or of that session, are over. Returns whom locks are to be offered now. */
  drop(sessionId: SessionId, stream?: object): readonly LockOffer[] {
    const waits = [...(this.#sessions.get(sessionId)?.values() ?? [])].filter(
      (wait) => stream === undefined || wait.stream === stream,
    );
    for (const wait of waits) this.#remove(wait);
    return [...new Set(waits.map(({ lock }) => lock.ino))].flatMap((ino) => this.offers(ino));
  }

  /** The locks of that file changed: who may try now, and was not told so. */
  offers(ino: InodeNumber): readonly LockOffer[] {
    const queue = this.#waits.get(ino);
    return queue === undefined ? [] : this.#offer(queue, queue.values());
  }

  #offer(queue: ReadonlyMap<string, Wait>, candidates: Iterable<Wait>): readonly LockOffer[] {
    const offered = [...queue.values()].filter(({ isOffered }) => isOffered);
    const offers: LockOffer[] = [];
    for (const wait of candidates) {
      if (wait.isOffered || offered.some((other) => standsInTheWay(other, wait))) continue;
      if (conflictsOf(this.#tables, wait.sessionId, wait.lock).next().done !== true) continue;
      wait.isOffered = true;
      offered.push(wait);
      offers.push({ sessionId: wait.sessionId, waitId: wait.waitId });
    }
    return offers;
  }

  get size(): number {
    let count = 0;
    for (const own of this.#sessions.values()) count += own.size;
    return count;
  }

  #remove(wait: Wait): void {
    const { sessionId, waitId, lock } = wait;
    const own = this.#sessions.get(sessionId);
    own?.delete(waitId);
    if (own?.size === 0) this.#sessions.delete(sessionId);
    const queue = this.#waits.get(lock.ino);
    queue?.delete(keyOf(wait));
    if (queue?.size === 0) this.#waits.delete(lock.ino);
  }

  /** Whether who has what is wanted waits, itself or by others, for the one who wants it. */
  #closesCircle(sessionId: SessionId, lock: FileLock): boolean {
    if (lock.family !== "range") return false;
    const self = ownerKey(sessionId, lock);
    const seen = new Set<string>();
    const open: { readonly sessionId: SessionId; readonly lock: FileLock }[] = [{ sessionId, lock }];
    for (let wait = open.pop(); wait !== undefined; wait = open.pop()) {
      for (const held of conflictsOf(this.#tables, wait.sessionId, wait.lock)) {
        const key = ownerKey(held.sessionId, held.lock);
        if (key === self) return true;
        if (seen.has(key)) continue;
        seen.add(key);
        open.push(...this.#waitsOf(held.sessionId, held.lock));
      }
    }
    return false;
  }

  #waitsOf(sessionId: SessionId, { owner }: FileLock): Wait[] {
    const own = [...(this.#sessions.get(sessionId)?.values() ?? [])];
    return own.filter(({ lock }) => lock.family === "range" && lock.owner === owner);
  }
}

/** The earlier one, if it sets its lock, keeps the later one from it. */
function standsInTheWay(earlier: Wait, later: Wait): boolean {
  const { family, owner } = earlier.lock;
  if (family !== later.lock.family) return false;
  if (earlier.sessionId === later.sessionId && owner === later.lock.owner) return false;
  return conflictIn([earlier.lock], later.lock) !== undefined;
}

const keyOf = ({ sessionId, waitId }: LockOffer): string => `${sessionId} ${waitId}`;
const ownerKey = (sessionId: SessionId, { owner }: FileLock): string => `${sessionId} ${owner}`;
