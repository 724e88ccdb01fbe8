import { assert, concatBytes, defined, fromUtf8, toUtf8 } from "../../../src/base/index.js";
import type { Kv } from "../../../src/io/index.js";
import {
  type AppliedEntry,
  type OpenSnapshot,
  type RaftTransport,
  REPLICA_DEFAULTS,
  Replica,
  type ReplicaConfig,
  type StateMachine,
} from "../../../src/mds/replica.js";
import { type RaftId, type RaftMessage, raftId, type Snapshot } from "../../../src/raft/index.js";
import { type SimHost, SimWorld } from "../../sim/world/index.js";

const STATE = toUtf8("state");

/** A list of the commands applied, written to its own store without syncs, as the real state machine does. */
export class ListMachine implements StateMachine {
  readonly #kv: Kv;
  #index = 0;
  commands: string[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor(kv: Kv) {
    this.#kv = kv;
    const bytes = kv.get(STATE);
    if (bytes !== undefined) this.#take(bytes);
  }

  #take(bytes: Uint8Array): void {
    const state = JSON.parse(fromUtf8(bytes)) as { index: number; commands: string[] };
    this.#index = state.index;
    this.commands = state.commands;
  }

  #bytes(): Uint8Array {
    return toUtf8(JSON.stringify({ index: this.#index, commands: this.commands }));
  }

  appliedIndex(): number {
    return this.#index;
  }

  apply(entries: readonly AppliedEntry[]): unknown[] {
    const results = entries.map(({ index, data }) => {
      assert(index === this.#index + 1, "entries are applied without gaps");
      this.#index = index;
      if (data.length === 0) return undefined;
      this.commands.push(fromUtf8(data));
      return `${fromUtf8(data)}!`;
    });
    void this.#write(false);
    return results;
  }

  async #write(sync: boolean): Promise<void> {
    const change = { type: "put", key: STATE, value: this.#bytes() } as const;
    this.#writing = this.#kv.batch([change], { sync, label: "test.state" });
    this.#writing.catch(() => {
      // The process is dying.
    });
    await this.#writing;
  }

  async persistUpTo(): Promise<number> {
    const index = this.#index;
    await this.#write(true);
    return index;
  }

  async openSnapshot(): Promise<OpenSnapshot> {
    const bytes = this.#bytes();
    const half = bytes.length >> 1;
    async function* parts(): AsyncGenerator<Uint8Array> {
      yield bytes.subarray(0, half);
      yield bytes.subarray(half);
    }
    return { index: this.#index, term: this.termOf(this.#index), bytes: parts() };
  }

  /** Set by the group: the machine of a test does not remember terms. */
  termOf: (index: number) => number = () => 0;

  async restoreSnapshot(index: number, _term: number, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const part of bytes) parts.push(part);
    this.#take(concatBytes(...parts));
    assert(this.#index === index, "a snapshot is of the index it says");
    await this.#write(true);
  }
}

/** One member on its host. */
export interface Member {
  readonly id: RaftId;
  readonly host: SimHost;
  replica: Replica;
  machine: ListMachine;
  /** What the replica told its owner when it halted. */
  failures: unknown[];
}

class Link implements RaftTransport {
  readonly #group: ReplicaGroup;
  readonly id: RaftId;
  message: ((message: RaftMessage) => void) | undefined;
  snapshot: ((message: Snapshot, bytes: AsyncIterable<Uint8Array>) => Promise<void>) | undefined;
  #members: ReadonlySet<RaftId> = new Set();

  constructor(group: ReplicaGroup, id: RaftId) {
    this.#group = group;
    this.id = id;
  }

  send(to: RaftId, messages: readonly RaftMessage[]): void {
    if (this.#members.has(to)) this.#group.deliver(this.id, to, messages);
  }

  async sendSnapshot(to: RaftId, message: Snapshot, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#group.deliverSnapshot(this.id, to, message, bytes);
  }

  onMessage(handler: (message: RaftMessage) => void): void {
    this.message = handler;
  }

  onSnapshot(handler: (message: Snapshot, bytes: AsyncIterable<Uint8Array>) => Promise<void>): void {
    this.snapshot = handler;
  }

  setMembers(members: readonly { readonly id: RaftId }[]): void {
    this.#members = new Set(members.map((member) => member.id));
  }
}

/** Replicas on simulated hosts, with a network of their own that tests can cut. */
export class ReplicaGroup {
  readonly world: SimWorld;
  readonly members: Member[] = [];
  readonly #config: Partial<ReplicaConfig>;
  readonly #links = new Map<RaftId, Link>();
  /** Hosts that nobody reaches. */
  readonly cut = new Set<RaftId>();
  snapshotCount = 0;
  readonly #terms = new Map<number, number>();

  constructor(seed: number, config: Partial<ReplicaConfig> = {}) {
    this.world = new SimWorld({ seed });
    this.#config = config;
  }

  /** A group of that many voters, ready to work. */
  static async create(
    seed: number,
    size: number,
    config: Partial<ReplicaConfig> = {},
  ): Promise<ReplicaGroup> {
    const group = new ReplicaGroup(seed, config);
    const first = await group.add({ bootstrap: true });
    await group.until(() => first.replica.isLeader, "the first leader");
    await group.run(first.replica.readBarrier(), "the first commit");
    while (group.members.length < size) await group.grow();
    return group;
  }

  /** Adds a member by the leader: learner first, then voter. */
  async grow(): Promise<Member> {
    const leader = this.leader;
    const member = await this.add({ bootstrap: false });
    await this.run(leader.replica.addLearner(member.id, `n${member.id}`), "the learner");
    const isReady = (): boolean =>
      leader.replica.status().members.some(({ id, isCaughtUp }) => id === member.id && isCaughtUp);
    await this.until(isReady, "the learner to catch up");
    await this.run(leader.replica.promote(member.id), "the vote");
    return member;
  }

  async add({ bootstrap }: { bootstrap: boolean }): Promise<Member> {
    const id = raftId(this.members.length + 1);
    const host = this.world.addHost(`n${id}`);
    if (bootstrap) {
      const kv = await this.run(host.disk.openKv("/raft", "test.open"), "the store");
      await this.run(Replica.bootstrap({ kv }, id, `n${id}`), "the genesis");
      await this.run(kv.close(), "closing");
    }
    const { replica, machine, failures } = await this.#open(id, host);
    const member: Member = { id, host, replica, machine, failures };
    this.members.push(member);
    return member;
  }

  async #open(
    id: RaftId,
    host: SimHost,
  ): Promise<{ replica: Replica; machine: ListMachine; failures: unknown[] }> {
    const kv = await this.run(host.disk.openKv("/raft", "test.open"), "the log");
    const machine = new ListMachine(await this.run(host.disk.openKv("/state", "test.open"), "the state"));
    machine.termOf = (index) => this.#terms.get(index) ?? 1;
    const link = new Link(this, id);
    this.#links.set(id, link);
    const peers = [...this.#links.keys()].map((peer) => ({
      id: peer,
      address: `n${peer}`,
      role: "voter" as const,
    }));
    const config = { ...REPLICA_DEFAULTS, id, peers, ...this.#config };
    const replica = new Replica(config, { clock: host.clock, kv, random: host.random }, machine, link);
    const failures: unknown[] = [];
    replica.onFailure((failure) => failures.push(failure));
    await this.run(replica.start(), "the start");
    return { replica, machine, failures };
  }

  /** Begins a new life of a member that was killed. */
  async restart(member: Member): Promise<void> {
    member.host.restart();
    Object.assign(member, await this.#open(member.id, member.host));
  }

  get leader(): Member {
    const leaders = this.members.filter(({ replica, host }) => host.isAlive && replica.isLeader);
    const latest = leaders.sort((a, b) => b.replica.term - a.replica.term)[0];
    return defined(latest, "somebody leads");
  }

  get followers(): Member[] {
    const { leader } = this;
    return this.members.filter((member) => member !== leader);
  }

  /** Waits until one of the reachable members leads. */
  async elected(): Promise<Member> {
    const leads = ({ id, host, replica }: Member): boolean =>
      host.isAlive && replica.isLeader && !this.cut.has(id);
    await this.until(() => this.members.some(leads), "a leader");
    return defined(this.members.find(leads), "just seen");
  }

  propose(member: Member, command: string): Promise<unknown> {
    return member.replica.propose(toUtf8(command));
  }

  run<T>(promise: Promise<T>, what: string): Promise<T> {
    return this.world.simulator.run(promise, what, { timeoutMs: 60_000 });
  }

  until(condition: () => boolean, what: string): Promise<void> {
    return this.world.simulator.runUntil(condition, what, { timeoutMs: 60_000 });
  }

  deliver(from: RaftId, to: RaftId, messages: readonly RaftMessage[]): void {
    for (const message of messages) {
      if (message.type !== "append") continue;
      for (const { index, term } of message.entries) this.#terms.set(index, term);
    }
    if (this.cut.has(from) || this.cut.has(to)) return;
    this.world.simulator.schedule(`n${to}`, "messages", 0.2, () => {
      if (!this.members[to - 1]?.host.isAlive) return;
      for (const message of messages) this.#links.get(to)?.message?.(message);
    });
  }

  async deliverSnapshot(
    from: RaftId,
    to: RaftId,
    message: Snapshot,
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    if (this.cut.has(from) || this.cut.has(to)) throw new Error("cut off");
    this.snapshotCount++;
    const target = defined(this.members[to - 1], "snapshots go to members");
    await new Promise<void>((resolve, reject) => {
      target.host.onDeath(() => reject(new Error("the receiver died")));
      this.#links.get(to)?.snapshot?.(message, bytes).then(resolve, reject);
    });
  }
}
