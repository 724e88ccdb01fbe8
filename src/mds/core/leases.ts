import type { InodeNumber, LeaseKind, SessionId } from "../../meta/index.js";
import type { Outcome } from "./command.js";
import { type Context, nextNumber, wait } from "./context.js";
import type { OpenCounts, OpenRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * The rules of leases. What is always true of one file:
 *
 * - Beside an `exclusive` lease there is no other lease.
 * - While a session with a `shared` lease has the file open for writing, nobody holds a `read` lease.
 * - A record with the lease `none` has no counts, only `revoked` ones: it keeps the file alive and allows nothing.
 *
 * What the opens want: one session alone gets `exclusive` if it writes, else `read`; several get `read` if nobody
 * writes, else `shared`. Whoever holds something that does not go with that is recalled, and the opener waits.
 *
 * A lease comes down (recall, then the holder's report) under the same sequence: for a sequence, kinds only go down,
 * so a client that came down ignores an older, higher grant of that sequence. A lease goes up only with an open of
 * its own session, under a new sequence; requests with the old one get `lease_lost`. While a recall is under way the
 * session's own opens of the file wait, so that an answer on its way never meets a newer lease. Nothing goes up by
 * itself when others close: a client that finds itself `shared` for long opens and closes the file once more.
 */

export const NO_OPENS: OpenCounts = { read: 0, write: 0, exclusive: 0 };

export const openCountOf = (counts: OpenCounts): number => counts.read + counts.write + counts.exclusive;

/** It may change the contents: it has the file open for that. */
export const isWriting = (counts: OpenCounts): boolean => counts.write + counts.exclusive > 0;

/** The others that hold a lease on the file. */
export function otherHolders(tables: Tables, ino: InodeNumber, sessionId: SessionId): OpenRecord[] {
  return [...tables.opens.valuesOf(ino)].filter(
    (open) => open.sessionId !== sessionId && open.lease !== "none",
  );
}

/** What a session with these counts should hold beside these others. */
export function wantedLease(counts: OpenCounts, others: readonly OpenRecord[]): LeaseKind {
  const isWritten = isWriting(counts) || others.some((other) => isWriting(other.counts));
  if (others.length === 0) return isWritten ? "exclusive" : "read";
  return isWritten ? "shared" : "read";
}

/** Whether another session may hold that while a new lease of the wanted kind is granted. */
export function goesWith(held: LeaseKind, wanted: LeaseKind): boolean {
  if (wanted === "read") return held === "read" || held === "shared";
  return wanted === "shared" && held === "shared";
}

/**
 * Recalls all leases of other sessions of one of these kinds. Undefined if there are none, else what to wait for.
 */
export function comeDown(
  context: Context,
  ino: InodeNumber,
  sessionId: SessionId,
  to: LeaseKind,
  kinds: readonly LeaseKind[],
): Outcome | undefined {
  const inTheWay = otherHolders(context.tables, ino, sessionId).filter(({ lease }) => kinds.includes(lease));
  for (const open of inTheWay) recall(context, open, to);
  return inTheWay.length > 0 ? wait({ type: "lease", ino }) : undefined;
}

/** Tells a holder to come down; nothing if it was told so already. */
export function recall(context: Context, open: OpenRecord, to: LeaseKind): void {
  if (open.recallTo === to) return;
  const { ino, sessionId, leaseSequence } = open;
  putOpen(context.tables, { ...open, recallTo: to });
  context.effects.push({ type: "recallLease", sessionId, ino, leaseSequence, to });
}

/** The record with a lease that is new to its holder; numbered as it was reserved, or by the next number. */
export function withNewLease(
  context: Context,
  open: OpenRecord,
  lease: LeaseKind,
  reserved?: number,
): OpenRecord {
  const leaseSequence = reserved ?? nextNumber(context, "lease");
  return { ...open, lease, leaseSequence, recallTo: undefined };
}

/** The record without its lease: what was open keeps the file alive, and no more. */
export function withoutLease(open: OpenRecord): OpenRecord {
  const revoked = addCounts(open.revoked ?? NO_OPENS, open.counts);
  return { ...open, counts: NO_OPENS, revoked, lease: "none", leaseSequence: 0, recallTo: undefined };
}

export function putOpen(tables: Tables, open: OpenRecord): void {
  tables.opens.put(open, open.ino, open.sessionId);
  if (tables.sessionOpens.get(open.sessionId, open.ino) === undefined) {
    tables.sessionOpens.put(open.ino, open.sessionId, open.ino);
  }
}

export function deleteOpen(tables: Tables, { ino, sessionId }: OpenRecord): void {
  tables.opens.delete(ino, sessionId);
  tables.sessionOpens.delete(sessionId, ino);
}

/** Something about the leases of the file changed: who waits may look again. */
export function wakeWaiters(context: Context, ino: InodeNumber): void {
  context.effects.push({ type: "wake", key: { type: "lease", ino } });
}

const addCounts = (a: OpenCounts, b: OpenCounts): OpenCounts => ({
  read: a.read + b.read,
  write: a.write + b.write,
  exclusive: a.exclusive + b.exclusive,
});
