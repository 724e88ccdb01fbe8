import type { Revoke, SessionId } from "../../meta/index.js";
import type { Outcome } from "./command.js";
import { type Context, recordEvent } from "./context.js";
import { fileOf } from "./inodes.js";
import { otherHolders, putOpen, wakeWaiters, withoutLease } from "./leases.js";
import { beginRecovery } from "./recovery.js";
import { OK } from "./replies.js";

/**
 * Ends all leases that other sessions hold on a file. It is answered at once; whoever opens the file next waits until
 * the chunks that could still be written have been fenced.
 */
export function revoke(context: Context, sessionId: SessionId, { ino }: Revoke): Outcome {
  fileOf(context.tables, ino);
  const holders = otherHolders(context.tables, ino, sessionId);
  for (const open of holders) {
    putOpen(context.tables, withoutLease(open));
    const { leaseSequence } = open;
    context.effects.push({ type: "recallLease", sessionId: open.sessionId, ino, leaseSequence, to: "none" });
    beginRecovery(context, open);
  }
  if (holders.length === 0) return OK;
  const message = `Leases of ${holders.length} clients on file #${ino} were revoked by client #${sessionId}`;
  recordEvent(context, { system: "CLN", severity: "warn", message });
  wakeWaiters(context, ino);
  return OK;
}
