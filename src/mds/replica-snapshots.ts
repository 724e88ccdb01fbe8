import { failureOf, storageError } from "../base/index.js";
import type { Entry, RaftId, Snapshot, SnapshotMeta } from "../raft/index.js";
import type { ReplicaParts } from "./replica-loop.js";
import type { Persister } from "./replica-persister.js";
import type { RaftLogStore } from "./store/raft-log.js";

/** A failed transfer is not repeated sooner. */
const SNAPSHOT_RETRY_MS = 500;

/** How the snapshots reach the loop that they belong to. */
export interface SnapshotHooks {
  readonly apply: (entries: readonly Entry[]) => void;
  /** Runs it unless the replica has stopped; what it throws stops the replica. */
  readonly act: (action: () => void) => void;
  readonly turnSoon: () => void;
  readonly failed: (error: unknown) => void;
}

/**
 * Snapshots out and in, and the compaction of the log that makes them necessary.
 *
 * While one is being restored nothing is applied and no appends are taken, so that log and state stand still; then the
 * core is told what the state machine holds now, as a fact.
 */
export class ReplicaSnapshots {
  readonly #parts: ReplicaParts;
  readonly #persister: Persister;
  readonly #stopped: AbortSignal;
  readonly #hooks: SnapshotHooks;
  /** What was committed while a snapshot is being restored. */
  #deferred: Entry[] | undefined;
  #sent = { term: 0, counts: new Map<RaftId, number>() };
  #restoring: Promise<void> = Promise.resolve();
  #compacting: Promise<void> | undefined;

  constructor(parts: ReplicaParts, persister: Persister, stopped: AbortSignal, hooks: SnapshotHooks) {
    this.#parts = parts;
    this.#persister = persister;
    this.#stopped = stopped;
    this.#hooks = hooks;
  }

  /** How many were begun to be sent to that member in this leadership. */
  sentTo(id: RaftId): number {
    return this.#sent.term === this.#parts.raft.term ? (this.#sent.counts.get(id) ?? 0) : 0;
  }

  get isRestoring(): boolean {
    return this.#deferred !== undefined;
  }

  /** True if the entries have to wait for the end of a restore, and will be applied then. */
  defer(entries: readonly Entry[]): boolean {
    this.#deferred?.push(...entries);
    return this.#deferred !== undefined;
  }

  /**
   * The log on disk does not reach as far as the state does, for a snapshot was restored just now. Only the note of that restore
   * explains this to a process that starts; the next one would take its place.
   */
  get #isLogBehind(): boolean {
    const { raft, store, machine } = this.#parts;
    return raft.firstIndex !== store.start().index + 1 || store.lastIndex() < machine.appliedIndex();
  }

  /** Resolves when the state machine is not being restored and the log not compacted. */
  async idle(): Promise<void> {
    await this.#restoring;
    await this.#compacting;
  }

  /** Opens a snapshot and streams it to the member that the core wants to have it. */
  send(message: Snapshot): void {
    const { raft, world } = this.#parts;
    const { to } = message;
    this.#deliver(message)
      .then(
        () => raft.snapshotEnded(to, true),
        async (error: unknown) => {
          if (this.#stopped.aborted) return;
          const failure = failureOf(error) ?? String(error);
          world.log?.warn("a snapshot was not delivered", { to, failure });
          await world.clock.sleep("raft.snapshot", SNAPSHOT_RETRY_MS, this.#stopped);
          raft.snapshotEnded(to, false);
        },
      )
      .then(this.#hooks.turnSoon, this.#hooks.failed);
  }

  async #deliver(message: Snapshot): Promise<void> {
    const { raft, world, machine, transport } = this.#parts;
    const { to } = message;
    const { index, term, bytes } = await machine.openSnapshot();
    const source = untilAborted(bytes, this.#stopped);
    if (raft.role !== "leader" || raft.term !== message.term || this.#stopped.aborted) {
      await bytes[Symbol.asyncIterator]().return?.();
      throw storageError("not_leader", "the leadership was lost");
    }
    raft.snapshotOpened(to, index);
    if (this.#sent.term !== message.term) this.#sent = { term: message.term, counts: new Map() };
    this.#sent.counts.set(to, this.sentTo(to) + 1);
    world.log?.info("sending a snapshot", { to, index });
    const snapshot = { index, term, membership: raft.membershipAt(index) };
    await transport.sendSnapshot(to, { ...message, snapshot }, source);
  }

  /** Restores an incoming snapshot if it leads this node forward. Rejects when it could not be taken. */
  async receive(message: Snapshot, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const { raft, world } = this.#parts;
    if (this.#stopped.aborted) throw storageError("closed", "the metadata replica is closing");
    if (this.isRestoring) throw storageError("busy", "another snapshot is being restored");
    if (this.#isLogBehind) throw storageError("busy", "the log has not followed the last snapshot yet");
    if (raft.wantsSnapshot(message)) {
      this.#deferred = [];
      const restore = this.#restore(message.snapshot, untilAborted(bytes, this.#stopped));
      this.#restoring = restore.catch(() => {
        // Told to the sender below; who waits here only needs to know that it ended.
      });
      await restore;
    }
    this.#hooks.act(() => raft.step(message, world.clock.monotonicMs()));
    this.#hooks.turnSoon();
  }

  async #restore(snapshot: SnapshotMeta, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const { raft, store, machine, world } = this.#parts;
    try {
      world.log?.info("restoring a snapshot", { index: snapshot.index });
      await store.restoreBegins(snapshot);
      await machine.restoreSnapshot(snapshot.index, snapshot.term, bytes);
      this.#hooks.act(() => raft.restored(snapshot));
    } finally {
      const deferred = this.#deferred ?? [];
      this.#deferred = undefined;
      const applied = raft.appliedIndex;
      this.#hooks.apply(deferred.filter((entry) => entry.index > applied));
    }
  }

  /** Removes old entries when there are enough of them. */
  compactIfDue(): void {
    const { raft, config, store } = this.#parts;
    if (this.#compacting !== undefined || this.isRestoring) return;
    const excess = raft.appliedIndex - raft.firstIndex - config.keepEntries;
    const excessBytes = store.size.upTo(
      Math.min(raft.compactionLimit, store.size.indexBefore(config.keepBytes)),
    );
    if (excess < config.compactEntries && excessBytes < config.compactBytes) return;
    this.#compacting = this.#compact().then(() => {
      this.#compacting = undefined;
    }, this.#hooks.failed);
  }

  async #compact(): Promise<void> {
    const durable = await this.#parts.machine.persistUpTo();
    await this.#persister.between((store) => this.#planCompaction(store, durable));
  }

  #planCompaction(store: RaftLogStore, durable: number): SnapshotMeta | undefined {
    const { raft, config } = this.#parts;
    if (this.isRestoring || this.#isLogBehind) return undefined;
    const wanted = Math.max(durable - config.keepEntries, store.size.indexBefore(config.keepBytes));
    const index = Math.min(wanted, durable, raft.compactionLimit);
    const term = store.termAt(index);
    if (term === undefined || index <= store.start().index) return undefined;
    const membership = raft.membershipAt(index);
    raft.compacted(index);
    return { index, term, membership };
  }
}

/**
 * The same bytes, until `signal` aborts: then the reader fails with `closed` and the source is released, even if the
 * one or the other waits for something that will not come.
 */
export async function* untilAborted(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const source = bytes[Symbol.asyncIterator]();
  const release = (): void => {
    source.return?.().catch(() => {
      // A source that fails while it is being released has nothing more to lose.
    });
  };
  let stop = (): void => {};
  const aborted = new Promise<"aborted">((resolve) => {
    stop = () => {
      resolve("aborted");
      release();
    };
  });
  signal.addEventListener("abort", stop, { once: true });
  try {
    while (!signal.aborted) {
      const next = await Promise.race([source.next(), aborted]);
      if (next === "aborted") break;
      if (next.done === true) return;
      yield next.value;
    }
    throw storageError("closed", "the replica is closing");
  } finally {
    signal.removeEventListener("abort", stop);
    release();
  }
}
