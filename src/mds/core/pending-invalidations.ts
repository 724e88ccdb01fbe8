import type { InodeNumber, SessionId } from "../../meta/index.js";

/** A session was told to drop something, and has not said yet that it has. */
export interface PendingInvalidation {
  readonly number: number;
  readonly sessionId: SessionId;
  /** The inodes and directories it concerns. */
  readonly inos: readonly InodeNumber[];
  /** The session was alone with some of it: nobody else asks before it has answered. */
  readonly wasSole: boolean;
}

/**
 * Invalidations that are not acknowledged, and who waits for them. An answer that could show a change waits for those
 * of all inodes it has to do with; a session never waits for itself.
 */
export class PendingInvalidations {
  readonly #byNumber = new Map<number, PendingInvalidation>();
  readonly #byIno = new Map<InodeNumber, Set<PendingInvalidation>>();
  readonly #bySession = new Map<SessionId, Set<PendingInvalidation>>();
  readonly #waiting = new Map<PendingInvalidation, (() => void)[]>();
  #last = 0;

  get count(): number {
    return this.#byNumber.size;
  }

  add(sessionId: SessionId, inos: readonly InodeNumber[], wasSole = false): PendingInvalidation {
    const pending = { number: ++this.#last, sessionId, inos, wasSole };
    this.#byNumber.set(pending.number, pending);
    for (const ino of inos) setAt(this.#byIno, ino).add(pending);
    setAt(this.#bySession, sessionId).add(pending);
    return pending;
  }

  /** The session says that it has dropped what that number named. */
  acknowledged(sessionId: SessionId, number: number): void {
    const pending = this.#byNumber.get(number);
    if (pending?.sessionId === sessionId) this.#end(pending);
  }

  /** The session keeps nothing any more, or is over. */
  sessionForgot(sessionId: SessionId): void {
    for (const pending of [...(this.#bySession.get(sessionId) ?? [])]) this.#end(pending);
  }

  /** Those of other sessions that concern these inodes. */
  concerning(inos: Iterable<InodeNumber>, sessionId: SessionId): PendingInvalidation[] {
    const found = new Set<PendingInvalidation>();
    if (this.count === 0) return [];
    for (const ino of inos) {
      for (const pending of this.#byIno.get(ino) ?? [])
        if (pending.sessionId !== sessionId) found.add(pending);
    }
    return [...found];
  }

  /** Those of other sessions. */
  ofOthers(sessionId: SessionId): PendingInvalidation[] {
    return [...this.#byNumber.values()].filter((pending) => pending.sessionId !== sessionId);
  }

  isPending(pending: PendingInvalidation): boolean {
    return this.#byNumber.get(pending.number) === pending;
  }

  /** Calls back when it has ended, at once if it has. */
  whenEnded(pending: PendingInvalidation, then: () => void): void {
    if (!this.isPending(pending)) {
      then();
      return;
    }
    const waiting = this.#waiting.get(pending);
    if (waiting === undefined) this.#waiting.set(pending, [then]);
    else waiting.push(then);
  }

  #end(pending: PendingInvalidation): void {
    this.#byNumber.delete(pending.number);
    for (const ino of pending.inos) takeFrom(this.#byIno, ino, pending);
    takeFrom(this.#bySession, pending.sessionId, pending);
    const waiting = this.#waiting.get(pending) ?? [];
    this.#waiting.delete(pending);
    for (const then of waiting) then();
  }
}

function setAt<Key, Item>(map: Map<Key, Set<Item>>, key: Key): Set<Item> {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = new Set<Item>();
  map.set(key, made);
  return made;
}

function takeFrom<Key, Item>(map: Map<Key, Set<Item>>, key: Key, item: Item): void {
  const items = map.get(key);
  items?.delete(item);
  if (items?.size === 0) map.delete(key);
}
