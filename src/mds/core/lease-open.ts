import { storageError } from "../../base/index.js";
import type { Access, Close, InodeNumber, SessionId } from "../../meta/index.js";
import type { Outcome } from "./command.js";
import { type Context, wait } from "./context.js";
import { attributesOf, fileOf, moveDataVersion } from "./inodes.js";
import {
  deleteOpen,
  goesWith,
  isWriting,
  NO_OPENS,
  openCountOf,
  otherHolders,
  putOpen,
  recall,
  wakeWaiters,
  wantedLease,
  withNewLease,
} from "./leases.js";
import { releaseIfUnused } from "./reclaim.js";
import type { InodeRecord, OpenCounts, OpenRecord } from "./records.js";
import { entryReply, OK, reply } from "./replies.js";
import { dropWriters } from "./writers.js";

/** Opens a regular file, once the lease that goes with it can be had. */
export function openInode(
  context: Context,
  sessionId: SessionId,
  ino: InodeNumber,
  access: Access,
  created = false,
  reservedLease?: number,
): Outcome {
  const { tables } = context;
  checkAccess(access);
  const inode = fileOf(tables, ino);
  const own = tables.opens.get(ino, sessionId);
  if (tables.recoveries.get(ino) !== undefined || own?.recallTo !== undefined)
    return wait({ type: "lease", ino });
  const others = otherHolders(tables, ino, sessionId);
  if (access !== "read") checkOnlyWriter(inode, access, own, others);
  const counts = changed(own?.counts ?? NO_OPENS, access, 1);
  const wanted = wantedLease(counts, others);
  const inTheWay = others.filter((other) => !goesWith(other.lease, wanted));
  for (const other of inTheWay) recall(context, other, wanted);
  if (inTheWay.length > 0) return wait({ type: "lease", ino });
  const open = grant(context, own ?? newOpen(ino, sessionId), counts, wanted, reservedLease);
  return reply({
    type: "opened",
    body: {
      attributes: attributesOf(inode),
      lease: { kind: open.lease, sequence: open.leaseSequence },
      created,
    },
  });
}

/** Whatever came over the wire is one of the three. */
export function checkAccess(access: Access): void {
  if (!Object.hasOwn(NO_OPENS, access)) throw storageError("malformed", "no such access");
}

/**
 * Where one writer is demanded there is no second one: by the access `exclusive` (of whichever of the two, and also
 * within one session), or by the file's attribute (then sessions count, which are free to write together inside).
 */
function checkOnlyWriter(
  inode: InodeRecord,
  access: Access,
  own: OpenRecord | undefined,
  others: readonly OpenRecord[],
): void {
  const isExclusive = access === "exclusive" || inode.storage.exclusive;
  const isRefused =
    others.some(({ counts }) => counts.exclusive > 0 || (isExclusive && isWriting(counts))) ||
    (own !== undefined && (own.counts.exclusive > 0 || (access === "exclusive" && isWriting(own.counts))));
  if (isRefused) throw storageError("lease_conflict", "the file is open for writing elsewhere");
}

/** The wanted lease, unless what the session holds is the same, or is exclusive and thereby more. */
function grant(
  context: Context,
  open: OpenRecord,
  counts: OpenCounts,
  wanted: OpenRecord["lease"],
  reserved: number | undefined,
): OpenRecord {
  const keeps = open.lease === wanted || open.lease === "exclusive";
  const granted = keeps ? { ...open, counts } : withNewLease(context, { ...open, counts }, wanted, reserved);
  if (granted.lease === "read") dropWriters(context.tables, open.ino, open.sessionId);
  putOpen(context.tables, granted);
  return granted;
}

/**
 * Ends one open; the last one gives the lease back, and a file without names is gone with it. Tells the attributes if the
 * session may not write any more from here on, which moved the version of the data.
 */
export function close(context: Context, sessionId: SessionId, { ino, access }: Omit<Close, "id">): Outcome {
  const open = context.tables.opens.get(ino, sessionId);
  const after = open === undefined ? undefined : withoutOne(open, access);
  if (after === undefined) throw storageError("lease_lost", "the file is not open so");
  store(context, after);
  const endsWriting = open !== undefined && isWriting(open.counts) && !isWriting(after.counts);
  const inode = endsWriting ? moveDataVersion(context, ino) : undefined;
  wakeWaiters(context, ino);
  releaseIfUnused(context, ino);
  return inode === undefined ? OK : entryReply(inode);
}

function store({ tables }: Context, open: OpenRecord): void {
  if (openCountOf(open.counts) > 0) {
    putOpen(tables, open);
    return;
  }
  dropWriters(tables, open.ino, open.sessionId);
  if (openCountOf(open.revoked ?? NO_OPENS) === 0) deleteOpen(tables, open);
  else putOpen(tables, { ...open, lease: "none", leaseSequence: 0, recallTo: undefined });
}

/** Revoked opens end first: the others' counts stand for what may still be done. Undefined if there is none. */
function withoutOne(open: OpenRecord, access: Access): OpenRecord | undefined {
  if (!Object.hasOwn(NO_OPENS, access)) return undefined;
  const { revoked, counts } = open;
  if (revoked !== undefined && revoked[access] > 0) {
    const rest = changed(revoked, access, -1);
    return { ...open, revoked: openCountOf(rest) > 0 ? rest : undefined };
  }
  return counts[access] > 0 ? { ...open, counts: changed(counts, access, -1) } : undefined;
}

const changed = (counts: OpenCounts, access: Access, by: number): OpenCounts => ({
  ...counts,
  [access]: counts[access] + by,
});

const newOpen = (ino: InodeNumber, sessionId: SessionId): OpenRecord => ({
  ino,
  sessionId,
  counts: NO_OPENS,
  revoked: undefined,
  lease: "none",
  leaseSequence: 0,
  recallTo: undefined,
});
