import { Prng, type StorageError, storageError } from "../base/index.js";
import { type Member, type MembershipChange, memberOf, Raft, type RaftId, votersOf } from "../raft/index.js";
import type {
  Leadership,
  RaftTransport,
  ReplicaConfig,
  ReplicaStatus,
  ReplicaWorld,
  StateMachine,
} from "./replica-api.js";
import { ReplicaLoop } from "./replica-loop.js";
import { refusalError } from "./replica-refusals.js";
import { RaftLogStore } from "./store/raft-log.js";

export type {
  AppliedEntry,
  Leadership,
  MemberStatus,
  OpenSnapshot,
  RaftTransport,
  ReplicaConfig,
  ReplicaLog,
  ReplicaStatus,
  ReplicaWorld,
  StateMachine,
} from "./replica-api.js";
export { REPLICA_DEFAULTS } from "./replica-api.js";

/**
 * One member of the replicated group, as the metadata server uses it. `ReplicaLoop` does the work; here are the
 * questions and answers.
 */
export class Replica {
  readonly #config: ReplicaConfig;
  readonly #world: ReplicaWorld;
  readonly #machine: StateMachine;
  readonly #transport: RaftTransport;
  readonly #leadershipHandlers: ((leadership: Leadership) => void)[] = [];
  readonly #membersHandlers: ((members: readonly Member[]) => void)[] = [];
  readonly #failureHandlers: ((error: unknown) => void)[] = [];
  #running: { readonly raft: Raft; readonly loop: ReplicaLoop } | undefined;

  constructor(config: ReplicaConfig, world: ReplicaWorld, machine: StateMachine, transport: RaftTransport) {
    this.#config = config;
    this.#world = world;
    this.#machine = machine;
    this.#transport = transport;
  }

  /** Makes a new store the first and only member of a new group. Refuses if the store holds anything. */
  static async bootstrap(world: Pick<ReplicaWorld, "kv">, id: RaftId, address: string): Promise<void> {
    await RaftLogStore.bootstrap(world.kv, id, address);
  }

  /**
   * Recovers the log and begins to take part. A new store that was not bootstrapped waits until a leader adds it.
   * Fails with `log_corrupt` if something that was promised is not there.
   */
  async start(): Promise<void> {
    const { kv, random, log } = this.#world;
    const applied = this.#machine.appliedIndex();
    const store = await RaftLogStore.open(kv, applied);
    if (store.truncatedCount > 0) {
      log?.warn("cut a torn tail off the Raft log", { entryCount: store.truncatedCount });
    }
    const { hardState, history } = store;
    const raft = new Raft(
      this.#config,
      { reader: store, hardState, history, applied },
      new Prng(random.uint32()),
    );
    const loop = new ReplicaLoop({
      config: this.#config,
      world: this.#world,
      machine: this.#machine,
      transport: this.#transport,
      raft,
      store,
      events: {
        leadershipChanged: (leadership) => {
          for (const handler of this.#leadershipHandlers) handler(leadership);
        },
        membersChanged: (members) => {
          for (const handler of this.#membersHandlers) handler(members);
        },
        failed: (error) => {
          for (const handler of this.#failureHandlers) handler(error);
        },
      },
    });
    this.#running = { raft, loop };
    loop.start();
  }

  /**
   * Takes part no more; resolves when nothing is being written any more and the store is closed. Whoever waits gets
   * `closed`. A leader that leaves in good order calls `transferLeadership` first.
   */
  async close(): Promise<void> {
    await this.#running?.loop.close();
    await this.#world.kv.close();
  }

  /**
   * Replicates a command (not empty). Resolves with the state machine's result once applied here. Fails with
   * `not_leader` or `busy` if it surely has no effect, with `unavailable`, `closed` or `cancelled` if the outcome
   * is unknown.
   */
  propose(data: Uint8Array, signal?: AbortSignal): Promise<unknown> {
    return this.#ask((resolve, reject, _raft, { proposals }) => {
      if (proposals.count >= this.#config.maxWaiting) {
        return reject(storageError("busy", "too many proposals are waiting"));
      }
      if (signal?.aborted === true) return reject(storageError("cancelled"));
      const proposal = { data, resolve, reject };
      proposals.enqueue(proposal);
      const cancel = (): void => {
        proposals.withdraw(proposal);
        reject(storageError("cancelled", "the outcome of the proposal is unknown"));
      };
      signal?.addEventListener("abort", cancel, { once: true });
    });
  }

  /**
   * Resolves at a moment at which everything that anybody was told before the call is applied here: what is read from
   * the state machine then is linearizable. Fails with `not_leader` on others than the leader.
   */
  async readBarrier(): Promise<void> {
    await this.#ask<void>((resolve, reject, _raft, { reads }) => {
      if (reads.count >= this.#config.maxWaiting) {
        return reject(storageError("busy", "too many reads are waiting"));
      }
      reads.add({ resolve, reject });
    });
  }

  get isLeader(): boolean {
    return this.#running?.raft.role === "leader";
  }

  get term(): number {
    return this.#running?.raft.term ?? 0;
  }

  /** Who leads in this term, as far as this node knows. */
  leader(): Member | undefined {
    const raft = this.#running?.raft;
    return raft?.leaderId === undefined ? undefined : memberOf(raft.membership, raft.leaderId);
  }

  /** The membership in effect. */
  members(): readonly Member[] {
    return this.#running?.raft.membership.members ?? [];
  }

  /** Called whenever this node's leadership, the term or the known leader changed. */
  onLeadershipChange(handler: (leadership: Leadership) => void): void {
    this.#leadershipHandlers.push(handler);
  }

  /** Called whenever the membership in effect changed, and at start. A node that is missing in it was removed. */
  onMembersChange(handler: (members: readonly Member[]) => void): void {
    this.#membersHandlers.push(handler);
  }

  /** Called once if the replica had to halt. The process should report it and exit. */
  onFailure(handler: (error: unknown) => void): void {
    this.#failureHandlers.push(handler);
  }

  /** Lets a new node receive the log. Resolves when committed. */
  addLearner(id: RaftId, address: string): Promise<void> {
    return this.#changeMembers({ type: "add_learner", id, address });
  }

  /** Gives a learner that has caught up (see `status`) a vote; `busy` if it has not. */
  promote(id: RaftId): Promise<void> {
    return this.#changeMembers({ type: "promote", id });
  }

  /** Takes a member out of the group, also this one (which then stops to lead). */
  removeMember(id: RaftId): Promise<void> {
    return this.#changeMembers({ type: "remove", id });
  }

  /** The member is reached elsewhere now. */
  moveMember(id: RaftId, address: string): Promise<void> {
    return this.#changeMembers({ type: "move", id, address });
  }

  async #changeMembers(change: MembershipChange): Promise<void> {
    await this.#ask((resolve, reject, raft, { proposals }) => {
      const outcome = raft.proposeMembership(change);
      if (outcome.ok) proposals.place(outcome.position, { resolve, reject });
      else reject(refusalError(outcome.refusal, raft));
    });
  }

  #ask<T>(
    question: (
      resolve: (value: T) => void,
      reject: (failure: StorageError) => void,
      raft: Raft,
      loop: ReplicaLoop,
    ) => void,
  ): Promise<T> {
    const running = this.#running;
    if (running === undefined || running.loop.stopped.aborted) {
      return Promise.reject(storageError("closed", "the metadata replica is not running"));
    }
    const { raft, loop } = running;
    loop.turnSoon();
    return new Promise<T>((resolve, reject) => question(resolve, reject, raft, loop));
  }

  /**
   * Hands the leadership to that voter, or to the one that is furthest. Resolves when this node does not lead any
   * more, fails with `unavailable` if it stayed the leader.
   */
  async transferLeadership(to?: RaftId): Promise<void> {
    const running = this.#running;
    if (running === undefined || running.loop.stopped.aborted) throw storageError("closed");
    const { raft, loop } = running;
    const { term } = raft;
    const target = to ?? furthestVoter(raft);
    const refusal = target === undefined ? "not_voter" : raft.transferLeadership(target);
    if (refusal !== undefined) throw refusalError(refusal, raft);
    loop.turnSoon();
    while (raft.isTransferring) {
      await this.#world.clock.sleep("raft.transfer", this.#config.tickMs, loop.stopped);
      if (loop.stopped.aborted) throw storageError("closed");
    }
    if (raft.role === "leader" && raft.term === term) {
      throw storageError("unavailable", "the chosen member did not take over");
    }
  }

  /** Time spent with writing the log since the start, in ms. */
  get logTimeMs(): number {
    return this.#running?.loop.logTimeMs ?? 0;
  }

  status(): ReplicaStatus {
    const raft = this.#running?.raft;
    const members = this.members().map(({ id, address, role }) => {
      const { match: matchIndex = 0, isActive = false, isCaughtUp = false } = raft?.progressOf(id) ?? {};
      const snapshotCount = this.#running?.loop.snapshotsSentTo(id) ?? 0;
      return { id, address, role, matchIndex, isActive, isCaughtUp, snapshotCount };
    });
    return {
      id: this.#config.id,
      role: raft?.role ?? "follower",
      isLeader: this.isLeader,
      term: this.term,
      leaderId: raft?.leaderId,
      firstIndex: raft?.firstIndex ?? 0,
      lastIndex: raft?.lastIndex ?? 0,
      commitIndex: raft?.commitIndex ?? 0,
      appliedIndex: raft?.appliedIndex ?? 0,
      members,
    };
  }
}

/** The voter, other than this leader, that has most of the log among those that answer. */
function furthestVoter(raft: Raft): RaftId | undefined {
  const others = votersOf(raft.membership).filter((id) => id !== raft.id);
  const active = others.filter((id) => raft.progressOf(id)?.isActive === true);
  const match = (id: RaftId): number => raft.progressOf(id)?.match ?? 0;
  return active.sort((a, b) => match(b) - match(a))[0];
}
