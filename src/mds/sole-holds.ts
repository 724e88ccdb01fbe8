import { storageError } from "../base/index.js";
import type { Clock } from "../io/index.js";
import { type InodeNumber, ROOT_INODE, type SessionId } from "../meta/index.js";
import type { InterestTable } from "./core/interest.js";
import { soleItem } from "./core/observed-tables.js";
import type { PendingInvalidation, PendingInvalidations } from "./core/pending-invalidations.js";
import { reservedFor } from "./core/reserved-numbers.js";
import { type Concern, SoleInterest } from "./core/sole-interest.js";
import type { Tables } from "./core/tables.js";
import { type Patience, waitFor } from "./patience.js";
import type { SessionHub } from "./session-hub.js";

/** What sole holds need of their leadership. */
export interface SoleHoldsWorld {
  readonly clock: Clock;
  readonly tables: Tables;
  readonly sessions: SessionHub;
}

/**
 * Sessions that answer mutations early may do so of what they are alone with. Before anybody else is answered about such
 * an inode, or a change of it is proposed, its holder is asked to give it up, and says so when all that it answered early
 * has been answered here: then everybody sees it.
 *
 * A new leader knows of no holds, but there may be mutations that were answered early and that it has never seen. So nobody
 * else is served before those sessions have said hello again and have caught up, or are over.
 */
export class SoleHolds {
  readonly #world: SoleHoldsWorld;
  readonly #interest: InterestTable;
  readonly #pending: PendingInvalidations;
  readonly #soles = new SoleInterest();
  /** Sessions that answer early and have said hello to this leader. */
  readonly #early = new Set<SessionId>();
  /** Those of earlier leaders that have not. */
  readonly #absent: Set<SessionId>;
  /** Sessions that had unanswered mutations when they said hello; with the number they are to acknowledge. */
  readonly #behind = new Map<SessionId, number>();
  readonly #waiting = new Set<() => void>();
  #isClosed = false;

  constructor(
    world: SoleHoldsWorld,
    interest: InterestTable,
    pending: PendingInvalidations,
    absent: Iterable<SessionId>,
  ) {
    this.#world = world;
    this.#interest = interest;
    this.#pending = pending;
    this.#absent = new Set(absent);
  }

  /** Pairs of a session and what it is alone with. */
  get count(): number {
    return this.#soles.count;
  }

  /** Whether the session must not be served yet as to these inodes. If so, see `free`, and ask again after it. */
  mustWait(sessionId: SessionId, inos: readonly InodeNumber[] | "all"): boolean {
    if (this.#isSomebodyBehind(sessionId)) return true;
    if (this.#soles.count > 0 && this.#soles.ofOthers(sessionId, inos).size > 0) return true;
    return this.#endingHolds(sessionId, inos).length > 0;
  }

  /** Has those who are alone with these inodes give them up, and resolves when they have, or are over. */
  async free(sessionId: SessionId, inos: readonly InodeNumber[] | "all", patience: Patience): Promise<void> {
    const { clock } = this.#world;
    const endMs = clock.monotonicMs() + patience.deadlineMs;
    while (this.mustWait(sessionId, inos)) {
      if (this.#isSomebodyBehind(sessionId)) {
        await waitFor(clock, endMs, patience.signal, (then) => this.#waiting.add(then));
      } else {
        for (const [holder, held] of this.#soles.ofOthers(sessionId, inos)) this.#recall(holder, [...held]);
        await this.#ended(this.#endingHolds(sessionId, inos), endMs, patience);
      }
      if (this.#isClosed) throw storageError("not_leader", "another MDS leads now");
    }
  }

  /** Those of the inodes that do not exist as far as is known here, but which another session may have created early. */
  unknownOf(sessionId: SessionId, inos: readonly InodeNumber[]): InodeNumber[] {
    const { tables } = this.#world;
    if (this.#early.size === 0) return [];
    return inos.filter((ino) => {
      if (tables.inodes.get(ino) !== undefined) return false;
      const creator = reservedFor(tables, ino);
      return creator !== undefined && creator !== sessionId;
    });
  }

  /** Resolves when whatever their creators had done before the call is known here. */
  async learn(inos: readonly InodeNumber[], patience: Patience): Promise<void> {
    const { tables, clock } = this.#world;
    const waits = inos.flatMap((ino) => {
      const creator = reservedFor(tables, ino);
      return creator === undefined ? [] : [this.#recall(creator, [ino])];
    });
    await this.#ended(waits, clock.monotonicMs() + patience.deadlineMs, patience);
  }

  /** A change is about to be proposed, to be followed by `ended`. Nobody gets alone with what it concerns meanwhile. */
  begin(concern: Concern): Concern {
    this.#soles.begin(concern);
    return concern;
  }

  end(concern: Concern): void {
    this.#soles.end(concern);
  }

  /** Those of the inodes, which the session is told of now, with which it is alone. */
  grant(sessionId: SessionId, inos: readonly InodeNumber[]): InodeNumber[] {
    if (!this.#early.has(sessionId) || this.#isSomebodyBehind(sessionId)) return [];
    return inos.filter((ino) => this.#isAlone(sessionId, ino));
  }

  /** The session creates this inode early: nobody else can know of it. */
  created(sessionId: SessionId, ino: InodeNumber): void {
    if (this.#early.has(sessionId) && this.#interest.isOnlyOf(sessionId, ino))
      this.#soles.hold(sessionId, ino);
  }

  /** The session is not alone with it any more. True if it was. */
  released(sessionId: SessionId, ino: InodeNumber): boolean {
    return this.#soles.release(sessionId, ino);
  }

  /** A session that caches said hello; `earlyCount` as in the hello. */
  attached(sessionId: SessionId, earlyCount: number | undefined): void {
    if (earlyCount === undefined) this.#early.delete(sessionId);
    else this.#early.add(sessionId);
    this.#absent.delete(sessionId);
    if ((earlyCount ?? 0) > 0) this.#behind.set(sessionId, 0);
    else this.#behind.delete(sessionId);
    this.#wake();
  }

  /** The session can be told now: if it is behind, it is to say when it is not any more. */
  connected(sessionId: SessionId): void {
    if (!this.#behind.has(sessionId)) return;
    const { number } = this.#pending.add(sessionId, [], true);
    this.#behind.set(sessionId, number);
    this.#world.sessions.push(sessionId, {
      type: "invalidate",
      body: { number, items: [soleItem(ROOT_INODE)] },
    });
  }

  acknowledged(sessionId: SessionId, number: number): void {
    if (this.#behind.get(sessionId) !== number) return;
    this.#behind.delete(sessionId);
    this.#wake();
  }

  /** The session keeps nothing any more. */
  forgot(sessionId: SessionId): void {
    this.#soles.forget(sessionId);
  }

  /** The session is over. */
  ended(sessionId: SessionId): void {
    this.#soles.forget(sessionId);
    this.#early.delete(sessionId);
    this.#absent.delete(sessionId);
    this.#behind.delete(sessionId);
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#absent.clear();
    this.#behind.clear();
    this.#wake();
  }

  #isAlone(sessionId: SessionId, ino: InodeNumber): boolean {
    const holder = this.#soles.holderOf(ino);
    if (holder !== undefined) return holder === sessionId;
    if (!this.#interest.isOnlyOf(sessionId, ino)) return false;
    if (this.#pending.concerning([ino], sessionId).length > 0) return false;
    if (!this.#soles.isQuiet(this.#world.tables, sessionId, ino)) return false;
    this.#soles.hold(sessionId, ino);
    return true;
  }

  #isSomebodyBehind(sessionId: SessionId): boolean {
    const others = this.#absent.size + this.#behind.size;
    if (others === 0) return false;
    const self = (this.#absent.has(sessionId) ? 1 : 0) + (this.#behind.has(sessionId) ? 1 : 0);
    return others > self;
  }

  #endingHolds(sessionId: SessionId, inos: readonly InodeNumber[] | "all"): PendingInvalidation[] {
    if (this.#pending.count === 0) return [];
    const found =
      inos === "all" ? this.#pending.ofOthers(sessionId) : this.#pending.concerning(inos, sessionId);
    return found.filter(({ wasSole }) => wasSole);
  }

  async #ended(pending: readonly PendingInvalidation[], endMs: number, { signal }: Patience): Promise<void> {
    for (const one of pending) {
      if (!this.#pending.isPending(one)) continue;
      await waitFor(this.#world.clock, endMs, signal, (then) => this.#pending.whenEnded(one, then));
    }
  }

  #recall(holder: SessionId, inos: readonly InodeNumber[]): PendingInvalidation {
    for (const ino of inos) this.#soles.release(holder, ino);
    const pending = this.#pending.add(holder, inos, true);
    const body = { number: pending.number, items: inos.map(soleItem) };
    this.#world.sessions.push(holder, { type: "invalidate", body });
    return pending;
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const then of waiting) then();
  }
}
