import { Prng, toUtf8 } from "../../../src/base/index.js";
import type {
  Member,
  Membership,
  RaftConfig,
  RaftId,
  RaftMessage,
  Snapshot,
} from "../../../src/raft/index.js";
import { Checker, Violation } from "./checker.js";
import { EventQueue } from "./event-queue.js";
import { drawFaults, type Faults } from "./faults.js";
import { type RaftModule, SimNode } from "./sim-node.js";
import { SimStore } from "./sim-store.js";

/** How long the healed group may take to work again. */
const HEALED_MS = 3_000;

/** What a run has seen, to show that it was worth something. */
export interface Tally {
  writes: number;
  reads: number;
  elections: number;
  crashes: number;
  snapshots: number;
  memberships: number;
  transfers: number;
}

/** A whole group on virtual time with faults drawn from the seed. Throws a `Violation`, or whatever the core throws. */
export class Group {
  readonly tally: Tally = {
    writes: 0,
    reads: 0,
    elections: 0,
    crashes: 0,
    snapshots: 0,
    memberships: 0,
    transfers: 0,
  };
  readonly #raft: RaftModule;
  readonly #prng: Prng;
  readonly #events = new EventQueue();
  readonly #checker = new Checker();
  readonly #nodes = new Map<RaftId, SimNode>();
  readonly #faults: Faults;
  readonly #trace: ((line: string) => void) | undefined;
  /** Groups that cannot reach each other: the side of each node. */
  #sides = new Map<RaftId, number>();
  /** Only messages from lower to higher sides get lost. */
  #isOneWay = false;
  #isHealed = false;
  #nextId = 1;
  #nextCommand = 1;

  constructor(raft: RaftModule, seed: number, trace?: (line: string) => void) {
    this.#raft = raft;
    this.#prng = new Prng(seed);
    this.#faults = drawFaults(this.#prng);
    this.#trace = trace;
    this.#log(() => `faults ${JSON.stringify(this.#faults)}`);
    const count = this.#faults.nodeCount;
    const members: Member[] = [];
    for (; this.#nextId <= count; this.#nextId++) {
      members.push({ id: raft.raftId(this.#nextId), address: `n${this.#nextId}`, role: "voter" });
    }
    for (const { id } of members) this.#addNode(id, { members }).start();
  }

  run(): void {
    for (let client = 0; client < this.#faults.clientCount; client++) this.#clientLater();
    this.#nemesisLater();
    const { faultyMs } = this.#faults;
    this.#events.runUntil(faultyMs);
    this.#heal();
    this.#events.runUntil(faultyMs + HEALED_MS);
    this.#requireAgreement();
  }

  #log(line: () => string): void {
    this.#trace?.(`${this.#events.nowMs.toFixed(1).padStart(8)} ${line()}`);
  }

  #addNode(id: RaftId, genesis: Membership | undefined): SimNode {
    const { raft } = this;
    const { tickMs } = raft.RAFT_DEFAULTS;
    const config: RaftConfig = {
      ...raft.RAFT_DEFAULTS,
      id,
      maxMessageBytes: this.#faults.maxMessageBytes,
      maxInflight: this.#faults.maxInflight,
      caughtUpEntries: 8,
    };
    const first = { index: 1, term: 1, type: "membership" } as const;
    const entries = genesis === undefined ? [] : [{ ...first, data: raft.encodeMembership(genesis) }];
    const state = { term: entries.length, vote: undefined, commit: entries.length };
    const store = new SimStore({ index: 0, term: 0, membership: raft.NO_MEMBERS }, entries, state);
    const drift = raft.RAFT_DEFAULTS.clockDrift / 3;
    const hardware = {
      diskMs: this.#faults.diskMs * (0.5 + this.#prng.float()),
      clockRate: 1 - drift + 2 * drift * this.#prng.float(),
    };
    const node = new SimNode(config, hardware, store, {
      raft,
      prng: this.#prng,
      events: this.#events,
      checker: this.#checker,
      send: (message) => this.#send(message, tickMs),
      sendSnapshot: (from, message) => this.#sendSnapshot(from, message),
      log: (line) => this.#log(line),
    });
    this.#nodes.set(id, node);
    return node;
  }

  private get raft(): RaftModule {
    return this.#raft;
  }

  // Network.

  #isCut(from: RaftId, to: RaftId): boolean {
    const a = this.#sides.get(from) ?? 0;
    const b = this.#sides.get(to) ?? 0;
    return this.#isOneWay ? a < b : a !== b;
  }

  #send(message: RaftMessage, tickMs: number): void {
    const prng = this.#prng;
    if (message.type === "pre_vote" || message.type === "vote") this.tally.elections++;
    if (this.#isCut(message.from, message.to) || prng.chance(this.#isHealed ? 0 : this.#faults.loss)) return;
    const copies = !this.#isHealed && prng.chance(this.#faults.duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const isStraggler = !this.#isHealed && prng.chance(this.#faults.straggling);
      const delayMs =
        (this.#isHealed ? 1 : this.#faults.delayMs) * (0.2 + prng.float()) +
        (isStraggler ? prng.float() * 40 * tickMs : 0);
      this.#events.after(delayMs, () => {
        this.#log(() => describe(message));
        this.#nodes.get(message.to)?.receive(message);
      });
    }
  }

  #sendSnapshot(from: SimNode, message: Snapshot): void {
    const { id } = from;
    const state = from.machine;
    const delayMs = 20 + this.#prng.float() * 400;
    const isLost = this.#isCut(id, message.to) || (!this.#isHealed && this.#prng.chance(0.3));
    const ended = (ok: boolean): void => {
      this.#events.after(10, () => from.act((raft) => raft.snapshotEnded(message.to, ok)));
    };
    from.act((raft) => {
      const { index } = state;
      const term = from.store.termAt(index) ?? this.#termOf(from, index);
      const snapshot = { index, term, membership: raft.membershipAt(index) };
      raft.snapshotOpened(message.to, index);
      const target = this.#nodes.get(message.to);
      if (isLost || target === undefined || !target.isUp) return ended(false);
      this.tally.snapshots++;
      this.#log(() => `${id} sends a snapshot at ${index} to ${message.to}`);
      this.#events.after(this.#faults.delayMs, () =>
        target.receiveSnapshot({ ...message, snapshot }, state, delayMs, ended),
      );
    });
  }

  #termOf(node: SimNode, index: number): number {
    throw new Error(`node ${node.id} has applied ${index} but does not hold it`);
  }

  // Clients.

  #clientLater(): void {
    const thinkMs = this.#isHealed ? 300 : this.#faults.thinkMs;
    this.#events.after(5 + this.#prng.float() * thinkMs, () => this.#clientActs());
  }

  #clientActs(): void {
    const node = this.#chooseServer();
    let isOver = false;
    const finish = (): boolean => {
      if (isOver) return false;
      isOver = true;
      this.#clientLater();
      return true;
    };
    this.#events.after(50 + this.#prng.float() * 800, finish);
    if (node === undefined) return;
    const floor = this.#checker.floor;
    const isRead = this.#prng.chance(0.5);
    const done = (index: number | undefined): void => {
      // Answers that come after the client gave up are answers all the same.
      if (index !== undefined) this.#checker.completed(isRead ? "read" : "write", floor, index);
      if (index !== undefined) this.tally[isRead ? "reads" : "writes"]++;
      finish();
    };
    if (isRead) node.read(done);
    else node.propose(toUtf8(`${this.#nextCommand++}${"x".repeat(this.#prng.below(200))}`), done);
  }

  /** Mostly somebody who believes to lead: there may be several, and the stale one is the interesting one. */
  #chooseServer(): SimNode | undefined {
    const up = [...this.#nodes.values()].filter((node) => node.isUp);
    const leaders = up.filter((node) => node.raft?.role === "leader");
    const candidates = leaders.length > 0 && this.#prng.chance(0.95) ? leaders : up;
    return candidates.length === 0 ? undefined : this.#prng.pick(candidates);
  }

  // What goes wrong.

  #nemesisLater(): void {
    this.#events.after(this.#prng.float() * 2 * this.#faults.nemesisMs, () => {
      if (this.#isHealed) return;
      this.#nemesisActs();
      this.#nemesisLater();
    });
  }

  #nemesisActs(): void {
    const act = this.#prng.pick(this.#faults.kinds);
    const node = this.#prng.chance(this.#faults.leaderBias)
      ? this.#leader()
      : this.#prng.pick([...this.#nodes.values()]);
    if (node === undefined) return;
    switch (act) {
      case "crash":
        this.#crash([node]);
        break;
      case "power":
        this.#crash(this.#prng.shuffle([...this.#nodes.values()]).slice(this.#prng.below(2)));
        break;
      case "pause":
        this.#pause(node);
        break;
      case "partition":
        this.#partition(node);
        break;
      case "slow_disk":
        node.hardware.diskMs = this.#prng.chance(0.5)
          ? this.#faults.diskMs
          : Math.min(500, this.#faults.diskMs * 20);
        break;
      case "compact":
        node.compact(this.#prng.below(6));
        break;
      case "transfer":
        this.#transfer();
        break;
      case "membership":
        this.#changeMembership();
        break;
    }
  }

  #leader(): SimNode | undefined {
    return [...this.#nodes.values()].find((node) => node.raft?.role === "leader");
  }

  #crash(victims: readonly SimNode[]): void {
    for (const victim of victims) {
      if (!victim.isUp) continue;
      this.tally.crashes++;
      victim.crash();
      const downMs = this.#prng.float() * (this.#prng.chance(0.5) ? 100 : 2000);
      this.#events.after(downMs, () => {
        if (!victim.isUp) victim.start();
      });
    }
  }

  #pause(node: SimNode): void {
    if (!node.isUp || node.isPaused) return;
    node.pause();
    this.#events.after(this.#prng.float() * 1500, () => {
      if (node.isPaused) node.resume();
    });
  }

  #partition(node: SimNode): void {
    this.#isOneWay = this.#prng.chance(0.3);
    const isAlone = this.#prng.chance(Math.max(0.5, this.#faults.leaderBias));
    const sideOf = (id: RaftId): number => (isAlone ? Number(id === node.id) : this.#prng.below(2));
    this.#sides = new Map([...this.#nodes.keys()].map((id) => [id, sideOf(id)]));
    this.#log(() => `partition ${[...this.#sides].map(([id, side]) => `${id}:${side}`).join(" ")}`);
    this.#events.after(this.#prng.float() * 2000, () => {
      this.#sides = new Map();
    });
  }

  #transfer(): void {
    const leader = this.#leader();
    const raft = leader?.raft;
    if (leader === undefined || raft === undefined) return;
    const target = this.#prng.pick(raft.membership.members).id;
    leader.act((core) => {
      if (core.transferLeadership(target) === undefined) this.tally.transfers++;
    });
  }

  #changeMembership(): void {
    const leader = this.#leader();
    const raft = leader?.raft;
    if (leader === undefined || raft === undefined) return;
    const { members } = raft.membership;
    const learner = members.find((member) => member.role === "learner");
    leader.act((core) => {
      const isLearnerReady = learner !== undefined && this.#prng.chance(0.8);
      if (isLearnerReady) this.#count(core.proposeMembership({ type: "promote", id: learner.id }).ok);
      else if (members.length < 7 && this.#prng.chance(0.5)) this.#grow(leader);
      else if (members.length > 1) {
        const { id } = this.#prng.pick(members);
        this.#count(core.proposeMembership({ type: "remove", id }).ok);
      }
    });
  }

  #grow(leader: SimNode): void {
    const id = this.raft.raftId(this.#nextId++);
    this.#addNode(id, undefined).start();
    leader.act((core) => {
      this.#count(core.proposeMembership({ type: "add_learner", id, address: `n${id}` }).ok);
    });
  }

  #count(isTaken: boolean): void {
    if (isTaken) this.tally.memberships++;
  }

  // The end.

  #heal(): void {
    this.#isHealed = true;
    this.#sides = new Map();
    for (const node of this.#nodes.values()) {
      node.hardware.diskMs = 1;
      if (node.isPaused) node.resume();
      if (!node.isUp) node.start();
    }
    this.#log(() => "healed");
  }

  /** A healed group has one leader, goes on, and its members hold the same. */
  #requireAgreement(): void {
    const leaders = [...this.#nodes.values()].filter((node) => node.raft?.role === "leader");
    const leader = leaders[0];
    if (leaders.length !== 1 || leader?.raft === undefined) {
      throw new Violation(`liveness: ${leaders.length} leaders after healing`);
    }
    const before = this.#checker.floor;
    const end = this.#events.nowMs;
    leader.propose(toUtf8("last"), (index) => {
      if (index !== undefined) this.#checker.completed("write", before, index);
    });
    this.#events.runUntil(end + 2000);
    if (this.#checker.floor <= before) throw new Violation("liveness: no write succeeds after healing");
    for (const { id } of leader.raft.membership.members) {
      const node = this.#nodes.get(id);
      if (node === undefined || node.machine.index < this.#checker.floor - 32) {
        throw new Violation(`liveness: member ${id} is at ${node?.machine.index} of ${this.#checker.floor}`);
      }
    }
  }
}

function describe(message: RaftMessage): string {
  const { type, from, to, term, ...rest } = message;
  const fields = JSON.stringify(rest, (key, value) =>
    key === "entries"
      ? (value as { index: number; term: number }[]).map((e) => `${e.index}/${e.term}`)
      : value,
  );
  return `${from}>${to} ${type} t${term} ${fields}`;
}
