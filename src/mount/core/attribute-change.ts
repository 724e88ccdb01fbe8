import { MODE_PERMISSIONS, type SetAttributes } from "../../meta/index.js";
import type { RequestOf } from "../fuse-wire/requests.js";

/** What a SETATTR changes besides the size, which is a matter of its own. */
export type SetattrChange = Partial<
  Pick<SetAttributes, "mode" | "uid" | "gid" | "atime" | "mtime" | "atimeNow" | "mtimeNow" | "killPrivileges">
>;

/**
 * The change of attributes, or undefined if there is none to be made after the truncation. A request that names nothing
 * at all is chown(-1, -1): a change of owner to `ownerUid`, who owns it already.
 */
export function attributeChange(
  request: RequestOf<"setAttributes">,
  ownerUid: number,
): SetattrChange | undefined {
  const { mode, uid, gid, atime, mtime, sizeBytes, killSuidgid } = request;
  const change: { -readonly [K in keyof SetattrChange]: SetattrChange[K] } = {};
  if (mode !== undefined) change.mode = mode & MODE_PERMISSIONS;
  if (uid !== undefined) change.uid = uid;
  if (gid !== undefined) change.gid = gid;
  if (atime === "now") change.atimeNow = true;
  else if (atime !== undefined) change.atime = atime;
  if (mtime === "now") change.mtimeNow = true;
  else if (mtime !== undefined) change.mtime = mtime;
  if (killSuidgid && sizeBytes === undefined) change.killPrivileges = true;
  if (Object.keys(change).length > 0) return change;
  return sizeBytes === undefined ? { uid: ownerUid } : undefined;
}
