import type { InodeNumber } from "./ids.js";
import type { MutationId, Opened } from "./requests.js";

/**
 * Opens files for reading that nobody has asked for yet. At most `OPEN_AHEAD_MAX`. Those that could not be opened at once, or are open
 * already, are left as they are.
 */
export interface OpenAhead {
  readonly id: MutationId;
  readonly files: readonly { readonly ino: InodeNumber }[];
}
export const OPEN_AHEAD_MAX = 64;
/** Of openAhead: those that were opened. */
export interface OpenedAhead {
  readonly files: readonly Opened[];
}

/** Inodes that were read: access times move on as with `relatime`, and nothing else does. At most `ACCESSED_MAX`. */
export interface MarkAccessed {
  readonly id: MutationId;
  readonly files: readonly { readonly ino: InodeNumber }[];
}
export const ACCESSED_MAX = 256;
