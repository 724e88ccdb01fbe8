import type { ChunkId, ChunkVersion, CsId } from "./ids.js";

/** One member of a chain. */
export interface ChainMember {
  readonly csId: CsId;
  /** Where its chunk service listens, `IP:PORT`. */
  readonly address: string;
  /** The host it runs on: readers prefer their own. */
  readonly hostId: string;
  /** Still being filled: it takes writes, as the last of the chain, but answers no reads. */
  readonly syncing: boolean;
}

/** What a client must know to read and write one chunk. The chain is in order: head first. */
export interface ChunkMap {
  /** Which chunk of the file, from 0. */
  readonly index: number;
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
  readonly chain: readonly ChainMember[];
  /** False below the minimum number of replicas: writes wait, reads go on. */
  readonly writable: boolean;
  /** For the requests of the session that asked (`ticket.ts`). Absent: it has no lease on the file, or the cluster uses none yet. */
  readonly ticket?: Uint8Array | undefined;
}
