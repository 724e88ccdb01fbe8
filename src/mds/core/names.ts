import { storageError, toLatin1 } from "../../base/index.js";
import { NAME_BYTES_MAX } from "../../meta/index.js";

/** Names of directory entries as keys: Latin-1 text, one character a byte. */

/** A name that may be looked up, `.` and `..` among them. Failures: `invalid`, `name_too_long`. */
export function nameKey(name: Uint8Array): string {
  if (name.length > NAME_BYTES_MAX) throw storageError("name_too_long");
  if (name.length === 0 || name.includes(SLASH) || name.includes(NUL))
    throw storageError("invalid", "not a name");
  return toLatin1(name);
}

/** A name that an entry can have; `.` and `..` give the failure named by the caller. */
export function entryKey(name: Uint8Array, dotFailure: "exists" | "invalid" | "is_directory"): string {
  const key = nameKey(name);
  if (key === "." || key === "..") throw storageError(dotFailure, "`.` and `..` are not entries");
  return key;
}

const SLASH = 0x2f;
const NUL = 0;
