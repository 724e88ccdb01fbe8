import type { ChunkId } from "../../chunk/index.js";
import type { InodeNumber } from "../../meta/index.js";
import { fenceChunk } from "./chunks.js";
import type { Outcome } from "./command.js";
import { type Context, done } from "./context.js";
import { changeInode, moveDataVersion } from "./inodes.js";
import { wakeWaiters } from "./leases.js";
import type { ChunkRecord, OpenRecord, RecoveryRecord } from "./records.js";
import { dropWriters, hasWriters, takeWriters } from "./writers.js";

/**
 * A session lost its lease on a file (it died, or was revoked) while it may have had writes under way.
 *
 * Each chunk that it was given for writing moves to a new version, so that none of its packets can change a byte any
 * more; the members tell their high-water marks on the way. The file then reaches to the highest end found: under an
 * exclusive lease the MDS's size may be older than what was acknowledged to the writer, and under a shared one bytes
 * that were never acknowledged must not come to light beyond the end later. Opens and truncations wait until then,
 * and so do questions for the size if the lease was exclusive.
 *
 * At most FENCES_AT_ONCE chunks of a file are fenced at a time; the others wait as writer records of the dead session.
 */
export const FENCES_AT_ONCE = 64;

/** The lease of this record has just been taken away; the record itself is gone or without lease already. */
export function beginRecovery(context: Context, open: OpenRecord): void {
  const { tables } = context;
  const { ino, sessionId, lease } = open;
  if ((lease !== "exclusive" && lease !== "shared") || !hasWriters(tables, ino, sessionId)) {
    dropWriters(tables, ino, sessionId);
    return;
  }
  const known = tables.recoveries.get(ino) ?? {
    ino,
    chunks: [],
    sessions: [],
    sizeBytes: 0,
    wasExclusive: false,
  };
  moveDataVersion(context, ino);
  context.effects.push({ type: "recover", ino });
  continueRecovery(context, {
    ...known,
    sessions: known.sessions.includes(sessionId) ? known.sessions : [...known.sessions, sessionId],
    wasExclusive: known.wasExclusive || lease === "exclusive",
  });
}

/** A chunk has moved to a new version. Its data end at `highWaterBytes`, as far as its members know. */
export function noteFenced(context: Context, chunk: ChunkRecord, highWaterBytes: number): void {
  const { tables } = context;
  const recovery = tables.recoveries.get(chunk.ino);
  const inode = tables.inodes.get(chunk.ino);
  if (recovery === undefined || inode === undefined || !recovery.chunks.includes(chunk.chunkId)) return;
  const end = highWaterBytes > 0 ? chunk.index * inode.storage.chunkBytes + highWaterBytes : 0;
  continueRecovery(context, {
    ...recovery,
    chunks: recovery.chunks.filter((chunkId) => chunkId !== chunk.chunkId),
    sizeBytes: Math.max(recovery.sizeBytes, end),
  });
}

/** Looks again at what a recovery waits for, and ends it if all that has vanished. Tells how many chunks are left. */
export function finishRecovery(context: Context, ino: InodeNumber): Outcome {
  const { tables } = context;
  const recovery = tables.recoveries.get(ino);
  if (recovery === undefined) return done(0);
  const chunks = recovery.chunks.filter((chunkId) => tables.chunks.get(chunkId)?.installed === false);
  continueRecovery(context, { ...recovery, chunks });
  return done(tables.recoveries.get(ino)?.chunks.length ?? 0);
}

/** The file is going: nobody will ask for its size. */
export function dropRecovery(context: Context, ino: InodeNumber): void {
  const recovery = context.tables.recoveries.get(ino);
  if (recovery === undefined) return;
  for (const sessionId of recovery.sessions) dropWriters(context.tables, ino, sessionId);
  context.tables.recoveries.delete(ino);
  wakeWaiters(context, ino);
}

/** Fences the next chunks when half of the last ones are done, or ends the recovery if there are none. */
function continueRecovery(context: Context, recovery: RecoveryRecord): void {
  const { tables } = context;
  if (recovery.chunks.length > FENCES_AT_ONCE / 2 && tables.recoveries.get(recovery.ino) !== undefined) {
    tables.recoveries.put(recovery, recovery.ino);
    return;
  }
  const next = nextChunks(context, recovery);
  const chunks = [...recovery.chunks, ...next];
  const sessions = recovery.sessions.filter((sessionId) => hasWriters(tables, recovery.ino, sessionId));
  if (chunks.length === 0) {
    finish(context, recovery);
    return;
  }
  tables.recoveries.put({ ...recovery, chunks, sessions }, recovery.ino);
  for (const chunkId of next) fenceChunk(context, chunkId, "a writer's lease ended");
}

/** A chunk that is being fenced already is not given out meanwhile, so that one fence serves several dead writers. */
function nextChunks(context: Context, { ino, chunks, sessions }: RecoveryRecord): ChunkId[] {
  const { tables } = context;
  const next: ChunkId[] = [];
  for (const sessionId of sessions) {
    while (chunks.length + next.length < FENCES_AT_ONCE && hasWriters(tables, ino, sessionId)) {
      const room = FENCES_AT_ONCE - chunks.length - next.length;
      for (const { chunkId } of takeWriters(tables, ino, sessionId, room)) {
        const isKnown = chunks.includes(chunkId) || next.includes(chunkId);
        if (!isKnown && tables.chunks.get(chunkId) !== undefined) next.push(chunkId);
      }
    }
  }
  return next;
}

function finish(context: Context, recovery: RecoveryRecord): void {
  const { tables } = context;
  const { ino, sizeBytes } = recovery;
  tables.recoveries.delete(ino);
  // Its last packets may have arrived while its chunks were being fenced.
  const inode = moveDataVersion(context, ino);
  if (inode !== undefined && sizeBytes > inode.sizeBytes) {
    // How much of it the dead writer wrote is not known.
    changeInode(context, inode, { sizeBytes, writtenBytes: undefined }, "contents");
  }
  wakeWaiters(context, ino);
}
