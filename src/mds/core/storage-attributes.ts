import { type FailureCode, storageError } from "../../base/index.js";
import { BLOCK_BYTES, CHUNK_BYTES_MAX, CHUNK_BYTES_MIN, DEFAULT_CHUNK_BYTES } from "../../chunk/index.js";
import {
  FAILURE_DOMAINS,
  isDirectory,
  type SessionId,
  type SetStorage,
  type StorageAttributes,
} from "../../meta/index.js";
import { sweepPolicy } from "./chunk-sweep.js";
import type { Outcome } from "./command.js";
import type { Context } from "./context.js";
import { changeInode, inodeOf } from "./inodes.js";
import { inlineBytesMaxAt, levelOf } from "./levels.js";
import type { InodeRecord } from "./records.js";
import { entryReply } from "./replies.js";

/** What the root directory of a new cluster has. */
export const DEFAULT_STORAGE: StorageAttributes = {
  replicas: 1,
  replicasMinimum: 1,
  failureDomain: "host",
  tier: 0,
  chunkBytes: DEFAULT_CHUNK_BYTES,
  clientSsdCache: true,
  exclusive: false,
};

/** Sets the present fields. Of a directory: what entries created from now on get. */
export function setStorage(context: Context, sessionId: SessionId, body: SetStorage): Outcome {
  const inode = inodeOf(context.tables, body.ino);
  const storage = mergeStorage(inode.storage, body);
  const { chunkBytes } = storage;
  if (chunkBytes !== inode.storage.chunkBytes)
    checkChunkBytesMayChange(context, sessionId, inode, chunkBytes);
  const changed = changeInode(context, inode, { storage }, "attributes");
  sweepPolicy(context, inode.ino);
  return entryReply(changed);
}

/** Attributes with the present fields of `change` in them. Failure `invalid` if they make no sense together. */
export function mergeStorage(
  old: StorageAttributes,
  change: Omit<SetStorage, "id" | "ino">,
): StorageAttributes {
  const storage: StorageAttributes = {
    replicas: change.replicas ?? old.replicas,
    replicasMinimum: change.replicasMinimum ?? old.replicasMinimum,
    failureDomain: change.failureDomain ?? old.failureDomain,
    tier: change.tier ?? old.tier,
    chunkBytes: change.chunkBytes ?? old.chunkBytes,
    clientSsdCache: change.clientSsdCache ?? old.clientSsdCache,
    exclusive: change.exclusive ?? old.exclusive,
  };
  const { replicas, replicasMinimum, failureDomain, tier, chunkBytes } = storage;
  need(isWithin(replicas, 1, REPLICAS_MAX), `replicas must be 1 to ${REPLICAS_MAX}`);
  need(isWithin(replicasMinimum, 1, replicas), "the minimum must be 1 to the number of replicas");
  need(FAILURE_DOMAINS.includes(failureDomain), "the failure domain must be disk, host, rack, row or room");
  need(isWithin(tier, 0, TIER_MAX), `the tier must be 0 to ${TIER_MAX}`);
  need(
    isWithin(chunkBytes, CHUNK_BYTES_MIN, CHUNK_BYTES_MAX) && chunkBytes % BLOCK_BYTES === 0,
    `the chunk size must be a multiple of ${BLOCK_BYTES} up to ${CHUNK_BYTES_MAX}`,
  );
  return storage;
}

/** A file is cut into chunks once and for all; who has it open elsewhere may have data to write back already. */
function checkChunkBytesMayChange(
  context: Context,
  sessionId: SessionId,
  inode: InodeRecord,
  chunkBytes: number,
): void {
  if (isDirectory(inode.mode)) return;
  const hasData = inode.chunkCount > 0 || inode.inlineBytes !== undefined;
  need(!hasData, "the chunk size of a file with data cannot change");
  for (const open of context.tables.opens.valuesOf(inode.ino)) {
    need(
      open.sessionId === sessionId,
      "the chunk size cannot change while others have the file open",
      "refused",
    );
    // What is kept of it in the metadata must fit into a chunk, and the holder was told how much that may be.
    const isEnough =
      chunkBytes >= Math.min(inlineBytesMaxAt(levelOf(context.tables)), inode.storage.chunkBytes);
    need(isEnough, "a chunk size as small as that cannot be set while the file is open", "refused");
  }
}

function need(condition: boolean, sentence: string, code: FailureCode = "invalid"): void {
  if (!condition) throw storageError(code, sentence);
}

const isWithin = (value: number, min: number, max: number): boolean =>
  Number.isInteger(value) && value >= min && value <= max;

const REPLICAS_MAX = 64;
const TIER_MAX = 3;
