import { storageError } from "../../base/index.js";
import {
  type InodeNumber,
  isFile,
  OPEN_AHEAD_MAX,
  type OpenAhead,
  type Opened,
  type SessionId,
} from "../../meta/index.js";
import type { Outcome } from "./command.js";
import type { Context } from "./context.js";
import { openInode } from "./lease-open.js";
import { otherHolders } from "./leases.js";
import { reply } from "./replies.js";
import type { Tables } from "./tables.js";

/** Opens those of the files that cost nobody anything: no lease has to come down for it, and nothing has to be waited for. */
export function openAhead(
  context: Context,
  sessionId: SessionId,
  { files }: Pick<OpenAhead, "files">,
): Outcome {
  if (files.length > OPEN_AHEAD_MAX) throw storageError("invalid", "too many files at once");
  const opened: Opened[] = [];
  for (const { ino } of files) {
    if (!isFree(context.tables, sessionId, ino)) continue;
    const outcome = openInode(context, sessionId, ino, "read");
    if (outcome.type === "reply" && outcome.reply.type === "opened") opened.push(outcome.reply.body);
  }
  return reply({ type: "openedAhead", body: { files: opened } });
}

function isFree(tables: Tables, sessionId: SessionId, ino: InodeNumber): boolean {
  const inode = tables.inodes.get(ino);
  if (inode === undefined || !isFile(inode.mode) || tables.opens.get(ino, sessionId) !== undefined)
    return false;
  if (tables.recoveries.get(ino) !== undefined) return false;
  return otherHolders(tables, ino, sessionId).every(
    ({ lease, recallTo }) => lease === "read" && recallTo === undefined,
  );
}
