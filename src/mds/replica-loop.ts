import { failureOf, type StorageError, storageError } from "../base/index.js";
import type { Timer } from "../io/index.js";
import type { Entry, Membership, Raft, RaftId, RaftMessage, Ready, SoftState } from "../raft/index.js";
import { BusyTime } from "../telemetry/index.js";
import type {
  RaftTransport,
  ReplicaConfig,
  ReplicaEvents,
  ReplicaWorld,
  StateMachine,
} from "./replica-api.js";
import { Persister } from "./replica-persister.js";
import { refusalError } from "./replica-refusals.js";
import { ReplicaSnapshots } from "./replica-snapshots.js";
import { ProposalWaiters, ReadWaiters } from "./replica-waiters.js";
import type { RaftLogStore } from "./store/raft-log.js";

/** Readys carried out before others get their turn on this thread. */
const READYS_PER_TURN = 16;

/** What a replica is made of. */
export interface ReplicaParts {
  readonly config: ReplicaConfig;
  readonly world: ReplicaWorld;
  readonly machine: StateMachine;
  readonly transport: RaftTransport;
  readonly raft: Raft;
  readonly store: RaftLogStore;
  readonly events: ReplicaEvents;
}

/**
 * Drives the Raft core with time, messages and proposals, and carries out what it asks for.
 *
 * The order of things is that of `Ready`: messages go out while the disk writes; what promises something waits for
 * the disk; one sync serves everything that came while the last one ran; committed entries are applied meanwhile.
 * Whatever fails here that is not the network (the log cannot be written, the state machine throws) stops the loop
 * for good: it halts rather than lies.
 */
export class ReplicaLoop {
  readonly proposals = new ProposalWaiters();
  readonly reads = new ReadWaiters();
  readonly #parts: ReplicaParts;
  readonly #logTime: BusyTime;
  readonly #persister: Persister;
  readonly #snapshots: ReplicaSnapshots;
  readonly #stop = new AbortController();
  #softState: SoftState | undefined;
  #ticker: Timer | undefined;
  #isTurnDue = false;
  #knownMembers: Membership | undefined;
  #knownPeerCount = 0;

  constructor(parts: ReplicaParts) {
    this.#parts = parts;
    const { raft, store, transport, world } = parts;
    this.#logTime = new BusyTime(world.clock);
    this.#persister = new Persister(store, this.#logTime, {
      persisted: (number, messages) => {
        raft.persisted(number, world.clock.monotonicMs());
        this.#send(messages);
        this.turnSoon();
      },
      failed: (error) => this.#fail(error),
    });
    this.#snapshots = new ReplicaSnapshots(parts, this.#persister, this.#stop.signal, {
      apply: (entries) => this.#guard(() => this.#apply(entries)),
      act: (action) => this.#guard(action),
      turnSoon: () => this.turnSoon(),
      failed: (error) => this.#fail(error),
    });
    transport.onMessage((message) => this.#receive(message));
    transport.onSnapshot((message, bytes) => this.#snapshots.receive(message, bytes));
  }

  /** How many snapshots were begun to be sent to that member in this leadership. */
  snapshotsSentTo(id: RaftId): number {
    return this.#snapshots.sentTo(id);
  }

  /** Time spent with writing the log since the start, in ms. */
  get logTimeMs(): number {
    return this.#logTime.totalMs;
  }

  /** Aborted when the loop has stopped, for whatever reason. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  start(): void {
    this.#followMembers();
    this.#tickLater();
    this.turnSoon();
  }

  /** Resolves when nothing is being written any more. Whoever waits gets `closed`. */
  async close(): Promise<void> {
    this.#halt(storageError("closed", "the metadata replica is closing"));
    await this.#persister.idle();
    await this.#snapshots.idle();
  }

  /** At the end of the current job, so that whatever comes in one job shares messages and syncs. */
  turnSoon(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    // Half of what `queueMicrotask` costs, which keeps an async context.
    void Promise.resolve().then(() => this.#turn());
  }

  #tickLater(): void {
    const { raft, config, world } = this.#parts;
    this.#ticker = world.clock.after("raft.tick", config.tickMs, () => {
      this.#guard(() => raft.tick(world.clock.monotonicMs()));
      if (!this.#stop.signal.aborted) this.#tickLater();
      this.turnSoon();
    });
  }

  #receive(message: RaftMessage): void {
    // The log must not move under a state that is being replaced. The leader will repeat it.
    if (this.#snapshots.isRestoring && message.type === "append") return;
    const { raft, world } = this.#parts;
    this.#guard(() => raft.step(message, world.clock.monotonicMs()));
    this.turnSoon();
  }

  #turn(): void {
    this.#isTurnDue = false;
    const { raft, world } = this.#parts;
    this.#guard(() => {
      this.#submit();
      for (let count = 0; raft.hasReady; count++) {
        if (count === READYS_PER_TURN) {
          world.clock.after("raft.turn", 0, () => this.#turn());
          return;
        }
        this.#carryOut(raft.ready());
      }
      this.#followMembers();
      this.#snapshots.compactIfDue();
    });
  }

  #submit(): void {
    const { raft, world } = this.#parts;
    const { queued } = this.proposals;
    if (queued.length > 0) {
      const outcome = raft.propose(queued.map((proposal) => proposal.data));
      if (outcome.ok) this.proposals.placeQueued(outcome.position);
      // While the leadership is handed over they wait for what comes of it.
      else if (outcome.refusal !== "transferring") {
        this.proposals.rejectQueued(refusalError(outcome.refusal, raft));
      }
    }
    this.reads.ask(
      (context) => raft.readIndex(context, world.clock.monotonicMs()),
      () => refusalError("not_leader", raft),
    );
  }

  #carryOut(ready: Ready): void {
    const { raft } = this.#parts;
    this.#send(ready.messages);
    this.#persister.add(ready);
    if (ready.softState !== undefined) this.#followLeadership(ready.softState);
    if (!this.#snapshots.defer(ready.committed)) this.#apply(ready.committed);
    this.reads.answered(ready.readStates, raft.appliedIndex);
    if (ready.abortedReads.length > 0) {
      this.reads.aborted(ready.abortedReads, refusalError("not_leader", raft));
    }
  }

  #apply(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    const nothing = new Uint8Array(0);
    const results = this.#parts.machine.apply(
      entries.map(({ index, term, type, data }) => ({
        index,
        term,
        data: type === "command" ? data : nothing,
      })),
    );
    this.#parts.raft.applied(last.index);
    this.proposals.applied(entries, results);
    this.reads.applied(last.index);
  }

  #send(messages: readonly RaftMessage[]): void {
    const byTarget = new Map<RaftId, RaftMessage[]>();
    for (const message of messages) {
      if (message.type === "snapshot") {
        this.#snapshots.send(message);
        continue;
      }
      const batch = byTarget.get(message.to);
      if (batch === undefined) byTarget.set(message.to, [message]);
      else batch.push(message);
    }
    for (const [to, batch] of byTarget) this.#parts.transport.send(to, batch);
  }

  #followLeadership(next: SoftState): void {
    const { config, world, events } = this.#parts;
    const before = this.#softState;
    this.#softState = next;
    const isLeader = next.role === "leader";
    const wasLeader = before?.role === "leader";
    if (before !== undefined && wasLeader && !(isLeader && next.term === before.term)) {
      world.clock.after("raft.outcome", config.outcomeWaitMs, () => {
        const unknown = storageError("unavailable", "the leadership was lost; the outcome is unknown");
        this.proposals.rejectPlaced(unknown, before.term + 1);
      });
    }
    const isNews = before?.term !== next.term || before.leaderId !== next.leaderId || isLeader !== wasLeader;
    if (!isNews) return;
    const { term, leaderId } = next;
    world.log?.info("leadership changed", { isLeader, term, leaderId });
    events.leadershipChanged({ isLeader, term, leaderId });
  }

  #followMembers(): void {
    const { raft, config, transport, events } = this.#parts;
    const { membership, peers } = raft;
    const isNew = membership !== this.#knownMembers;
    if (!isNew && peers.length === this.#knownPeerCount) return;
    this.#knownMembers = membership;
    this.#knownPeerCount = peers.length;
    transport.setMembers(membership.members.length === 0 ? config.peers : peers);
    if (isNew) events.membersChanged(membership.members);
  }

  #guard(action: () => void): void {
    if (this.#stop.signal.aborted) return;
    try {
      action();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    const { world, events } = this.#parts;
    world.log?.error("the metadata replica halts", { failure: failureOf(error) ?? String(error) });
    this.#halt(storageError("unavailable", "the metadata replica had to halt", error));
    events.failed(error);
  }

  #halt(failure: StorageError): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#ticker?.cancel();
    this.#persister.stop();
    this.proposals.rejectQueued(failure);
    this.proposals.rejectPlaced(failure);
    this.reads.rejectAll(failure);
  }
}
