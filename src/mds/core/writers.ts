import type { ChunkId } from "../../chunk/index.js";
import type { InodeNumber, SessionId } from "../../meta/index.js";
import type { WriterRecord } from "./records.js";
import type { Tables } from "./tables.js";

/** Which chunks of a file a session may have writes under way to: those must be fenced if it dies. */

export function addWriter(tables: Tables, ino: InodeNumber, sessionId: SessionId, chunkId: ChunkId): void {
  if (tables.writers.get(ino, sessionId, chunkId) !== undefined) return;
  tables.writers.put({ ino, sessionId, chunkId }, ino, sessionId, chunkId);
}

export function hasWriters(tables: Tables, ino: InodeNumber, sessionId: SessionId): boolean {
  return tables.writers.valuesOf(ino, sessionId).next().done !== true;
}

/** Takes up to `limit` of the records out of the table. */
export function takeWriters(
  tables: Tables,
  ino: InodeNumber,
  sessionId: SessionId,
  limit: number,
): WriterRecord[] {
  const taken: WriterRecord[] = [];
  for (const writer of tables.writers.valuesOf(ino, sessionId)) {
    if (taken.length >= limit) break;
    taken.push(writer);
  }
  for (const { chunkId } of taken) tables.writers.delete(ino, sessionId, chunkId);
  return taken;
}

/** All of them at once: at most one for each chunk of the file. */
export function dropWriters(tables: Tables, ino: InodeNumber, sessionId: SessionId): void {
  for (const { chunkId } of [...tables.writers.valuesOf(ino, sessionId)]) {
    tables.writers.delete(ino, sessionId, chunkId);
  }
}
