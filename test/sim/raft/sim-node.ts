import { crc32, type Prng, toUtf8 } from "../../../src/base/index.js";
import type {
  Entry,
  MembershipHistory,
  Position,
  Raft,
  RaftConfig,
  RaftId,
  RaftMessage,
  Ready,
  Snapshot,
  SnapshotMeta,
} from "../../../src/raft/index.js";
import { type Checker, hashOf, Violation } from "./checker.js";
import type { EventQueue } from "./event-queue.js";
import type { MachineState, SimStore, SimWrite } from "./sim-store.js";

/** The code under test: the room's door, or a mutant of it. */
export type RaftModule = typeof import("../../../src/raft/index.js");

export interface NodeWorld {
  readonly raft: RaftModule;
  readonly prng: Prng;
  readonly events: EventQueue;
  readonly checker: Checker;
  readonly send: (message: RaftMessage) => void;
  readonly sendSnapshot: (from: SimNode, message: Snapshot) => void;
  readonly log: (line: () => string) => void;
}

/** How this node's hardware behaves just now. */
export interface Hardware {
  /** Of one synced write. */
  diskMs: number;
  /** Virtual milliseconds per millisecond of this node's clock. */
  readonly clockRate: number;
}

interface PendingWrite {
  readonly ready: Ready;
  readonly write: SimWrite;
}

/**
 * One simulated machine: the production core over a disk that keeps only what was synced, driven as `Ready` demands
 * but with as much asynchrony as it allows: any number of writes under way, applying late.
 */
export class SimNode {
  readonly id: RaftId;
  readonly hardware: Hardware;
  readonly #config: RaftConfig;
  readonly #world: NodeWorld;
  readonly store: SimStore;
  raft: Raft | undefined;
  /** Changes at every start and crash, so that events of an earlier life do nothing. */
  #life = 0;
  #writes: PendingWrite[] = [];
  #machine: MachineState = { index: 0, digest: 0 };
  /** The log as the core has it in memory, for the checks. */
  #entries = new Map<number, Entry>();
  #checkedCommit = 0;
  #restoring: Entry[] | undefined;
  #restore: SnapshotMeta | undefined;
  /** Tells the sender how the restore under way ended. */
  #restoreDone: ((ok: boolean) => void) | undefined;
  /** Senders of snapshots that came while it was stopped. Its end is the end of their connections. */
  readonly #arriving = new Set<(ok: boolean) => void>();
  /** Who promised a vote for which term, and the terms in which a leader asked for an election. */
  #promises = new Map<number, Set<RaftId>>();
  #askedInTerm = 0;
  /** Events that came while the process was stopped; undefined when it runs. */
  #paused: (() => void)[] | undefined;
  #proposals = new Map<
    number,
    { readonly term: number; readonly done: (index: number | undefined) => void }
  >();
  #reads = new Map<
    number,
    { index: number | undefined; readonly done: (index: number | undefined) => void }
  >();
  #nextRead = 1;
  /** Committed entries that wait to be applied. */
  #applyQueue: Entry[] = [];

  constructor(config: RaftConfig, hardware: Hardware, store: SimStore, world: NodeWorld) {
    this.id = config.id;
    this.#config = config;
    this.hardware = hardware;
    this.store = store;
    this.#world = world;
  }

  get isUp(): boolean {
    return this.raft !== undefined;
  }

  get isPaused(): boolean {
    return this.#paused !== undefined;
  }

  get machine(): MachineState {
    return this.#machine;
  }

  /** This node's monotonic clock. */
  get nowMs(): number {
    return this.#world.events.nowMs * this.hardware.clockRate;
  }

  start(): void {
    const { raft: module, prng, checker } = this.#world;
    if (this.#restore !== undefined) this.store.finishRestore(this.#restore);
    this.#restore = undefined;
    const { store } = this;
    const start = store.start();
    const history: MembershipHistory = new module.MembershipHistory(start);
    this.#entries = new Map();
    const stored =
      store.lastIndex() > start.index
        ? store.entries(start.index + 1, store.lastIndex() + 1, Number.MAX_SAFE_INTEGER)
        : [];
    for (const entry of stored) {
      this.#entries.set(entry.index, entry);
      if (entry.type === "membership") history.append(entry.index, module.decodeMembership(entry.data));
    }
    this.#machine = store.machine;
    this.#applyQueue = [];
    checker.applied(this.id, this.#machine.index, this.#machine.digest);
    this.#checkedCommit = Math.max(start.index, 0);
    const { hardState } = store;
    this.raft = new module.Raft(
      this.#config,
      { reader: store, hardState, history, applied: this.#machine.index },
      prng.fork(),
    );
    this.#life++;
    this.#world.log(() => `${this.id} starts at term ${hardState.term}, last ${store.lastIndex()}`);
    this.#tickLater();
    this.#pump();
  }

  /** The process dies; of the writes under way the disk got some, in order. */
  crash(): void {
    const { prng, log } = this.#world;
    const count = prng.chance(0.5) ? 0 : prng.below(this.#writes.length + 1);
    const survived = this.#writes.splice(0, count);
    for (const { write } of survived) this.store.write(write);
    // The machine's own batches are not synced: some of what it has applied may be there, or only the old state.
    if (this.#restoring === undefined && prng.chance(0.5)) this.store.machine = this.#machine;
    log(() => `${this.id} crashes, ${survived.length} writes under way survive`);
    this.#life++;
    this.raft = undefined;
    this.#writes = [];
    this.#restoring = undefined;
    this.#restoreDone?.(false);
    this.#restoreDone = undefined;
    for (const done of this.#arriving) done(false);
    this.#arriving.clear();
    this.#promises.clear();
    this.#paused = undefined;
    for (const { done } of [...this.#proposals.values(), ...this.#reads.values()]) done(undefined);
    this.#proposals.clear();
    this.#reads.clear();
  }

  pause(): void {
    this.#paused ??= [];
    this.#world.log(() => `${this.id} is stopped`);
  }

  resume(): void {
    const due = this.#paused ?? [];
    this.#paused = undefined;
    this.#world.log(() => `${this.id} goes on`);
    for (const action of due) action();
  }

  receive(message: RaftMessage): void {
    this.#run((raft) => {
      if (this.#restoring !== undefined && message.type === "append") return;
      if (message.type === "timeout_now") this.#askedInTerm = message.term;
      if (message.type === "pre_vote_reply" && message.granted) {
        const promised = this.#promises.get(message.term) ?? new Set();
        this.#promises.set(message.term, promised.add(message.from));
      }
      raft.step(message, this.nowMs);
    });
  }

  /** `done` gets the place, or undefined if it is unknown or there will be none. */
  propose(command: Uint8Array, done: (index: number | undefined) => void): void {
    this.#run((raft) => {
      const outcome = raft.propose([command]);
      if (outcome.ok) this.#place(outcome.position, done);
      else done(undefined);
    });
  }

  #place({ index, term }: Position, done: (index: number | undefined) => void): void {
    this.#proposals.get(index)?.done(undefined);
    this.#proposals.set(index, { term, done });
  }

  /** `done` gets the place that the state is read at. */
  read(done: (index: number | undefined) => void): void {
    this.#run((raft) => {
      const context = this.#nextRead++;
      if (raft.readIndex(context, this.nowMs)) this.#reads.set(context, { index: undefined, done });
      else done(undefined);
    });
  }

  /** Anything else that asks something of the core. */
  act(action: (raft: Raft) => void): void {
    this.#run(action);
  }

  /** Takes in a snapshot that arrives over the given time. */
  receiveSnapshot(
    message: Snapshot,
    state: MachineState,
    takesMs: number,
    done: (ok: boolean) => void,
  ): void {
    if (this.raft === undefined) {
      done(false);
      return;
    }
    this.#arriving.add(done);
    this.#run((raft) => {
      this.#arriving.delete(done);
      if (this.#restoring !== undefined || this.#isLogBehind(raft)) return done(false);
      if (!raft.wantsSnapshot(message)) {
        raft.step(message, this.nowMs);
        return done(true);
      }
      this.#restoring = [];
      this.#restore = message.snapshot;
      this.#restoreDone = done;
      this.#later(takesMs, () => this.#run((later) => this.#restored(later, message, state)));
    });
  }

  /** As in `ReplicaSnapshots`. */
  #isLogBehind(raft: Raft): boolean {
    const { store } = this;
    return raft.firstIndex !== store.start().index + 1 || store.lastIndex() < this.#machine.index;
  }

  #restored(raft: Raft, message: Snapshot, state: MachineState): void {
    const deferred = this.#restoring ?? [];
    this.#restoring = undefined;
    this.#machine = state;
    this.store.machine = state;
    const { index, term } = message.snapshot;
    const isHeld = index <= raft.commitIndex || this.#entries.get(index)?.term === term;
    raft.restored(message.snapshot);
    if (!isHeld) {
      this.#entries = new Map();
      this.#checkedCommit = index;
    }
    this.#apply(
      raft,
      deferred.filter((entry) => entry.index > index),
    );
    raft.step(message, this.nowMs);
    this.#restoreDone?.(true);
    this.#restoreDone = undefined;
  }

  /** Makes the machine durable and drops the log before it, but for a few entries. */
  compact(keep: number): void {
    this.#run((raft) => {
      if (this.#restoring !== undefined || this.#isLogBehind(raft)) return;
      this.store.machine = this.#machine;
      const index = Math.min(this.#machine.index - keep, raft.compactionLimit);
      const term = this.store.termAt(index);
      if (index <= this.store.start().index || term === undefined) return;
      this.store.compact(index, term, raft.membershipAt(index));
      raft.compacted(index);
    });
  }

  #tickLater(): void {
    const { prng, events } = this.#world;
    const life = this.#life;
    const lateMs = prng.chance(0.1) ? prng.float() * 30 : 0;
    events.after(this.#config.tickMs / this.hardware.clockRate + lateMs, () => {
      if (life !== this.#life) return;
      this.#run((raft) => {
        raft.tick(this.nowMs);
        // Only when it runs again: a stopped process owes no ticks.
        if (life === this.#life) this.#tickLater();
      });
    });
  }

  #later(delayMs: number, action: () => void): void {
    const life = this.#life;
    this.#world.events.after(delayMs, () => {
      if (life === this.#life) action();
    });
  }

  /** Runs now, or when the stopped process goes on; not at all when it is down. */
  #run(action: (raft: Raft) => void): void {
    const { raft } = this;
    if (raft === undefined) return;
    if (this.#paused !== undefined) {
      const life = this.#life;
      this.#paused.push(() => {
        if (life === this.#life) this.#run(action);
      });
      return;
    }
    action(raft);
    this.#pump();
  }

  #pump(): void {
    const { raft } = this;
    if (raft === undefined) return;
    for (let count = 0; raft.hasReady && raft === this.raft; count++) {
      if (count > 1000) throw new Violation(`node ${this.id} never comes to rest`);
      this.#carryOut(raft, raft.ready());
    }
    this.#checkCommit(raft);
  }

  #carryOut(raft: Raft, ready: Ready): void {
    const { log, checker, prng } = this.#world;
    this.#mirror(ready);
    if (ready.softState !== undefined) {
      const { role, term } = ready.softState;
      log(() => `${this.id} is ${role} in term ${term}`);
      if (role === "candidate" && this.#askedInTerm !== term - 1) {
        checker.stands(this.id, term, raft.membership, this.#promises.get(term) ?? new Set());
      }
      if (role === "leader") {
        checker.leads(this.id, term);
        checker.completes(this.id, term, raft.firstIndex, (index) => this.#entries.get(index)?.term);
      }
    }
    for (const message of ready.messages) this.#send(message);
    this.#write(ready);
    if (ready.committed.length > 0) {
      const delayMs = prng.chance(0.2) ? prng.float() * 20 : 0;
      if (delayMs === 0 && this.#machine.index + 1 === ready.committed[0]?.index) {
        this.#applyOrDefer(raft, ready.committed);
      } else this.#applyLater(ready.committed, delayMs);
    }
    for (const { context, index } of ready.readStates) {
      const read = this.#reads.get(context);
      if (read !== undefined) read.index = index;
    }
    this.#answerReads();
    for (const context of ready.abortedReads) {
      this.#reads.get(context)?.done(undefined);
      this.#reads.delete(context);
    }
  }

  #mirror(ready: Ready): void {
    const first = ready.entries[0];
    if (first === undefined) return;
    for (let index = first.index; this.#entries.delete(index); index++);
    for (const entry of ready.entries) {
      this.#world.checker.appended(this.id, entry, this.#entries.get(entry.index - 1)?.term);
      this.#entries.set(entry.index, entry);
    }
  }

  #send(message: RaftMessage): void {
    if (message.type === "snapshot") this.#world.sendSnapshot(this, message);
    else this.#world.send(message);
  }

  #write(ready: Ready): void {
    this.#writes.push({ ready, write: ready });
    if (this.#writes.length === 1) this.#writeNext();
  }

  #writeNext(): void {
    const next = this.#writes[0];
    if (next === undefined) return;
    const { diskMs } = this.hardware;
    const delayMs = next.ready.mustSync ? diskMs * (0.5 + this.#world.prng.float()) : 0;
    this.#later(delayMs, () => this.#written(next));
  }

  #written(pending: PendingWrite): void {
    this.store.write(pending.write);
    // A later restore may already be under way.
    if (pending.write.snapshot?.index === this.#restore?.index) this.#restore = undefined;
    this.#writes.shift();
    this.#writeNext();
    this.#run((raft) => {
      raft.persisted(pending.ready.number, this.nowMs);
      for (const message of pending.ready.messagesAfterPersist) this.#send(message);
    });
  }

  #applyLater(entries: readonly Entry[], delayMs: number): void {
    const life = this.#life;
    this.#applyQueue = [...this.#applyQueue.filter((entry) => entry.index > this.#machine.index), ...entries];
    this.#world.events.after(delayMs, () => {
      if (life !== this.#life) return;
      this.#run((raft) => {
        const due = this.#applyQueue;
        this.#applyQueue = [];
        this.#applyOrDefer(raft, due);
        this.#answerReads();
      });
    });
  }

  #applyOrDefer(raft: Raft, entries: readonly Entry[]): void {
    if (this.#restoring !== undefined) this.#restoring.push(...entries);
    else this.#apply(raft, entries);
  }

  #apply(raft: Raft, entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index <= this.#machine.index) continue;
      if (entry.index !== this.#machine.index + 1) throw new Error("applied with a gap");
      const digest = crc32(toUtf8(`${entry.index} ${hashOf(entry)}`), this.#machine.digest);
      this.#machine = { index: entry.index, digest };
      this.#world.checker.applied(this.id, entry.index, digest);
      const proposal = this.#proposals.get(entry.index);
      this.#proposals.delete(entry.index);
      proposal?.done(proposal.term === entry.term ? entry.index : undefined);
      raft.applied(entry.index);
    }
  }

  #answerReads(): void {
    for (const [context, { index, done }] of this.#reads) {
      if (index === undefined || index > this.#machine.index) continue;
      this.#reads.delete(context);
      done(this.#machine.index);
    }
  }

  #checkCommit(raft: Raft): void {
    for (; this.#checkedCommit < raft.commitIndex; this.#checkedCommit++) {
      const entry = this.#entries.get(this.#checkedCommit + 1);
      if (entry !== undefined) this.#world.checker.committed(this.id, raft.term, entry);
    }
  }
}
