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
  const change: SetattrChange = {
    ...(mode === undefined ? {} : { mode: mode & MODE_PERMISSIONS }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(atime === "now" ? { atimeNow: true } : atime === undefined ? {} : { atime }),
    ...(mtime === "now" ? { mtimeNow: true } : mtime === undefined ? {} : { mtime }),
    ...(killSuidgid && sizeBytes === undefined ? { killPrivileges: true } : {}),
  };
  if (Object.keys(change).length > 0) return change;
  return sizeBytes === undefined ? { uid: ownerUid } : undefined;
}
