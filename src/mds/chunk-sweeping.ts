import { failureOf } from "../base/index.js";
import type { CsId } from "../chunk/index.js";
import type { InodeNumber } from "../meta/index.js";
import type { ChunkAt } from "./core/command.js";
import type { Leadership } from "./leadership.js";

/** Work in the background that goes through large tables page by page. Each resolves with true when it is finished. */

const CHUNKS_PER_COMMAND = 500;
const DELETIONS_PER_PAGE = 256;
const DELETE_TIMEOUT_MS = 30_000;

/** Drops all chunks of a file that is gone, then the file itself. */
export async function dropFileChunks(leadership: Leadership, ino: InodeNumber): Promise<boolean> {
  for (;;) {
    if (leadership.tables.reclaims.get(ino) === undefined) return true;
    // What was dropped is not listed again, so that every page is the first one.
    const listed = await leadership.store.fileChunksPage(ino, 0, CHUNKS_PER_COMMAND + 1);
    const indexes = listed.slice(0, CHUNKS_PER_COMMAND).map(({ index }) => index);
    const isLast = listed.length <= CHUNKS_PER_COMMAND;
    if (!(await leadership.proposeQuietly({ type: "dropChunks", body: { ino, indexes, isLast } })))
      return false;
    if (isLast) return true;
  }
}

/** Goes through all chunks of a file: those cut off by a truncation are dropped, others follow the file's wishes. */
export async function sweepFileChunks(leadership: Leadership, ino: InodeNumber): Promise<boolean> {
  const sequence = leadership.tables.sweeps.get(ino)?.sequence;
  if (sequence === undefined) return true;
  let firstIndex = 0;
  for (;;) {
    const listed = await leadership.store.fileChunksPage(ino, firstIndex, CHUNKS_PER_COMMAND + 1);
    const indexes = listed.slice(0, CHUNKS_PER_COMMAND).map(({ index }) => index);
    const isLast = listed.length <= CHUNKS_PER_COMMAND;
    const body = { ino, indexes, isLast, sequence };
    if (!(await leadership.proposeQuietly({ type: "sweepChunks", body }))) return false;
    if (isLast) return leadership.tables.sweeps.get(ino) === undefined;
    firstIndex = (indexes.at(-1) ?? 0) + 1;
  }
}

/** Has a server delete replicas that are of no use any more. */
export async function deleteReplicas(leadership: Leadership, csId: CsId): Promise<boolean> {
  for (;;) {
    if (leadership.isClosed || !leadership.links.isConnected(csId)) return true;
    const listed = await leadership.store.deletionsPage(csId, undefined, DELETIONS_PER_PAGE);
    if (listed.length === 0) return true;
    const results = await Promise.all(listed.map((replica) => deleteReplica(leadership, csId, replica)));
    const replicas = listed.filter((_, index) => results[index]);
    if (replicas.length === 0) return false;
    if (!(await leadership.proposeQuietly({ type: "replicasDeleted", body: { csId, replicas } })))
      return false;
  }
}

async function deleteReplica(leadership: Leadership, csId: CsId, body: ChunkAt): Promise<boolean> {
  try {
    await leadership.links.command(csId, { type: "deleteReplica", body }, DELETE_TIMEOUT_MS);
    return true;
  } catch (error) {
    if (failureOf(error) === undefined) throw error;
    return false;
  }
}
