import {
  type Attributes,
  type Create,
  type EarlyMutation,
  type InodeNumber,
  inheritedFrom,
  inlineBytesMaxOf,
  isDirectory,
  isFile,
  isSymlink,
  isWord,
  LINK_COUNT_MAX,
  type MetadataMutation,
  type MetadataReply,
  MODE_PERMISSIONS,
  MODE_SETGID,
  MODE_SETUID,
  MODE_TYPE,
  type MutationId,
  NAME_BYTES_MAX,
  type Remove,
  type SetAttributes,
  SYMLINK_BYTES_MAX,
  type Timestamp,
  timestampOf,
} from "../../meta/index.js";
import type { OwnName } from "./metadata-cache.js";

/**
 * What the MDS will answer a mutation and how things will be then: for certain, since this session is alone with
 * everything that it concerns and knows it. Whatever is not certain, a failure among it, is not predicted.
 */

/** What is known here. All of it may be believed at this moment. */
export interface KnownAlone {
  /** Nobody else knows or changes anything of it without this session being asked first. */
  isSole(ino: InodeNumber): boolean;
  attributes(ino: InodeNumber): Attributes | undefined;
  /** `null`: there is no such name. */
  entry(directory: InodeNumber, name: Uint8Array): InodeNumber | null | undefined;
}

/** What the next new inode gets. */
export interface ReservedNumber {
  readonly ino: InodeNumber;
  readonly lease: number;
  /** As `bytesMax` of the contents of a new file. */
  readonly inlineBytesMax: number;
}

/** A mutation with its outcome. */
export interface Prediction {
  readonly make: (id: MutationId) => EarlyMutation;
  readonly reply: MetadataReply;
  /** Attributes as they are after it. */
  readonly inodes: readonly Attributes[];
  readonly gone: readonly InodeNumber[];
  readonly names: readonly OwnName[];
  /** The new inode: this session is alone with it. */
  readonly created?: InodeNumber | undefined;
  /** Of the new symbolic link. */
  readonly target?: Uint8Array | undefined;
}

/** Whether `predict` may ask for a number. */
export const usesNumber = ({ type }: MetadataMutation): boolean => type === "create";

/** Undefined if the outcome is not certain. `number` is used up if the prediction has `created`. */
export function predict(
  known: KnownAlone,
  mutation: MetadataMutation,
  number: ReservedNumber | undefined,
  stampMs: number,
): Prediction | undefined {
  const now = timestampOf(stampMs);
  switch (mutation.type) {
    case "create":
      return number === undefined ? undefined : predictCreate(known, mutation.body, number, now);
    case "remove":
      return predictRemove(known, mutation.body, now);
    case "setAttributes":
      return predictSetAttributes(known, mutation.body, now);
    default:
      return undefined;
  }
}

function predictCreate(
  known: KnownAlone,
  body: Create,
  { ino, lease, inlineBytesMax }: ReservedNumber,
  now: Timestamp,
): Prediction | undefined {
  const { parent: directory, name, open, umask = 0 } = body;
  const parent = directoryAlone(known, directory);
  // A directory may have a default ACL.
  if (parent?.noXattrs !== true || !isRightCreate(body) || parent.storage.exclusive) return undefined;
  if (known.entry(directory, name) !== null) return undefined;
  const isNewDirectory = isDirectory(body.mode);
  if (isNewDirectory && parent.linkCount >= LINK_COUNT_MAX) return undefined;
  const { mode, gid } = inheritedFrom(parent, body);
  const attributes: Attributes = {
    ino,
    generation: 1,
    mode: isSymlink(mode) ? mode : mode & ~(umask & 0o777),
    linkCount: isNewDirectory ? 2 : 1,
    uid: body.uid,
    gid,
    rdev: 0,
    sizeBytes: isSymlink(mode) ? body.target.length : 0,
    allocatedBytes: 0,
    atime: now,
    mtime: now,
    ctime: now,
    birthTime: now,
    storage: parent.storage,
    changeCount: 1,
    dataVersion: undefined,
    noXattrs: true,
  };
  const bytesMax = inlineBytesMaxOf(inlineBytesMax, parent.storage);
  const kind = open === undefined ? "none" : open === "write" ? "exclusive" : "read";
  const inline = open === undefined || bytesMax === 0 ? {} : { inline: { bytes: NOTHING, bytesMax } };
  return {
    make: (id) => ({ type: "create", body: { open, ...body, id, ino } }),
    reply: {
      type: "opened",
      body: {
        attributes,
        lease: { kind, sequence: open === undefined ? 0 : lease },
        created: true,
        ...inline,
      },
    },
    inodes: [changedDirectory(parent, 1, isNewDirectory ? 1 : 0, now), attributes],
    gone: [],
    names: [{ directory, name, ino }],
    created: ino,
    target: isSymlink(mode) ? body.target : undefined,
  };
}

function isRightCreate({ name, mode, uid, gid, rdev, target, open, umask = 0, unnamed }: Create): boolean {
  if (unnamed === true || !isName(name) || ![mode, uid, gid, rdev, umask].every(isWord)) return false;
  if (isFile(mode)) return open !== "exclusive";
  if (open !== undefined) return false;
  if (isDirectory(mode)) return true;
  return isSymlink(mode) && target.length > 0 && target.length <= SYMLINK_BYTES_MAX && !target.includes(0);
}

function predictRemove(known: KnownAlone, body: Remove, now: Timestamp): Prediction | undefined {
  const { parent: directory, name } = body;
  const parent = directoryAlone(known, directory);
  const ino = known.entry(directory, name);
  if (parent === undefined || ino === undefined || ino === null || !isName(name)) return undefined;
  const inode = alone(known, ino);
  if (inode === undefined || isDirectory(inode.mode) !== body.directory) return undefined;
  if (body.directory && inode.sizeBytes > 0) return undefined;
  const isLast = body.directory || inode.linkCount <= 1;
  const rest = { ...inode, linkCount: inode.linkCount - 1, ctime: now, changeCount: inode.changeCount + 1 };
  const after = changedDirectory(parent, -1, body.directory ? -1 : 0, now);
  return {
    make: (id) => ({ type: "remove", body: { ...body, id } }),
    reply: { type: "ok", body: {} },
    inodes: isLast ? [after] : [after, rest],
    gone: isLast ? [ino] : [],
    names: [{ directory, name, ino: null }],
  };
}

function predictSetAttributes(
  known: KnownAlone,
  body: SetAttributes,
  now: Timestamp,
): Prediction | undefined {
  const inode = alone(known, body.ino);
  // An ACL follows the mode, a capability goes with the owner.
  if (inode?.noXattrs !== true || body.accessed === true || !isRightChange(inode, body)) return undefined;
  const attributes: Attributes = {
    ...inode,
    mode: body.mode === undefined ? inode.mode : (inode.mode & MODE_TYPE) | (body.mode & MODE_PERMISSIONS),
    uid: body.uid ?? inode.uid,
    gid: body.gid ?? inode.gid,
    atime: body.atime ?? (body.atimeNow ? now : inode.atime),
    mtime: body.mtime ?? (body.mtimeNow ? now : inode.mtime),
    ctime: now,
    changeCount: inode.changeCount + 1,
  };
  return {
    make: (id) => ({ type: "setAttributes", body: { ...body, id } }),
    reply: { type: "entry", body: { attributes } },
    inodes: [attributes],
    gone: [],
    names: [],
  };
}

function isRightChange(inode: Attributes, body: SetAttributes): boolean {
  const { mode, uid, gid, atime, mtime } = body;
  // That one may change nothing.
  if (body.killPrivileges === true) return false;
  const hasPrivileges = (inode.mode & (MODE_SETUID | MODE_SETGID)) !== 0 && !isDirectory(inode.mode);
  if (hasPrivileges && (uid !== undefined || gid !== undefined)) return false;
  for (const word of [mode, uid, gid]) if (word !== undefined && !isWord(word)) return false;
  return [atime, mtime].every((time) => time === undefined || isRightTime(time));
}

const isRightTime = ({ seconds, nanos }: Timestamp): boolean =>
  Number.isSafeInteger(seconds) && Number.isInteger(nanos) && nanos >= 0 && nanos < 1e9;

const alone = (known: KnownAlone, ino: InodeNumber): Attributes | undefined =>
  known.isSole(ino) ? known.attributes(ino) : undefined;

function directoryAlone(known: KnownAlone, ino: InodeNumber): Attributes | undefined {
  const attributes = alone(known, ino);
  return attributes !== undefined && isDirectory(attributes.mode) ? attributes : undefined;
}

function changedDirectory(directory: Attributes, entries: number, links: number, now: Timestamp): Attributes {
  return {
    ...directory,
    sizeBytes: directory.sizeBytes + entries,
    linkCount: directory.linkCount + links,
    mtime: now,
    ctime: now,
    changeCount: directory.changeCount + 1,
  };
}

const [SLASH, NUL, DOT] = [0x2f, 0, 0x2e];

const isName = (name: Uint8Array): boolean =>
  name.length > 0 &&
  name.length <= NAME_BYTES_MAX &&
  !name.includes(SLASH) &&
  !name.includes(NUL) &&
  !(name.length <= 2 && name.every((byte) => byte === DOT));

const NOTHING = new Uint8Array(0);
