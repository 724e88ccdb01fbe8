import { storageError } from "../base/index.js";
import {
  type GetChunkMaps,
  type InodeNumber,
  isFile,
  type MetadataQuery,
  type MetadataReply,
  type ReadDirectory,
  type SessionId,
} from "../meta/index.js";
import type { CallContext } from "../rpc/index.js";
import { chunkAt, chunkMapOf } from "./core/chunks.js";
import { inlineOf } from "./core/inline-contents.js";
import {
  answerQuery as answerPointQuery,
  entriesOf,
  type HeldAttributes,
  heldAttributes,
  listingOf,
} from "./core/queries.js";
import { filesystemStatistics } from "./core/statistics.js";
import type { Leadership } from "./leadership.js";

/** A waiting query looks again at least this often. */
const WAIT_MS_MAX = 1000;
/** Chunk maps of one answer at most. */
const CHUNK_MAPS_MAX = 1024;

/**
 * Answers a question from the state as of now: nothing that anybody was told before is missing. `seen` is called with
 * every answer read from the state, in the same moment.
 */
export async function answerQuery(
  leadership: Leadership,
  session: SessionId,
  query: MetadataQuery,
  context: CallContext,
  seen: (reply: MetadataReply) => void,
): Promise<MetadataReply> {
  await leadership.readBarrier();
  switch (query.type) {
    case "lookup":
    case "getAttributes":
    case "resolvePath": {
      const reply = answerPointQuery(leadership.tables, session, query);
      seen(reply);
      if (reply.type !== "entry" || !isFile(reply.body.attributes.mode)) return reply;
      if (query.type === "resolvePath" && query.body.mayBeStale) return reply;
      const isFresh = await freshAttributes(leadership, session, reply.body.attributes.ino, context);
      return isFresh ? reply : answerPointQuery(leadership.tables, session, query);
    }
    case "readDirectory":
      return await readDirectory(leadership, session, query.body, context, seen);
    case "statFilesystem":
      return { type: "filesystem", body: filesystemStatistics(leadership.tables) };
    case "getChunkMaps":
      return await chunkMaps(leadership, query.body, context);
    default:
      return answerPointQuery(leadership.tables, session, query);
  }
}

/**
 * Makes sure that size and times in the tables are what the holder of the file was acknowledged. True if they were
 * already; false if they have been brought up to date.
 */
export async function freshAttributes(
  leadership: Leadership,
  session: SessionId,
  ino: InodeNumber,
  { deadlineMs, signal }: CallContext,
): Promise<boolean> {
  const { clock, tables } = leadership;
  const endMs = clock.monotonicMs() + deadlineMs;
  let isFirst = true;
  for (;;) {
    const since = leadership.waiters.now;
    const held = heldAttributes(tables, ino, session);
    if (held === undefined) return isFirst;
    isFirst = false;
    const leftMs = endMs - clock.monotonicMs();
    if (leftMs <= 0 || signal.aborted)
      throw storageError("timed_out", "the writer of the file does not answer");
    const waitMs = Math.min(leftMs, WAIT_MS_MAX);
    if (held.type === "wait") await leadership.waiters.wait(held.key, since, waitMs, signal);
    else if (await isAnswered(leadership, held, since, waitMs)) return false;
    leadership.requireLeading();
  }
}

/** A holder that was about to close the file does not answer, but its close has told everything: look again then. */
async function isAnswered(
  leadership: Leadership,
  held: Extract<HeldAttributes, { readonly type: "ask" }>,
  since: number,
  maxMs: number,
): Promise<boolean> {
  const { sessionId, ino, leaseSequence } = held;
  const isOver = new AbortController();
  const closed = leadership.waiters.wait({ type: "lease", ino }, since, maxMs, isOver.signal);
  const answered = leadership.askForAttributes(sessionId, ino, leaseSequence, maxMs);
  try {
    return await Promise.race([answered, closed.then(() => false)]);
  } finally {
    isOver.abort();
  }
}

async function readDirectory(
  leadership: Leadership,
  session: SessionId,
  body: ReadDirectory,
  context: CallContext,
  seen: (reply: MetadataReply) => void,
): Promise<MetadataReply> {
  const listing = listingOf(leadership.tables, body);
  const page = await leadership.store.directoryPage(listing.ino, listing.after, listing.limit + 1);
  const entries = page.slice(0, listing.limit).map(({ name, entry }) => [name, entry] as const);
  if (body.withAttributes) {
    for (const [, { ino, mode }] of entries) {
      // Held files are few: the rest costs a look into a table in memory.
      if (isFile(mode)) await freshAttributes(leadership, session, ino, context);
    }
  }
  const reply = entriesOf(leadership.tables, entries, body.withAttributes, page.length <= listing.limit);
  seen(reply);
  return reply;
}

/** Waits for chunks that are being reconfigured: a map is of an installed version or none. */
async function chunkMaps(
  leadership: Leadership,
  { ino, firstIndex, count }: GetChunkMaps,
  { deadlineMs, signal }: CallContext,
): Promise<MetadataReply> {
  const { clock, tables } = leadership;
  const inode = tables.inodes.get(ino);
  if (inode === undefined) throw storageError("not_found", "the file is gone");
  const inline = inlineOf(tables, inode);
  // A chunk that is being made to take them over has nothing that anybody may read yet.
  if (inline !== undefined) return { type: "chunkMaps", body: { maps: [], inline } };
  const endMs = clock.monotonicMs() + deadlineMs;
  const maps = [];
  for (let index = firstIndex; index < firstIndex + Math.min(count, CHUNK_MAPS_MAX); index++) {
    for (;;) {
      const since = leadership.waiters.now;
      const record = chunkAt(tables, ino, index);
      if (record === undefined) break;
      if (record.installed && record.chain.some(({ syncing }) => !syncing)) {
        maps.push(chunkMapOf(tables, record));
        break;
      }
      const leftMs = endMs - clock.monotonicMs();
      if (leftMs <= 0 || signal.aborted) throw storageError("timed_out", "no replica of a chunk is online");
      const key = { type: "chunk" as const, chunkId: record.chunkId };
      await leadership.waiters.wait(key, since, Math.min(leftMs, WAIT_MS_MAX), signal);
      leadership.requireLeading();
    }
  }
  return { type: "chunkMaps", body: { maps } };
}
