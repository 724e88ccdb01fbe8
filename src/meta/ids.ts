import type { Brand } from "../base/index.js";

/** A file, directory or anything else with attributes; from a replicated counter, never used twice. */
export type InodeNumber = Brand<number, "InodeNumber">;
/** One mount or library user, from its first hello to its end; survives changes of connection and leader. */
export type SessionId = Brand<number, "SessionId">;
/** A metadata server for ever: from 1 up. */
export type MdsId = Brand<number, "MdsId">;

export const inodeNumber = (value: number): InodeNumber => value as InodeNumber;
export const sessionId = (value: number): SessionId => value as SessionId;
export const mdsId = (value: number): MdsId => value as MdsId;

/** The root directory. */
export const ROOT_INODE = 1 as InodeNumber;
