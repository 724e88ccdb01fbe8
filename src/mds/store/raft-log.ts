import { assert, type StorageError, storageError } from "../../base/index.js";
import type { Kv, KvChange } from "../../io/index.js";
import {
  type Entry,
  encodeMembership,
  type HardState,
  type LogReader,
  type Membership,
  type MembershipHistory,
  type RaftId,
  type SnapshotMeta,
} from "../../raft/index.js";
import type { LogBytes } from "./log-bytes.js";
import { EntryCache } from "./raft-entry-cache.js";
import {
  decodeEntry,
  encodeEntry,
  encodeHardState,
  encodeMeta,
  entryKey,
  HARD_STATE_KEY,
  RESTORE_KEY,
  START_KEY,
} from "./raft-records.js";
import { type RecoveredLog, recoverLog } from "./raft-recovery.js";

/** The part of one `Ready` that has to be durable. */
export interface RaftWrite {
  readonly snapshot: SnapshotMeta | undefined;
  readonly hardState: HardState | undefined;
  readonly entries: readonly Entry[];
}

/** Deletions in one batch. */
const DELETES_PER_BATCH = 2000;

/**
 * The Raft log and the hard state in an ordered store of their own.
 *
 * Invariants: what `persist` resolved for survives loss of power, whole or not at all; the entries on disk are
 * consecutive from `start().index + 1` to `lastIndex()`; an entry is read back exactly as written, or reading fails
 * with `log_corrupt`. Callers write one thing after the other (`persist`, `restoreBegins`), `compact` may come between.
 */
export class RaftLogStore implements LogReader {
  readonly #kv: Kv;
  readonly #cache: EntryCache;
  #start: SnapshotMeta;
  #lastIndex: number;
  #hardState: HardState;
  /** Of the latest restore that was announced. */
  #restoreIndex = 0;
  /** As found on disk: memberships in the log, for the core. */
  readonly history: MembershipHistory;
  /** Damaged entries behind everything known to be committed, that were cut off when opening. */
  readonly truncatedCount: number;
  /** What is on disk. */
  readonly size: LogBytes;

  private constructor(kv: Kv, recovered: RecoveredLog, cacheBytes: number) {
    this.#kv = kv;
    this.#start = recovered.start;
    this.#lastIndex = recovered.lastIndex;
    this.#hardState = recovered.hardState;
    this.#cache = new EntryCache(cacheBytes);
    this.#cache.append(recovered.lastEntries);
    this.history = recovered.history;
    this.truncatedCount = recovered.truncatedCount;
    this.size = recovered.size;
  }

  /**
   * Reads and checks the whole log. `appliedIndex` is what the recovered state machine contains. Fails with
   * `log_corrupt` when anything that was committed is damaged or missing; the caller adds how to repair it.
   * `cacheBytes` bounds the data of the entries kept in memory.
   */
  static async open(kv: Kv, appliedIndex: number, cacheBytes = 16 * 1024 * 1024): Promise<RaftLogStore> {
    const recovered = await recoverLog(kv, appliedIndex, cacheBytes);
    return new RaftLogStore(kv, recovered, cacheBytes);
  }

  /** Whether the store has never held anything. */
  static isNew(kv: Kv): boolean {
    return kv.get(HARD_STATE_KEY) === undefined && kv.get(START_KEY) === undefined;
  }

  /** Writes the first entry of a new group: this member alone. Refuses on anything but a new store. */
  static async bootstrap(kv: Kv, id: RaftId, address: string): Promise<void> {
    if (!RaftLogStore.isNew(kv)) throw storageError("refused", "the Raft log already belongs to a group");
    const data = encodeMembership(alone(id, address));
    const genesis: Entry = { index: 1, term: 1, type: "membership", data };
    const hardState: HardState = { term: 1, vote: undefined, commit: 1 };
    const changes = [putEntry(genesis), put(HARD_STATE_KEY, encodeHardState(hardState))];
    await kv.batch(changes, { sync: true, label: "mds.raft.bootstrap" });
  }

  /** As `bootstrap`, of a member that has the state up to that entry already. */
  static async beginAfter(
    kv: Kv,
    { index, term }: Pick<SnapshotMeta, "index" | "term">,
    id: RaftId,
    address: string,
  ): Promise<void> {
    if (!RaftLogStore.isNew(kv)) throw storageError("refused", "the Raft log already belongs to a group");
    const start: SnapshotMeta = { index, term, membership: alone(id, address) };
    const changes = [
      put(START_KEY, encodeMeta(start)),
      put(HARD_STATE_KEY, encodeHardState({ term, vote: undefined, commit: index })),
    ];
    await kv.batch(changes, { sync: true, label: "mds.raft.recover" });
  }

  /**
   * Makes this the log of a new group with one member, which has everything that is in it: nobody else decides any more what of it is
   * committed. Only when the majority of the old group is lost for good.
   */
  async beginAnew(id: RaftId, address: string): Promise<void> {
    const index = this.#lastIndex + 1;
    const term = Math.max(this.#hardState.term, this.termAt(this.#lastIndex) ?? 0) + 1;
    const data = encodeMembership(alone(id, address));
    const entry: Entry = { index, term, type: "membership", data };
    const hardState: HardState = { term, vote: id, commit: index };
    await this.persist([{ snapshot: undefined, hardState, entries: [entry] }], true);
  }

  get hardState(): HardState {
    return this.#hardState;
  }

  start(): SnapshotMeta {
    return this.#start;
  }

  lastIndex(): number {
    return this.#lastIndex;
  }

  termAt(index: number): number | undefined {
    if (index === this.#start.index) return this.#start.term;
    if (index < this.#start.index || index > this.#lastIndex) return undefined;
    return this.#entry(index).term;
  }

  entries(from: number, to: number, maxBytes: number): readonly Entry[] {
    assert(from > this.#start.index && to <= this.#lastIndex + 1, "only what is in the log can be read");
    const result: Entry[] = [];
    let bytes = 0;
    for (let index = from; index < to; index++) {
      const entry = this.#entry(index);
      bytes += entry.data.length;
      if (bytes > maxBytes && result.length > 0) break;
      result.push(entry);
    }
    return result;
  }

  #entry(index: number): Entry {
    const cached = this.#cache.get(index);
    if (cached !== undefined) return cached;
    const bytes = this.#kv.get(entryKey(index));
    const entry = bytes === undefined ? undefined : decodeEntry(bytes, index);
    if (entry === undefined) throw corruptEntry(index, bytes === undefined ? "is missing" : "is damaged");
    return entry;
  }

  /** Writes what one or more Readys want, in their order, with one sync for all. */
  async persist(writes: readonly RaftWrite[], sync: boolean): Promise<void> {
    const changes: KvChange[] = [];
    let { start, lastIndex } = { start: this.#start, lastIndex: this.#lastIndex };
    let firstIndex = this.#start.index + 1;
    let hardState: HardState | undefined;
    const cached: { readonly entries: readonly Entry[] }[] = [];
    for (const write of writes) {
      if (write.snapshot !== undefined) {
        changes.push(...deletions(firstIndex, lastIndex));
        start = write.snapshot;
        lastIndex = start.index;
        firstIndex = start.index + 1;
        changes.push(put(START_KEY, encodeMeta(start)));
        // The note of a later restore, which may already be under way, must stay.
        if (start.index >= this.#restoreIndex) changes.push({ type: "delete", key: RESTORE_KEY });
        cached.length = 0;
      }
      hardState = write.hardState ?? hardState;
      const first = write.entries[0];
      if (first === undefined) continue;
      assert(first.index > start.index && first.index <= lastIndex + 1, "the log has no gaps");
      changes.push(...write.entries.map(putEntry));
      const newLast = first.index + write.entries.length - 1;
      changes.push(...deletions(newLast + 1, lastIndex));
      lastIndex = newLast;
      cached.push({ entries: write.entries });
    }
    if (hardState !== undefined) changes.push(put(HARD_STATE_KEY, encodeHardState(hardState)));
    if (changes.length === 0) return;
    await this.#kv.batch(changes, { sync, label: "mds.raft.persist" });
    if (start.index > this.#start.index) {
      this.#start = start;
      if (writes.some((write) => write.snapshot !== undefined)) {
        this.#cache.clear();
        this.size.clear();
      }
    }
    for (const { entries } of cached) {
      this.#cache.append(entries);
      this.size.appended(entries);
    }
    this.#lastIndex = lastIndex;
    this.#hardState = hardState ?? this.#hardState;
  }

  /** Moves the start of the log up to that place; the entries up to there go. Need not be durable at once. */
  async compact(to: SnapshotMeta): Promise<void> {
    assert(to.index <= this.#lastIndex, "only what is there can be compacted");
    if (to.index <= this.#start.index) return;
    const first = this.#start.index + 1;
    this.#start = to;
    this.#cache.dropUpTo(to.index);
    this.size.dropped(to.index);
    const label = "mds.raft.compact";
    await this.#kv.batch([put(START_KEY, encodeMeta(to))], { sync: false, label });
    for (let from = first; from <= to.index; from += DELETES_PER_BATCH) {
      const last = Math.min(to.index, from + DELETES_PER_BATCH - 1);
      await this.#kv.batch(deletions(from, last), { sync: false, label });
    }
  }

  /**
   * Notes that the state machine is about to be restored from a snapshot. If the process dies after the restore but
   * before the `persist` of that snapshot, opening completes it; if it dies before, the note is forgotten.
   */
  async restoreBegins(meta: SnapshotMeta): Promise<void> {
    this.#restoreIndex = meta.index;
    const change = put(RESTORE_KEY, encodeMeta(meta));
    await this.#kv.batch([change], { sync: true, label: "mds.raft.restore" });
  }

  async close(): Promise<void> {
    await this.#kv.close();
  }
}

/** A failure that only a person can deal with. */
export function corruptEntry(index: number, what: string): StorageError {
  const detail = `Raft log entry ${index} ${what}, although it was committed or later entries are intact`;
  return storageError("log_corrupt", detail);
}

/** A group of one. */
function alone(id: RaftId, address: string): Membership {
  return { members: [{ id, address, role: "voter" }] };
}

function put(key: Uint8Array, value: Uint8Array): KvChange {
  return { type: "put", key, value };
}

function putEntry(entry: Entry): KvChange {
  return put(entryKey(entry.index), encodeEntry(entry));
}

function deletions(first: number, last: number): KvChange[] {
  const changes: KvChange[] = [];
  for (let index = first; index <= last; index++) changes.push({ type: "delete", key: entryKey(index) });
  return changes;
}
