import { storageError } from "../../base/index.js";
import { LEVEL_OF } from "../../chunk/index.js";
import {
  type AllocateChunk,
  type Extend,
  FILE_BYTES_MAX,
  type FileReport,
  type FileSettlement,
  type InodeNumber,
  isLaterTime,
  isSameTime,
  type LeaseKind,
  type ReportFile,
  type SessionId,
  type Timestamp,
  timestampOf,
  WRITTEN_CHUNKS_MAX,
} from "../../meta/index.js";
import { allocateChunk as allocate } from "./chunks.js";
import type { Outcome } from "./command.js";
import { type Context, wait } from "./context.js";
import { checkMayBeInline, keepInline } from "./inline-contents.js";
import { checkTime } from "./inode-attributes.js";
import { attributesOf, changeInode, fileOf, moveDataVersion } from "./inodes.js";
import { isWriting, putOpen, wakeWaiters, withoutLease } from "./leases.js";
import { levelOf } from "./levels.js";
import type { InodeRecord, OpenRecord } from "./records.js";
import { entryReply } from "./replies.js";
import type { Tables } from "./tables.js";
import { addWriter, dropWriters } from "./writers.js";

/** Takes over what a holder knows of its file, then lets its lease come down if it says so. */
export function reportFile(context: Context, sessionId: SessionId, body: ReportFile): Outcome {
  const open = heldOpen(context.tables, sessionId, body.ino, body.leaseSequence);
  checkTime(body.mtime);
  checkSize(body.sizeBytes);
  if (body.writtenBytes !== undefined) checkWritten(body.writtenBytes);
  if (body.written.length > WRITTEN_CHUNKS_MAX) throw storageError("invalid", "too many chunks at once");
  for (const { endBytes } of body.written) checkSize(endBytes);
  if (body.downgradeTo !== undefined) checkDowngrade(open, body.downgradeTo);
  const inode = fileOf(context.tables, body.ino);
  const after = takeOver(context, inode, open.lease, body, {});
  const { ino, ask } = body;
  if (ask !== undefined) context.effects.push({ type: "attributesReported", ino, sessionId, ask });
  if (body.downgradeTo !== undefined) downgrade(context, open, body.downgradeTo);
  return entryReply(after);
}

/** What a holder knows of its file, perhaps with its whole contents. The lease stays as it is. */
export function settleReport(
  context: Context,
  sessionId: SessionId,
  { ino, leaseSequence, report }: FileSettlement & { readonly report: FileReport },
): void {
  const open = heldOpen(context.tables, sessionId, ino, leaseSequence);
  const { mtime, sizeBytes, writtenBytes, inline: bytes } = report;
  checkTime(mtime);
  checkSize(sizeBytes);
  if (writtenBytes !== undefined) checkWritten(writtenBytes);
  const inode = fileOf(context.tables, ino);
  if (bytes !== undefined) {
    if (open.lease !== "exclusive") throw storageError("invalid", "only who is alone knows the contents");
    if (bytes.length > sizeBytes) throw storageError("invalid", "contents end with the file");
    checkMayBeInline(context.tables, inode, bytes);
  }
  const inline = bytes === undefined ? {} : keepInline(context, ino, bytes);
  takeOver(context, inode, open.lease, report, inline);
}

/** The map for writing a chunk. From now on it is fenced if the session dies. */
export function allocateChunk(context: Context, sessionId: SessionId, body: AllocateChunk): Outcome {
  const open = heldOpen(context.tables, sessionId, body.ino, body.leaseSequence);
  requireWriting(open);
  const inode = fileOf(context.tables, body.ino);
  if (!(Number.isSafeInteger(body.index) && body.index >= 0)) throw storageError("invalid", "not an index");
  if (body.index * inode.storage.chunkBytes >= FILE_BYTES_MAX) throw storageError("file_too_large");
  const outcome = allocate(context, inode, body.index);
  if (outcome.type === "reply" && outcome.reply.type === "chunkMaps") {
    for (const { chunkId } of outcome.reply.body.maps)
      addWriter(context.tables, body.ino, sessionId, chunkId);
  }
  return outcome;
}

/** Room at the end of a file that others may be appending to as well. */
export function extend(context: Context, sessionId: SessionId, body: Extend): Outcome {
  const open = heldOpen(context.tables, sessionId, body.ino, body.leaseSequence);
  requireWriting(open);
  if (open.lease === "exclusive") throw storageError("invalid", "an exclusive holder knows the end itself");
  const inode = fileOf(context.tables, body.ino);
  checkSize(body.lengthBytes);
  checkSize(inode.sizeBytes + body.lengthBytes);
  // What a dead writer left beyond the end must not come to lie in the room.
  if (context.tables.recoveries.get(body.ino) !== undefined) return wait({ type: "lease", ino: body.ino });
  const offset = inode.sizeBytes;
  const writtenBytes = writtenAfter(inode, 0, body.lengthBytes);
  const change = { sizeBytes: offset + body.lengthBytes, writtenBytes };
  const after = changeInode(context, inode, change, "contents");
  const reply = { type: "extended", body: { offset, attributes: attributesOf(after) } } as const;
  return { type: "reply", reply };
}

function requireWriting({ lease, counts }: OpenRecord): void {
  if (lease !== "exclusive" && !(lease === "shared" && isWriting(counts))) {
    throw storageError("lease_lost", "the lease does not allow writing");
  }
}

/** The record of a lease that is still held under that sequence, or the failure `lease_lost`. */
function heldOpen(tables: Tables, sessionId: SessionId, ino: InodeNumber, leaseSequence: number): OpenRecord {
  const open = tables.opens.get(ino, sessionId);
  if (open === undefined || open.lease === "none" || open.leaseSequence !== leaseSequence) {
    throw storageError("lease_lost");
  }
  return open;
}

/** Exclusive: as given. Shared: the size only grows, the time only advances. Read: there is nothing to tell. */
function takeOver(
  context: Context,
  inode: InodeRecord,
  lease: LeaseKind,
  report: Told,
  inline: Pick<InodeRecord, "inlineBytes">,
): InodeRecord {
  if (lease !== "exclusive" && lease !== "shared") return inode;
  const sizeBytes =
    lease === "exclusive"
      ? report.sizeBytes
      : Math.max(inode.sizeBytes, reachedBytes(context.tables, report));
  const mtime = lease === "exclusive" ? report.mtime : sharedTime(context.tables, inode.mtime, report);
  const writtenBytes = writtenAfter(inode, sizeBytes, report.writtenBytes);
  const isNews = sizeBytes !== inode.sizeBytes || writtenBytes !== inode.writtenBytes;
  const isOfSameTime = isSameTime(mtime, inode.mtime);
  if (!isNews && isOfSameTime && !("inlineBytes" in inline)) return inode;
  const ctime = levelOf(context.tables) < LEVEL_OF.reportedCtime ? ctimeBefore : reportedCtime;
  const change = { sizeBytes, mtime, ctime: ctime(context, inode, mtime), writtenBytes, ...inline };
  return changeInode(context, inode, change, "nothing");
}

/** What a report says; the rest as in `ReportFile`. */
type Told = FileReport & Partial<Pick<ReportFile, "downgradeTo" | "zeroed" | "written">>;

/** How far a write reaches, without what a truncation has cut off before the metadata servers heard of it. */
function reachedBytes(tables: Tables, { sizeBytes, written = [] }: Told): number {
  if (written.length === 0 || levelOf(tables) < LEVEL_OF.cutVersions) return sizeBytes;
  const ends = written.map(({ chunkId, version, endBytes }) => {
    const chunk = tables.chunks.get(chunkId);
    const isCutOff = chunk === undefined || version < (chunk.cutVersion ?? 0);
    return isCutOff ? 0 : endBytes;
  });
  return Math.min(sizeBytes, Math.max(...ends));
}

/**
 * A write sets both times to the same moment, and the holder has shown that already. What was changed since by others (mode,
 * owner, names) has moved `ctime` farther: then it stays, for that the write is told only now is no change. A clock that is ahead of ours
 * is not believed; stamps are whole milliseconds, times of writes are not.
 */
function reportedCtime({ stampMs }: Context, { mtime, ctime }: InodeRecord, told: Timestamp): Timestamp {
  if (isSameTime(told, mtime) || !isLaterTime(told, ctime)) return ctime;
  return isLaterTime(told, timestampOf(stampMs + 1)) ? timestampOf(stampMs) : told;
}

/** Below the level of `reportedCtime`. */
function ctimeBefore({ stampMs }: Context, { ctime }: InodeRecord, told: Timestamp): Timestamp {
  const now = timestampOf(stampMs);
  return isLaterTime(told, ctime) && !isLaterTime(told, now) ? told : now;
}

/** A client that does not say how much it wrote is taken to have filled what the file grew by. */
function writtenAfter(
  inode: InodeRecord,
  sizeBytes: number,
  reported: number | undefined,
): number | undefined {
  if (inode.writtenBytes === undefined) return undefined;
  const more = reported ?? Math.max(0, sizeBytes - inode.sizeBytes);
  return Math.min(FILE_BYTES_MAX, inode.writtenBytes + more);
}

/** What a holder may say it has come down to. */
function checkDowngrade({ lease, counts }: OpenRecord, to: LeaseKind): void {
  const isAllowed =
    to === lease ||
    (LOWER[lease].includes(to) && !(lease === "exclusive" && to === "read" && isWriting(counts)));
  if (!isAllowed) throw storageError("invalid", "a report cannot lift a lease");
}

const LOWER: Readonly<Record<LeaseKind, readonly LeaseKind[]>> = {
  exclusive: ["shared", "read", "none"],
  read: ["shared", "none"],
  shared: ["none"],
  none: [],
};

function downgrade(context: Context, open: OpenRecord, to: LeaseKind): void {
  const { ino, sessionId } = open;
  if (to === open.lease) return;
  if (to !== "shared") dropWriters(context.tables, ino, sessionId);
  if (to === "none" && isWriting(open.counts)) moveDataVersion(context, ino);
  putOpen(context.tables, to === "none" ? withoutLease(open) : { ...open, lease: to, recallTo: undefined });
  wakeWaiters(context, ino);
}

/** A file may be written again and again: there is no most. */
function checkWritten(bytes: number): void {
  if (!(Number.isSafeInteger(bytes) && bytes >= 0)) throw storageError("invalid", "not a number of bytes");
}

/** Failures `invalid` and `file_too_large`. */
export function checkSize(sizeBytes: number): void {
  if (!(Number.isFinite(sizeBytes) && sizeBytes >= 0 && Number.isInteger(sizeBytes))) {
    throw storageError("invalid", "not a size");
  }
  if (sizeBytes > FILE_BYTES_MAX) throw storageError("file_too_large");
}

/**
 * Under a shared lease time does not go back, whoever's clock it is from; and after a write, which says where it ended,
 * or that it was of zeros, it is another one: so that nobody takes the data for unchanged.
 */
function sharedTime(tables: Tables, before: Timestamp, told: Told): Timestamp {
  const { sizeBytes, mtime, downgradeTo } = told;
  const time = later(before, mtime);
  const isZeroed = told.zeroed === true && levelOf(tables) >= LEVEL_OF.zeroed;
  if (time !== before || (sizeBytes === 0 && !isZeroed) || downgradeTo !== undefined) return time;
  const isFull = before.nanos >= 999_999_999;
  return isFull ? { seconds: before.seconds + 1, nanos: 0 } : { ...before, nanos: before.nanos + 1 };
}

const later = (a: Timestamp, b: Timestamp): Timestamp =>
  a.seconds > b.seconds || (a.seconds === b.seconds && a.nanos >= b.nanos) ? a : b;
