import { storageError } from "../../base/index.js";
import { modeWithoutPrivileges, type SessionId, type Truncate } from "../../meta/index.js";
import type { Held } from "./answers.js";
import { truncateChunks } from "./chunk-truncate.js";
import type { Outcome } from "./command.js";
import { type Context, wait } from "./context.js";
import { cutInline } from "./inline-contents.js";
import { attributesOf, changeInode, dataVersionAfter, fileOf, inodeOf } from "./inodes.js";
import { checkSize } from "./lease-report.js";
import { comeDown, isWriting, otherHolders } from "./leases.js";
import { dropCapability } from "./privileges.js";
import type { InodeRecord } from "./records.js";
import { entryReply } from "./replies.js";
import type { Tables } from "./tables.js";

/**
 * Sets the size, with the file open or not. It is a momentary write: others come down to `shared` first, so that
 * nobody caches contents or a size, and where one writer is demanded another session's truncation is refused. The
 * session itself may hold any lease. It must have no writes of the cut range under way.
 *
 * The size changes with the first proposal; if chunks have to be cut inside, the answer is held until their servers
 * have done it, and nothing is done twice.
 */
export function truncate(context: Context, sessionId: SessionId, body: Truncate): Outcome | Held {
  const { tables } = context;
  const { ino, sizeBytes } = body;
  const inode = fileOf(tables, ino);
  checkSize(sizeBytes);
  if (tables.recoveries.get(ino) !== undefined) return wait({ type: "lease", ino });
  const moving = inode.inlineBytes === undefined ? undefined : tables.fileChunks.get(ino, 0);
  if (moving !== undefined) return wait({ type: "chunk", chunkId: moving });
  checkMayWrite(tables, sessionId, inode);
  const waiting = comeDown(context, ino, sessionId, "shared", ["exclusive", "read"]);
  if (waiting !== undefined) return waiting;
  // An exclusive holder may have written more than it has reported yet.
  const mayHaveMore = sizeBytes < inode.sizeBytes || tables.opens.get(ino, sessionId)?.lease === "exclusive";
  const chunks = mayHaveMore ? truncateChunks(context, inode, sizeBytes) : [];
  const cut = inodeOf(tables, ino);
  const mode = body.killPrivileges === true ? modeWithoutPrivileges(cut.mode) : cut.mode;
  const writtenBytes = cut.writtenBytes && Math.min(cut.writtenBytes, sizeBytes);
  const dataVersion = dataVersionAfter(cut);
  const inline = cutInline(context, cut, sizeBytes);
  const change = { ...dropCapability(context, cut), ...inline, sizeBytes, writtenBytes, mode, dataVersion };
  const after = changeInode(context, cut, change, "contents");
  if (chunks.length === 0) return entryReply(after);
  return { type: "held", chunks, reply: { type: "entry", body: { attributes: attributesOf(after) } } };
}

function checkMayWrite(tables: Tables, sessionId: SessionId, { ino, storage }: InodeRecord): void {
  const isRefused = otherHolders(tables, ino, sessionId).some(
    ({ counts }) => counts.exclusive > 0 || (storage.exclusive && isWriting(counts)),
  );
  if (isRefused) throw storageError("lease_conflict", "the file is open for writing elsewhere");
}
