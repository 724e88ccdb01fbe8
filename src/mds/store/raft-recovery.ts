import { storageError } from "../../base/index.js";
import type { Kv } from "../../io/index.js";
import {
  decodeMembership,
  type Entry,
  type HardState,
  MembershipHistory,
  NO_MEMBERS,
  type SnapshotMeta,
} from "../../raft/index.js";
import { LogBytes } from "./log-bytes.js";
import {
  decodeEntry,
  decodeHardState,
  decodeMeta,
  encodeHardState,
  encodeMeta,
  entryKey,
  HARD_STATE_KEY,
  indexOfKey,
  nameOfKey,
  RESTORE_KEY,
  START_KEY,
} from "./raft-records.js";

/** What was on disk. */
export interface RecoveredLog {
  readonly start: SnapshotMeta;
  readonly hardState: HardState;
  readonly lastIndex: number;
  readonly history: MembershipHistory;
  /** The newest entries, for the cache. */
  readonly lastEntries: readonly Entry[];
  readonly truncatedCount: number;
  readonly size: LogBytes;
}

/** Beyond any index that is ever used. */
const LAST_INDEX = Number.MAX_SAFE_INTEGER;
const LABEL = "mds.raft.recover";

/**
 * Reads and checks everything. Only a torn tail may be cut off: damage behind everything that is known to be
 * committed (by the hard state and by the state machine), with nothing intact behind it, which is what a write that
 * never completed looks like. All other damage concerns entries that this node has promised to keep, and makes
 * opening fail with `log_corrupt`.
 */
export async function recoverLog(kv: Kv, appliedIndex: number, cacheBytes: number): Promise<RecoveredLog> {
  await finishRestore(kv, appliedIndex);
  const start = read(kv, START_KEY, decodeMeta) ?? { index: 0, term: 0, membership: NO_MEMBERS };
  const hardState = read(kv, HARD_STATE_KEY, decodeHardState) ?? { term: 0, vote: undefined, commit: 0 };
  if (appliedIndex < start.index) {
    const detail = `the state ends at entry ${appliedIndex}, but the Raft log only begins behind entry ${start.index}`;
    throw storageError("log_corrupt", detail);
  }
  await removeKeys(kv, 0, start.index);
  const scanned = await scan(kv, start, cacheBytes);
  const committed = Math.max(hardState.commit, appliedIndex);
  if (scanned.damaged !== undefined && (scanned.damaged <= committed || scanned.isIntactBehind)) {
    const where = scanned.damaged <= committed ? "committed" : "followed by intact entries";
    throw storageError(
      "log_corrupt",
      `Raft log entry ${scanned.damaged} is damaged or missing, but ${where}`,
    );
  }
  if (scanned.lastIndex < committed) {
    const detail = `the Raft log ends at entry ${scanned.lastIndex}, but entry ${committed} was committed`;
    throw storageError("log_corrupt", detail);
  }
  await removeKeys(kv, scanned.lastIndex + 1, LAST_INDEX);
  const { lastIndex, history, lastEntries, damagedCount, size } = scanned;
  return { start, hardState, lastIndex, history, lastEntries, truncatedCount: damagedCount, size };
}

interface Scan {
  lastIndex: number;
  history: MembershipHistory;
  lastEntries: Entry[];
  /** The first index that is damaged or missing though something is behind it. */
  damaged: number | undefined;
  damagedCount: number;
  isIntactBehind: boolean;
  readonly size: LogBytes;
}

async function scan(kv: Kv, start: SnapshotMeta, cacheBytes: number): Promise<Scan> {
  const history = new MembershipHistory(start);
  const result: Scan = {
    lastIndex: start.index,
    history,
    lastEntries: [],
    damaged: undefined,
    damagedCount: 0,
    isIntactBehind: false,
    size: new LogBytes(),
  };
  let lastTerm = start.term;
  let bytes = 0;
  for await (const { key, value } of kv.range({ gte: entryKey(start.index + 1), lt: entryKey(LAST_INDEX) })) {
    const expected = result.lastIndex + 1;
    const index = indexOfKey(key);
    const entry = decodeEntry(value, index);
    const fits = entry !== undefined && index === expected && entry.term >= lastTerm;
    if (!fits || result.damaged !== undefined) {
      result.damaged ??= expected;
      result.damagedCount++;
      if (entry !== undefined) result.isIntactBehind = true;
      continue;
    }
    result.lastIndex = index;
    lastTerm = entry.term;
    if (entry.type === "membership") history.append(index, decodeMembership(entry.data));
    result.lastEntries.push(entry);
    result.size.appended([entry]);
    bytes += entry.data.length;
    if (bytes > 2 * cacheBytes) bytes = shrink(result.lastEntries, bytes, cacheBytes);
  }
  return result;
}

/** Drops the oldest until the rest has at most `maxBytes` of data, and returns what it has. */
function shrink(entries: Entry[], bytes: number, maxBytes: number): number {
  let left = bytes;
  let count = 0;
  while (left > maxBytes && count < entries.length) left -= entries[count++]?.data.length ?? 0;
  entries.splice(0, count);
  return left;
}

/** A restore that the state machine has completed moves the log's start; one that it has not is forgotten. */
async function finishRestore(kv: Kv, appliedIndex: number): Promise<void> {
  const meta = read(kv, RESTORE_KEY, decodeMeta);
  if (meta === undefined) return;
  const forget = { type: "delete", key: RESTORE_KEY } as const;
  const bytes = kv.get(entryKey(meta.index));
  const isHeld = bytes !== undefined && decodeEntry(bytes, meta.index)?.term === meta.term;
  const isPassed = (read(kv, START_KEY, decodeMeta)?.index ?? 0) >= meta.index;
  if (appliedIndex < meta.index || isHeld || isPassed) {
    await kv.batch([forget], { sync: true, label: LABEL });
    return;
  }
  await removeKeys(kv, 0, LAST_INDEX);
  const old = read(kv, HARD_STATE_KEY, decodeHardState);
  const isNewTerm = meta.term > (old?.term ?? 0);
  const hardState: HardState = {
    term: Math.max(old?.term ?? 0, meta.term),
    vote: isNewTerm ? undefined : old?.vote,
    commit: Math.max(old?.commit ?? 0, meta.index),
  };
  await kv.batch(
    [
      { type: "put", key: START_KEY, value: encodeMeta(meta) },
      { type: "put", key: HARD_STATE_KEY, value: encodeHardState(hardState) },
      forget,
    ],
    { sync: true, label: LABEL },
  );
}

function read<T>(kv: Kv, key: Uint8Array, decode: (bytes: Uint8Array) => T | undefined): T | undefined {
  const bytes = kv.get(key);
  if (bytes === undefined) return undefined;
  const value = decode(bytes);
  if (value === undefined) throw storageError("log_corrupt", `${nameOfKey(key)} of the Raft log is damaged`);
  return value;
}

/** Removes the entries [first, last], if there are any. */
async function removeKeys(kv: Kv, first: number, last: number): Promise<void> {
  const changes: { type: "delete"; key: Uint8Array }[] = [];
  for await (const { key } of kv.range({ gte: entryKey(first), lt: entryKey(last + 1) })) {
    changes.push({ type: "delete", key });
  }
  if (changes.length > 0) await kv.batch(changes, { sync: true, label: LABEL });
}
