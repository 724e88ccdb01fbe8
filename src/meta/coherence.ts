import type { Attributes } from "./attributes.js";
import type { InodeNumber } from "./ids.js";

/**
 * Something that a session may keep, and that is not true any more.
 * - `inode`: attributes and extended attributes of `ino`.
 * - `contents`: the same, and its data.
 * - `entry`: the name `name` in the directory `ino`, and any listing of it.
 * - `entries`: all names in the directory `ino`.
 * - `sole`: that nobody else knows anything of `ino`; what is kept stays true.
 *
 * With whatever concerns an inode of which it has been alone the session acknowledges only when every mutation that it
 * answered early has been answered by the MDS.
 */
export interface InvalidItem {
  readonly kind: "inode" | "contents" | "entry" | "entries" | "sole";
  readonly ino: InodeNumber;
  /** Of `entry`; else empty. */
  readonly name: Uint8Array;
}

/**
 * Drop this, then answer `invalidated`: the change that caused it is not answered before. What is asked at this moment
 * is not to be kept either.
 */
export interface Invalidate {
  /** Different for every push of a stream. */
  readonly number: number;
  readonly items: readonly InvalidItem[];
}

/** The session keeps nothing any more of what that push named. */
export interface Invalidated {
  readonly number: number;
  /** Directories no name of which is kept any more, neither. */
  readonly released: readonly InodeNumber[];
}

/** What a session that caches has to know beside the answer. */
export interface Coherence {
  /** Of a mutation: the present attributes of other inodes that it changed. */
  readonly changed: readonly Attributes[];
  /** Attributes of these inodes in this answer may not be kept: another session writes the file. */
  readonly fleeting: readonly InodeNumber[];
  /** Of a mutation: what it made untrue of what this session may keep. */
  readonly dropped: readonly InvalidItem[];
  /** Of these inodes and directories nobody else knows anything now, or will before this session has given that up. */
  readonly sole: readonly InodeNumber[];
}
