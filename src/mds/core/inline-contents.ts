import { storageError } from "../../base/index.js";
import {
  type InlineContents,
  type InodeNumber,
  inlineBytesMaxOf,
  isFile,
  type MetadataReply,
  type Opened,
  type SessionId,
} from "../../meta/index.js";
import { inlineSize } from "./cluster-config.js";
import type { Context } from "./context.js";
import { putInode } from "./inodes.js";
import { inlineBytesMaxAt, levelOf } from "./levels.js";
import type { ChunkRecord, InodeRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * Contents of small files that are kept here instead of in chunks. What is always true:
 *
 * - There is a record in `inlines` if and only if the inode has `inlineBytes`, its length.
 * - While there is one it is the file: these bytes, then zeros up to the size. A chunk of the file is then at most one, of
 *   index 0, which was never installed and of which nobody has a map: the one that is being made to take them over.
 * - While that chunk is being made the record does not change, so that all its servers are given the same bytes. The record
 *   goes with the very entry of the log that says that all of them have them, safe from loss of power.
 *
 * So there is no moment in which the bytes are nowhere, or in two places that could differ.
 */
export function inlineOf(tables: Pick<Tables, "inlines">, inode: InodeRecord): Uint8Array | undefined {
  return inode.inlineBytes === undefined ? undefined : tables.inlines.get(inode.ino);
}

/** Fails with `conflict` if the file has chunks: its contents, or part of them, are there. */
export function checkMayBeInline(
  tables: Pick<Tables, "cluster">,
  { chunkCount, storage, inlineBytes = 0 }: InodeRecord,
  bytes: Uint8Array,
): void {
  // What was configured when the client was told may have been more than now; and what is there already may stay.
  const bytesMax = Math.max(inlineBytes, inlineBytesMaxAt(levelOf(tables)));
  if (bytes.length > inlineBytesMaxOf(bytesMax, storage))
    throw storageError("invalid", "too much to be kept in the metadata");
  if (chunkCount > 0) throw storageError("conflict", "the file has chunks");
}

/** Keeps the contents of the file; what the inode then has to have. The caller has checked that it may, and puts the inode. */
export function keepInline(
  { tables }: Context,
  ino: InodeNumber,
  bytes: Uint8Array,
): Pick<InodeRecord, "inlineBytes"> {
  if (bytes.length === 0) {
    tables.inlines.delete(ino);
    return { inlineBytes: undefined };
  }
  // A copy: the bytes are a view on the command they came with.
  tables.inlines.put(bytes.slice(), ino);
  return { inlineBytes: bytes.length };
}

/** The file is cut: what its inode then has to have. No chunk is being made of it. */
export function cutInline(context: Context, inode: InodeRecord, sizeBytes: number): Partial<InodeRecord> {
  const bytes = inlineOf(context.tables, inode);
  if (bytes === undefined || bytes.length <= sizeBytes) return {};
  return keepInline(context, inode.ino, bytes.subarray(0, sizeBytes));
}

/** What the servers of a chunk that nobody has written yet must begin with. */
export function contentsToInstall(
  tables: Pick<Tables, "inlines">,
  { ino, index, installedVersion }: ChunkRecord,
): Uint8Array | undefined {
  return index === 0 && installedVersion === 0 ? tables.inlines.get(ino) : undefined;
}

/** The chunk is installed for the first time: what was here is there. Puts the inode. */
export function movedOut(context: Context, { ino, index }: ChunkRecord): void {
  const inode = context.tables.inodes.get(ino);
  if (index !== 0 || inode?.inlineBytes === undefined) return;
  context.tables.inlines.delete(ino);
  putInode(context, { ...inode, inlineBytes: undefined });
}

/** What the holder of a lease is told of the contents of its file, as they are now; see `Opened.inline`. */
export function inlineFor(
  tables: Tables,
  sessionId: SessionId,
  ino: InodeNumber,
): InlineContents | undefined {
  const inode = tables.inodes.get(ino);
  const lease = tables.opens.get(ino, sessionId)?.lease;
  if (inode === undefined || !isFile(inode.mode) || inode.chunkCount > 0) return undefined;
  if (lease !== "exclusive" && lease !== "read") return undefined;
  const bytesMax = inlineBytesMaxOf(inlineSize(tables), inode.storage);
  const bytes = inlineOf(tables, inode);
  return bytes === undefined && bytesMax === 0 ? undefined : { bytes: bytes ?? NOTHING, bytesMax };
}

const NOTHING = new Uint8Array(0);

/**
 * Adds the contents to an answer that is about to be given: not when the command is applied, since answers are kept. Only
 * if the lease is still the one that is answered, so that they belong to it.
 */
export function withInline(tables: Tables, sessionId: SessionId, reply: MetadataReply): MetadataReply {
  const filled = (opened: Opened): Opened => openedWithInline(tables, sessionId, opened);
  if (reply.type === "opened") return { ...reply, body: filled(reply.body) };
  return reply.type === "openedAhead" ? { ...reply, body: { files: reply.body.files.map(filled) } } : reply;
}

function openedWithInline(tables: Tables, sessionId: SessionId, opened: Opened): Opened {
  const { attributes, lease } = opened;
  if (tables.opens.get(attributes.ino, sessionId)?.leaseSequence !== lease.sequence) return opened;
  const inline = inlineFor(tables, sessionId, attributes.ino);
  return inline === undefined ? opened : { attributes, lease, created: opened.created, inline };
}

/** The same for the answer of a truncation. */
export function withInlineOfCut(tables: Tables, sessionId: SessionId, reply: MetadataReply): MetadataReply {
  if (reply.type !== "entry") return reply;
  const inline = inlineFor(tables, sessionId, reply.body.attributes.ino);
  return inline === undefined ? reply : { ...reply, body: { ...reply.body, inline } };
}
