import { storageError } from "../../base/index.js";

/**
 * POSIX access control lists as Linux keeps them in `system.posix_acl_access` and `system.posix_acl_default`
 * (linux/posix_acl_xattr.h), and what they have to do with the mode. The kernel of a mount decides by them who may do
 * what; here they are checked, inherited, and kept in step with the mode.
 */

/** One line of a list. */
export interface AclEntry {
  readonly tag: number;
  /** 0 to 7. */
  readonly permissions: number;
  /** Of a named user or group; else `ACL_NO_ID`. */
  readonly id: number;
}

export const ACL_OWNER = 0x01;
export const ACL_USER = 0x02;
export const ACL_OWNING_GROUP = 0x04;
export const ACL_GROUP = 0x08;
export const ACL_MASK = 0x10;
export const ACL_OTHERS = 0x20;
export const ACL_NO_ID = 0xffffffff;

const VERSION = 2;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const PERMISSIONS = 7;
/** The bits of a mode that a list speaks of. */
export const MODE_ACL = 0o777;

/** The entries in the value of an attribute; none: the value says that there is no list. `invalid`, `unsupported`. */
export function parseAcl(value: Uint8Array): readonly AclEntry[] {
  if (value.length < HEADER_BYTES || (value.length - HEADER_BYTES) % ENTRY_BYTES !== 0) throw malformed();
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (view.getUint32(0, true) !== VERSION) throw storageError("unsupported", "not a known version of ACLs");
  const entries: AclEntry[] = [];
  for (let at = HEADER_BYTES; at < value.length; at += ENTRY_BYTES) {
    const tag = view.getUint16(at, true);
    const isNamed = tag === ACL_USER || tag === ACL_GROUP;
    const id = isNamed ? view.getUint32(at + 4, true) : ACL_NO_ID;
    entries.push({ tag, permissions: view.getUint16(at + 2, true), id });
  }
  if (entries.length > 0) checkAcl(entries);
  return entries;
}

export function buildAcl(entries: readonly AclEntry[]): Uint8Array {
  const value = new Uint8Array(HEADER_BYTES + ENTRY_BYTES * entries.length);
  const view = new DataView(value.buffer);
  view.setUint32(0, VERSION, true);
  entries.forEach(({ tag, permissions, id }, i) => {
    const at = HEADER_BYTES + ENTRY_BYTES * i;
    view.setUint16(at, tag, true);
    view.setUint16(at + 2, permissions, true);
    view.setUint32(at + 4, id, true);
  });
  return value;
}

/** The permission bits of a mode that goes with the list; the group's are those of the mask, if there is one. */
export function modeOfAcl(entries: readonly AclEntry[]): number {
  const of = (tag: number): number | undefined => entries.find((entry) => entry.tag === tag)?.permissions;
  const group = of(ACL_MASK) ?? of(ACL_OWNING_GROUP) ?? 0;
  return ((of(ACL_OWNER) ?? 0) << 6) | (group << 3) | (of(ACL_OTHERS) ?? 0);
}

/** A mode says as much as the list. */
export function isPlain(entries: readonly AclEntry[]): boolean {
  return entries.every(({ tag }) => tag === ACL_OWNER || tag === ACL_OWNING_GROUP || tag === ACL_OTHERS);
}

/** The list after chmod. */
export function aclWithMode(entries: readonly AclEntry[], mode: number): readonly AclEntry[] {
  const groupTag = groupTagOf(entries);
  return entries.map((entry) => {
    const shift = shiftOf(entry.tag, groupTag);
    return shift === undefined ? entry : { ...entry, permissions: (mode >> shift) & PERMISSIONS };
  });
}

/**
 * What a new inode gets of the default list of its directory: the mode loses what the list does not grant, and the list
 * what the mode did not ask for.
 */
export function inheritedAcl(
  defaults: readonly AclEntry[],
  mode: number,
): { readonly access: readonly AclEntry[]; readonly mode: number } {
  const groupTag = groupTagOf(defaults);
  let bits = mode & MODE_ACL;
  const access = defaults.map((entry) => {
    const shift = shiftOf(entry.tag, groupTag);
    if (shift === undefined) return entry;
    const permissions = entry.permissions & ((mode >> shift) & PERMISSIONS);
    bits = (bits & ~(PERMISSIONS << shift)) | (permissions << shift);
    return { ...entry, permissions };
  });
  return { access, mode: (mode & ~MODE_ACL) | bits };
}

/** The entry that the group bits of the mode stand for: the mask, or without one the owning group. */
const groupTagOf = (entries: readonly AclEntry[]): number =>
  entries.some(({ tag }) => tag === ACL_MASK) ? ACL_MASK : ACL_OWNING_GROUP;

/** Where in a mode the entry's permissions are; undefined: nowhere. */
function shiftOf(tag: number, groupTag: number): number | undefined {
  if (tag === ACL_OWNER) return 6;
  if (tag === ACL_OTHERS) return 0;
  return tag === groupTag ? 3 : undefined;
}

/** As `posix_acl_valid` of Linux: the classes in order, each plain one once, and a mask where somebody is named. */
function checkAcl(entries: readonly AclEntry[]): void {
  const order = [ACL_OWNER, ACL_USER, ACL_OWNING_GROUP, ACL_GROUP, ACL_MASK, ACL_OTHERS];
  let previous = -1;
  for (const { tag, permissions, id } of entries) {
    const place = order.indexOf(tag);
    const mayRepeat = tag === ACL_USER || tag === ACL_GROUP;
    const isRight = place > previous || (place === previous && mayRepeat);
    if (place < 0 || !isRight || permissions > PERMISSIONS) throw malformed();
    if (mayRepeat && id === ACL_NO_ID) throw malformed();
    previous = place;
  }
  const has = (tag: number): boolean => entries.some((entry) => entry.tag === tag);
  const isComplete = has(ACL_OWNER) && has(ACL_OWNING_GROUP) && has(ACL_OTHERS);
  if (!isComplete || (!isPlain(entries) && !has(ACL_MASK))) throw malformed();
}

const malformed = (): Error => storageError("invalid", "not an access control list");
