import type { Brand } from "../base/index.js";

/** A chunk for ever: from a replicated counter, never used twice. */
export type ChunkId = Brand<number, "ChunkId">;
/** One incarnation of a chunk's replica set. Grows with every change of it; a server refuses any other one. */
export type ChunkVersion = Brand<number, "ChunkVersion">;
/** A chunk server for ever: from 1025 up, never used twice. */
export type CsId = Brand<number, "CsId">;

export const chunkId = (value: number): ChunkId => value as ChunkId;
export const chunkVersion = (value: number): ChunkVersion => value as ChunkVersion;
export const csId = (value: number): CsId => value as CsId;

/** So many versions of a chunk are left out when its record comes back from before a recovery of the metadata: nobody has seen the next. */
export const RECOVERY_VERSION_GAP = 2 ** 20;

/** The first CSID of a cluster, as in the original. */
export const FIRST_CS_ID = 1025;
