import { fromLatin1, storageError } from "../../base/index.js";
import {
  type DirectoryEntry,
  type InodeNumber,
  isSymlink,
  type MetadataMutation,
  type MetadataQuery,
  type MetadataReply,
  type ReadDirectory,
  type SessionId,
} from "../../meta/index.js";
import type { WaitKey } from "./command.js";
import { attributesOf, directoryOf, inodeOf } from "./inodes.js";
import { testLock } from "./locks.js";
import { lookup } from "./lookup.js";
import { nameKey } from "./names.js";
import type { DentryRecord, InodeRecord } from "./records.js";
import { resolvePath } from "./resolve-path.js";
import type { Tables } from "./tables.js";
import { xattrKey } from "./xattr-records.js";

/** Questions that a few point reads answer. Failures are thrown. */

/** Those answered here; the others need a listing (`readDirectory`), or concern chunks and space. */
export type PointQuery = Extract<
  MetadataQuery,
  {
    readonly type:
      | "lookup"
      | "getAttributes"
      | "resolvePath"
      | "readSymlink"
      | "getXattr"
      | "listXattrs"
      | "testLock";
  }
>;

/**
 * Answers a query from the tables as they are. If the reply has attributes, ask `heldAttributes` whether their size
 * may be older than what another session was acknowledged.
 */
export function answerQuery(tables: Tables, sessionId: SessionId, query: PointQuery): MetadataReply {
  switch (query.type) {
    case "lookup":
      return entry(lookup(tables, query.body.parent, query.body.name));
    case "getAttributes":
      return entry(inodeOf(tables, query.body.ino));
    case "resolvePath":
      return entry(resolvePath(tables, query.body));
    case "readSymlink":
      return { type: "value", body: { value: targetOf(inodeOf(tables, query.body.ino)) } };
    case "getXattr":
      return { type: "value", body: { value: xattrOf(tables, query.body.ino, query.body.name) } };
    case "listXattrs":
      return { type: "xattrNames", body: { names: inodeOf(tables, query.body.ino).xattrNames } };
    case "testLock":
      return { type: "lockState", body: testLock(tables, sessionId, query.body.lock) };
  }
}

/**
 * The size and times of a file may be known better by the session that holds it exclusively.
 * - `ask`: push `recallLease` with `to` `exclusive` and a number to that session. It answers with a `reportFile` of
 *   that number, whose effect is `attributesReported`. Then answer from the tables. Ask anew if the holder has changed
 *   meanwhile.
 * - `wait`: the holder is coming down, or dead and its size being recovered; look again when the key is woken.
 */
export type HeldAttributes =
  | {
      readonly type: "ask";
      readonly sessionId: SessionId;
      readonly ino: InodeNumber;
      readonly leaseSequence: number;
    }
  | { readonly type: "wait"; readonly key: WaitKey };

/** What must happen before this session may be told the attributes of that inode; undefined: nothing. */
export function heldAttributes(
  tables: Tables,
  ino: InodeNumber,
  sessionId: SessionId,
): HeldAttributes | undefined {
  if (tables.recoveries.get(ino)?.wasExclusive === true) return { type: "wait", key: { type: "lease", ino } };
  for (const open of tables.opens.valuesOf(ino)) {
    // Beside an exclusive lease there are only records without any.
    if (open.lease === "none") continue;
    if (open.lease !== "exclusive" || open.sessionId === sessionId) return undefined;
    const isGoing = open.recallTo !== undefined || tables.sessions.get(open.sessionId)?.isEnding !== false;
    if (isGoing) return { type: "wait", key: { type: "lease", ino } };
    return { type: "ask", sessionId: open.sessionId, ino, leaseSequence: open.leaseSequence };
  }
  return undefined;
}

/** The inode whose attributes a mutation answers with, so that `heldAttributes` must be asked before it is proposed. */
export function attributesAskedBy(mutation: MetadataMutation): InodeNumber | undefined {
  const { type, body } = mutation;
  return type === "link" || type === "setAttributes" || type === "setStorage" ? body.ino : undefined;
}

/** Entries of one reply at most. */
export const READ_DIRECTORY_MAX = 4096;

/** Where a listing begins, for the store: names greater than `after`, at most `limit` of them. */
export interface Listing {
  readonly ino: InodeNumber;
  readonly after: string;
  readonly limit: number;
}

export function listingOf(tables: Tables, { ino, after, limit }: ReadDirectory): Listing {
  directoryOf(tables, ino);
  if (!(Number.isInteger(limit) && limit >= 0)) throw storageError("invalid", "not a limit");
  const from = after.length === 0 ? "" : nameKey(after);
  return { ino, after: from, limit: limit === 0 ? READ_DIRECTORY_MAX : Math.min(limit, READ_DIRECTORY_MAX) };
}

/** The reply, from what the store listed. An entry whose inode has gone meanwhile is left out. */
export function entriesOf(
  tables: Tables,
  listed: readonly (readonly [name: string, dentry: DentryRecord])[],
  withAttributes: boolean,
  isEnd: boolean,
): MetadataReply {
  const entries: DirectoryEntry[] = [];
  for (const [name, { ino, mode }] of listed) {
    const inode = withAttributes ? tables.inodes.get(ino) : undefined;
    if (withAttributes && inode === undefined) continue;
    const plain = { name: fromLatin1(name), ino, mode };
    entries.push(inode === undefined ? plain : { attributes: attributesOf(inode), ...plain });
  }
  return { type: "entries", body: { entries, isEnd } };
}

const entry = (inode: InodeRecord): MetadataReply => ({
  type: "entry",
  body: { attributes: attributesOf(inode) },
});

function targetOf(inode: InodeRecord): Uint8Array {
  if (!isSymlink(inode.mode)) throw storageError("invalid", "not a symbolic link");
  return inode.target;
}

function xattrOf(tables: Tables, ino: InodeNumber, name: Uint8Array): Uint8Array {
  const value = tables.xattrs.get(inodeOf(tables, ino).ino, xattrKey(name));
  if (value === undefined) throw storageError("no_such_attribute");
  return value;
}
