import { failureOf, storageError } from "../../base/index.js";
import {
  type FileSettlement,
  SETTLE_FILES_MAX,
  type SessionId,
  type SettleFiles,
  type SettleResult,
} from "../../meta/index.js";
import type { Outcome } from "./command.js";
import type { Context } from "./context.js";
import { attributesOf } from "./inodes.js";
import { checkAccess, close } from "./lease-open.js";
import { settleReport } from "./lease-report.js";
import { reply } from "./replies.js";

/**
 * Reports and closes of many files in one entry of the log. Each file succeeds or fails for itself: a report that fails
 * leaves no trace, and its closes are not carried out, since its writer has something to say yet.
 */
export function settleFiles(context: Context, sessionId: SessionId, { files }: SettleFiles): Outcome {
  if (files.length > SETTLE_FILES_MAX) throw storageError("invalid", "too many files at once");
  const results = files.map((file) => settle(context, sessionId, file));
  return reply({ type: "settled", body: { results } });
}

function settle(context: Context, sessionId: SessionId, file: FileSettlement): SettleResult {
  try {
    for (const access of file.closes) checkAccess(access);
    const { report } = file;
    if (report !== undefined) settleReport(context, sessionId, { ...file, report });
    for (const access of file.closes) close(context, sessionId, { ino: file.ino, access });
    const inode = context.tables.inodes.get(file.ino);
    return { detail: "", attributes: inode && attributesOf(inode) };
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    return { failure: failure.code, detail: failure.detail };
  }
}
