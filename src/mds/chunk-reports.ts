import { failureOf, storageError } from "../base/index.js";
import type { ChunkId, ChunkVersion, CsId } from "../chunk/index.js";
import type { MetadataReply, ReportChunk } from "../meta/index.js";
import type { CallContext } from "../rpc/index.js";
import { chunkMapOf } from "./core/chunks.js";
import type { Leadership } from "./leadership.js";

/** A report is answered again after this long if the chunk could not be brought forward. */
const WAIT_MS_MAX = 500;

/**
 * A member of a chain failed under that version, says a client or the server before it. The member is left out
 * by a new version, unless nobody else has the data. While the version is being installed this may be all that holds
 * the installation up; only that a member has not heard of it yet (`stale_map`) is no failure then.
 */
export async function leaveOut(
  leadership: Leadership,
  report: {
    readonly chunkId: ChunkId;
    readonly version: ChunkVersion;
    readonly csId: CsId;
    readonly code: string;
  },
): Promise<void> {
  const record = leadership.tables.chunks.get(report.chunkId);
  if (record === undefined || record.version !== report.version) return;
  if (!record.installed && report.code === "stale_map") return;
  const member = record.chain.find(({ csId }) => csId === report.csId);
  // Members in doubt after an unclean stop may lack what this one has: they must not be all that stays.
  const others = record.chain.filter(
    ({ csId, syncing }) => csId !== report.csId && !syncing && !leadership.isSuspect(report.chunkId, csId),
  );
  if (member === undefined || others.length === 0) return;
  try {
    await leadership.propose({
      type: "reconfigureChunk",
      body: {
        chunkId: report.chunkId,
        version: report.version,
        remove: [report.csId],
        areSurplus: false,
        add: [],
        reason: `CS#${report.csId}: ${report.code}`,
      },
    });
  } catch (error) {
    // Somebody else was faster: the chunk moves on all the same.
    if (failureOf(error)?.code !== "conflict") throw error;
  }
}

/** Answers a client's report with the map it shall go on with, once there is one. */
export async function reportedChunk(
  leadership: Leadership,
  report: ReportChunk,
  { deadlineMs, signal }: CallContext,
): Promise<MetadataReply> {
  const endMs = leadership.clock.monotonicMs() + deadlineMs;
  await leadership.readBarrier();
  // Of damage on its disk a server tells itself, if another replica can help.
  if (report.csId !== 0 && report.code !== "chunk_corrupt") await leaveOut(leadership, report);
  for (;;) {
    const since = leadership.waiters.now;
    const record = leadership.tables.chunks.get(report.chunkId);
    if (record === undefined || record.ino !== report.ino)
      throw storageError("not_found", "the chunk is gone");
    const isNews = record.version > report.version || report.csId !== 0 || report.code === "ticket_refused";
    if (record.installed && isNews) {
      return { type: "chunkMaps", body: { maps: [chunkMapOf(leadership.tables, record)] } };
    }
    const leftMs = endMs - leadership.clock.monotonicMs();
    if (leftMs <= 0 || signal.aborted) throw storageError("timed_out", "the chunk is being reconfigured");
    // A stale map that is not stale here: the client is told the same map again, after a moment.
    await leadership.waiters.wait(
      { type: "chunk", chunkId: report.chunkId },
      since,
      Math.min(leftMs, WAIT_MS_MAX),
      signal,
    );
    leadership.requireLeading();
    if (record.installed && leadership.tables.chunks.get(report.chunkId)?.version === record.version) {
      return { type: "chunkMaps", body: { maps: [chunkMapOf(leadership.tables, record)] } };
    }
  }
}
