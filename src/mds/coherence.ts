import { storageError, toLatin1 } from "../base/index.js";
import type { Clock } from "../io/index.js";
import {
  type Attributes,
  type Coherence,
  type InodeNumber,
  type InvalidItem,
  isDirectory,
  type MetadataMutation,
  type SessionId,
} from "../meta/index.js";
import { concernOf } from "./core/concerns.js";
import { attributesOf } from "./core/inodes.js";
import { InterestTable, type Notice } from "./core/interest.js";
import { type PendingInvalidation, PendingInvalidations } from "./core/pending-invalidations.js";
import { heldAttributes } from "./core/queries.js";
import type { Concern } from "./core/sole-interest.js";
import type { Tables } from "./core/tables.js";
import { type Patience, waitFor } from "./patience.js";
import type { SessionHub } from "./session-hub.js";
import { SoleHolds } from "./sole-holds.js";
import type { Touches } from "./store/metadata-store.js";

/** Pairs of a session and an inode or directory that the leader remembers; some 200 bytes each. */
const INTEREST_MAX = 500_000;

/** What the coherence of one leadership needs. */
export interface CoherenceWorld {
  readonly clock: Clock;
  readonly tables: Tables;
  readonly sessions: SessionHub;
  /** Has every change of what clients may keep reported to `touched`, or nobody. */
  readonly observe: (touched: ((touches: Touches) => void) | undefined) => void;
}

/** A mutation that was carried out and is not answered yet. */
export interface OwnChange {
  readonly inos: ReadonlySet<InodeNumber>;
  /** Of what the session itself may keep. */
  readonly dropped: readonly InvalidItem[];
  readonly waits: readonly PendingInvalidation[];
}

/**
 * What clients keep stays true: the leader knows which session was told what, has it drop what a change makes untrue,
 * and answers nothing that could show the change before those sessions have said that they did, or are over.
 *
 * A new leader knows nobody's interest. A session drops everything before it says hello again; until every session that
 * caches has, or is over, nothing is answered.
 */
export class CacheCoherence {
  readonly #world: CoherenceWorld;
  readonly #interest = new InterestTable(INTEREST_MAX);
  readonly #pending = new PendingInvalidations();
  /** Sessions that cache and have said hello to this leader. */
  readonly #attached = new Set<SessionId>();
  /** Those of earlier leaders that have not. */
  readonly #absent = new Set<SessionId>();
  readonly #waitingForAbsent = new Set<() => void>();
  /** By session and sequence: as many as requests are under way. */
  readonly #own = new Map<SessionId, Map<number, OwnChange>>();
  /** Which session is alone with what, and how that ends. */
  readonly sole: SoleHolds;

  #isClosed = false;

  constructor(world: CoherenceWorld) {
    this.#world = world;
    const early: SessionId[] = [];
    for (const { sessionId, caches, isEnding, reserved } of world.tables.sessions.values()) {
      if (caches !== true || isEnding) continue;
      this.#absent.add(sessionId);
      if (reserved.length > 0) early.push(sessionId);
    }
    this.sole = new SoleHolds(world, this.#interest, this.#pending, early);
    this.#observe();
  }

  /** Nobody caches: there is nothing to be done. */
  get isIdle(): boolean {
    return this.#attached.size === 0 && this.#absent.size === 0;
  }

  get interestCount(): number {
    return this.#interest.count;
  }

  caches(sessionId: SessionId): boolean {
    return this.#attached.has(sessionId);
  }

  /** A session that caches said hello, and so keeps nothing. `earlyCount` as in the hello. */
  attached(sessionId: SessionId, earlyCount?: number): void {
    this.#forget(sessionId);
    this.#attached.add(sessionId);
    this.sole.attached(sessionId, earlyCount);
    this.#observe();
  }

  /** The session is over. */
  ended(sessionId: SessionId): void {
    this.#attached.delete(sessionId);
    this.#own.delete(sessionId);
    this.#forget(sessionId);
    this.sole.ended(sessionId);
    this.#observe();
  }

  acknowledged(sessionId: SessionId, number: number, released: readonly InodeNumber[]): void {
    for (const directory of released) {
      this.#interest.release(sessionId, directory);
      this.sole.released(sessionId, directory);
    }
    this.#pending.acknowledged(sessionId, number);
    this.sole.acknowledged(sessionId, number);
  }

  /** The session is about to be told names of that directory. To be called before they are read. */
  noteNames(sessionId: SessionId, directory: InodeNumber): void {
    this.#tell(this.#interest.noteNames(sessionId, directory));
  }

  /** The session is about to be told of that inode. To be called in the same moment in which it is read, or before. */
  noteInode(sessionId: SessionId, ino: InodeNumber): void {
    this.#tell(this.#interest.noteInode(sessionId, ino));
  }

  /**
   * A session that is told the attributes now may keep them: from now on it hears of every change. Of a directory they
   * say how many names it has: who knows as many knows which there are not, and must hear of names, too.
   */
  noteAttributes(sessionId: SessionId, ino: InodeNumber): boolean {
    const { tables } = this.#world;
    if (heldAttributes(tables, ino, sessionId) !== undefined) return false;
    this.noteInode(sessionId, ino);
    if (isDirectory(tables.inodes.get(ino)?.mode ?? 0)) this.noteNames(sessionId, ino);
    return true;
  }

  /** What the mutation may change or show, as things are now. */
  concernOf(sessionId: SessionId, mutation: MetadataMutation, named: readonly InodeNumber[]): Concern {
    return concernOf(this.#world.tables, sessionId, mutation, named);
  }

  /** The session creates that inode early. */
  createdEarly(sessionId: SessionId, ino: InodeNumber, isDirectory: boolean): void {
    this.noteInode(sessionId, ino);
    if (isDirectory) this.noteNames(sessionId, ino);
    this.sole.created(sessionId, ino);
  }

  /** Resolves when the answer, made from the present state and concerning these inodes, may be given. */
  async settled(
    sessionId: SessionId,
    inos: Iterable<InodeNumber> | "all",
    patience: Patience,
    more: readonly PendingInvalidation[] = [],
  ): Promise<void> {
    this.#requireOpen();
    if (this.#absent.size === 0 && this.#pending.count === 0) return;
    const found =
      inos === "all" ? this.#pending.ofOthers(sessionId) : this.#pending.concerning(inos, sessionId);
    const endMs = this.#world.clock.monotonicMs() + patience.deadlineMs;
    while (this.#absent.size > 0) {
      await waitFor(this.#world.clock, endMs, patience.signal, (then) => {
        this.#waitingForAbsent.add(then);
        return () => this.#waitingForAbsent.delete(then);
      });
    }
    for (const pending of [...found, ...more]) {
      if (!this.#pending.isPending(pending)) continue;
      await waitFor(this.#world.clock, endMs, patience.signal, (then) =>
        this.#pending.whenEnded(pending, then),
      );
    }
    this.#requireOpen();
  }

  /** The change of a mutation that was carried out, if it has to do with anybody's cache; for its answer. */
  ownChange(sessionId: SessionId, sequence: number): OwnChange | undefined {
    return this.#own.get(sessionId)?.get(sequence);
  }

  /** It is answered. */
  answered(sessionId: SessionId, sequence: number): void {
    const changes = this.#own.get(sessionId);
    if (changes?.delete(sequence) === true && changes.size === 0) this.#own.delete(sessionId);
  }

  /** What the answer of a mutation says besides, to a session that caches. To be called when nothing is waited for. */
  besides(sessionId: SessionId, inos: Iterable<InodeNumber>, dropped: readonly InvalidItem[]): Coherence {
    const { inodes } = this.#world.tables;
    const changed: Attributes[] = [];
    for (const ino of new Set(inos)) {
      const inode = inodes.get(ino);
      if (inode === undefined) this.sole.released(sessionId, ino);
      else if (this.noteAttributes(sessionId, ino)) changed.push(attributesOf(inode));
    }
    const sole = this.sole.grant(
      sessionId,
      changed.map(({ ino }) => ino),
    );
    return { changed, fleeting: [], dropped, sole };
  }

  /** As `besides`, of what the session answered early: it knows what it would be told. */
  toldEarly(sessionId: SessionId, inos: Iterable<InodeNumber>): void {
    const { inodes } = this.#world.tables;
    const known: InodeNumber[] = [];
    for (const ino of inos) {
      if (inodes.get(ino) === undefined) this.sole.released(sessionId, ino);
      else if (this.noteAttributes(sessionId, ino)) known.push(ino);
    }
    this.sole.grant(sessionId, known);
  }

  /** This node leads no more: nothing that waits is answered. */
  close(): void {
    this.#isClosed = true;
    this.sole.close();
    this.#world.observe(undefined);
    this.#absent.clear();
    for (const then of this.#waitingForAbsent) then();
    for (const sessionId of [...this.#attached]) this.#forget(sessionId);
    this.#own.clear();
  }

  #requireOpen(): void {
    if (this.#isClosed) throw storageError("not_leader", "another MDS leads now");
  }

  #touched({ causer, items: touched }: Touches): void {
    const items = merged(touched);
    const inos = new Set(items.map(({ ino }) => ino));
    const dropped: InvalidItem[] = [];
    const bySession = new Map<SessionId, InvalidItem[]>();
    for (const item of items) {
      for (const sessionId of this.#interest.touched(item)) {
        if (sessionId === causer?.sessionId) dropped.push(item);
        else listAt(bySession, sessionId).push(item);
      }
      if (item.kind === "contents") this.#tellSharers(item, causer?.sessionId, bySession);
    }
    for (const [sessionId, told] of bySession) this.#invalidate(sessionId, told);
    if (causer === undefined) return;
    const waits = this.#pending.concerning(inos, causer.sessionId);
    if (waits.length > 0 || this.caches(causer.sessionId)) this.#keepOwn(causer, { inos, dropped, waits });
  }

  /** Who has the file open together with others may keep its data although it has not asked for its attributes. */
  #tellSharers(
    item: InvalidItem,
    causer: SessionId | undefined,
    bySession: Map<SessionId, InvalidItem[]>,
  ): void {
    for (const { sessionId, lease } of this.#world.tables.opens.valuesOf(item.ino)) {
      if (lease !== "shared" || sessionId === causer || !this.caches(sessionId)) continue;
      const told = listAt(bySession, sessionId);
      if (!told.includes(item)) told.push(item);
    }
  }

  #keepOwn({ sessionId, sequence }: NonNullable<Touches["causer"]>, own: OwnChange): void {
    let changes = this.#own.get(sessionId);
    if (changes === undefined) {
      changes = new Map();
      this.#own.set(sessionId, changes);
    }
    const earlier = changes.get(sequence);
    changes.set(sequence, earlier === undefined ? own : joined(earlier, own));
  }

  #tell(notices: readonly Notice[]): void {
    for (const { sessionId, item } of notices) this.#invalidate(sessionId, [item]);
  }

  #invalidate(sessionId: SessionId, items: readonly InvalidItem[]): void {
    const inos = items.map(({ ino }) => ino);
    // Whatever becomes untrue for the session ends its being alone with it: others wait for that before they ask.
    const wasSole = inos.filter((ino) => this.sole.released(sessionId, ino)).length > 0;
    const { number } = this.#pending.add(sessionId, inos, wasSole);
    this.#world.sessions.push(sessionId, { type: "invalidate", body: { number, items } });
  }

  #forget(sessionId: SessionId): void {
    this.sole.forgot(sessionId);
    this.#interest.forget(sessionId);
    this.#pending.sessionForgot(sessionId);
    if (!this.#absent.delete(sessionId) || this.#absent.size > 0) return;
    for (const then of this.#waitingForAbsent) then();
  }

  #observe(): void {
    this.#world.observe(this.isIdle ? undefined : (touches) => this.#touched(touches));
  }
}

const joined = (a: OwnChange, b: OwnChange): OwnChange => ({
  inos: new Set([...a.inos, ...b.inos]),
  dropped: [...a.dropped, ...b.dropped],
  waits: [...a.waits, ...b.waits],
});

/** Each once; `contents` says all that `inode` says. */
function merged(items: readonly InvalidItem[]): InvalidItem[] {
  const found = new Map<string, InvalidItem>();
  for (const item of items) {
    const isName = item.kind === "entry" || item.kind === "entries";
    const key = isName ? `${item.kind} ${item.ino} ${toLatin1(item.name)}` : `inode ${item.ino}`;
    if (found.get(key)?.kind !== "contents") found.set(key, item);
  }
  return [...found.values()];
}

function listAt<Key, Item>(map: Map<Key, Item[]>, key: Key): Item[] {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made: Item[] = [];
  map.set(key, made);
  return made;
}
