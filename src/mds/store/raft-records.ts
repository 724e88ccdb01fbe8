import { crc32, fromUtf8, toUtf8 } from "../../base/index.js";
import {
  decodeMembership,
  type Entry,
  type EntryType,
  encodeMembership,
  type HardState,
  raftId,
  type SnapshotMeta,
} from "../../raft/index.js";

/**
 * Records of the Raft log on disk. Every value begins with the CRC-32 of all that follows it (4 bytes) and the
 * format version (1 byte); numbers are big-endian, so that keys sort like their indexes.
 *
 *     "e" index:8   entry       crc:4 version:1 type:1 term:8 index:8 data
 *     "h"           hard state  crc:4 version:1 term:8 vote:4 (0 = none) commit:8
 *     "s"           start       crc:4 version:1 index:8 term:8 membership (as in a membership entry)
 *     "r"           a restore under way, as "s"
 */
const VERSION = 1;
const HEADER = 5;
const ENTRY_HEADER = HEADER + 17;

const ENTRY_TYPES: readonly EntryType[] = ["command", "membership", "empty"];

export const HARD_STATE_KEY = toUtf8("h");
export const START_KEY = toUtf8("s");
export const RESTORE_KEY = toUtf8("r");

export function entryKey(index: number): Uint8Array {
  const key = new Uint8Array(9);
  key[0] = 0x65;
  putUint64(new DataView(key.buffer), 1, index);
  return key;
}

/** The index in an entry's key. */
export function indexOfKey(key: Uint8Array): number {
  return getUint64(viewOf(key), 1);
}

export function encodeEntry(entry: Entry): Uint8Array {
  const bytes = new Uint8Array(ENTRY_HEADER + entry.data.length);
  const view = viewOf(bytes);
  bytes[HEADER] = ENTRY_TYPES.indexOf(entry.type);
  putUint64(view, HEADER + 1, entry.term);
  putUint64(view, HEADER + 9, entry.index);
  bytes.set(entry.data, ENTRY_HEADER);
  return seal(bytes);
}

/** Undefined if the bytes are not a whole, undamaged entry of that index. */
export function decodeEntry(bytes: Uint8Array, index: number): Entry | undefined {
  if (!isSealed(bytes, ENTRY_HEADER)) return undefined;
  const view = viewOf(bytes);
  const type = ENTRY_TYPES[bytes[HEADER] ?? 0xff];
  if (type === undefined || getUint64(view, HEADER + 9) !== index) return undefined;
  return { index, term: getUint64(view, HEADER + 1), type, data: bytes.slice(ENTRY_HEADER) };
}

export function encodeHardState(state: HardState): Uint8Array {
  const bytes = new Uint8Array(HEADER + 20);
  const view = viewOf(bytes);
  putUint64(view, HEADER, state.term);
  view.setUint32(HEADER + 8, state.vote ?? 0);
  putUint64(view, HEADER + 12, state.commit);
  return seal(bytes);
}

export function decodeHardState(bytes: Uint8Array): HardState | undefined {
  if (!isSealed(bytes, HEADER + 20)) return undefined;
  const view = viewOf(bytes);
  const vote = view.getUint32(HEADER + 8);
  return {
    term: getUint64(view, HEADER),
    vote: vote === 0 ? undefined : raftId(vote),
    commit: getUint64(view, HEADER + 12),
  };
}

export function encodeMeta(meta: SnapshotMeta): Uint8Array {
  const membership = encodeMembership(meta.membership);
  const bytes = new Uint8Array(HEADER + 16 + membership.length);
  const view = viewOf(bytes);
  putUint64(view, HEADER, meta.index);
  putUint64(view, HEADER + 8, meta.term);
  bytes.set(membership, HEADER + 16);
  return seal(bytes);
}

export function decodeMeta(bytes: Uint8Array): SnapshotMeta | undefined {
  if (!isSealed(bytes, HEADER + 16)) return undefined;
  const view = viewOf(bytes);
  const membership = decodeMembership(bytes.subarray(HEADER + 16));
  return { index: getUint64(view, HEADER), term: getUint64(view, HEADER + 8), membership };
}

/** The text of a key, for messages to people. */
export function nameOfKey(key: Uint8Array): string {
  return key.length === 9 ? `entry ${indexOfKey(key)}` : `record "${fromUtf8(key)}"`;
}

function seal(bytes: Uint8Array): Uint8Array {
  bytes[4] = VERSION;
  viewOf(bytes).setUint32(0, crc32(bytes.subarray(4)));
  return bytes;
}

function isSealed(bytes: Uint8Array, lengthMin: number): boolean {
  if (bytes.length < lengthMin || bytes[4] !== VERSION) return false;
  return viewOf(bytes).getUint32(0) === crc32(bytes.subarray(4));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Indexes and terms stay far below 2^53. */
function putUint64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, Math.floor(value / 2 ** 32));
  view.setUint32(offset + 4, value % 2 ** 32);
}

function getUint64(view: DataView, offset: number): number {
  return view.getUint32(offset) * 2 ** 32 + view.getUint32(offset + 4);
}
