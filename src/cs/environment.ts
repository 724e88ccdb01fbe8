import type { FailureCode } from "../base/index.js";
import type { ChunkId, ChunkVersion, CsId } from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import type { Logger } from "../telemetry/index.js";
import type { CargoMeter } from "./cargo.js";
import type { Courtesy } from "./courtesy.js";
import type { MendOutcome } from "./mending.js";
import type { SuccessorLinks } from "./successor-links.js";

/** Times and bounds of a chunk server. */
export interface CsLimits {
  /** For an answer to a forwarded change, for each server behind. Default 4,000 ms. */
  readonly forwardTimeoutMs: number;
  /** Payloads of clients' writes kept in memory; more are refused with `busy`. Default 64 MiB. */
  readonly admittedBytesMax: number;
  /** The same for one chunk. Default 16 MiB. */
  readonly chunkBytesMax: number;
  /** A region is cleaned when it was not used for that long, longer where regions come back. Default 2,000 ms. */
  readonly cleanIdleMs: number;
  /** With more dirty regions than this the longest unused are cleaned at once. Default 2,048. */
  readonly dirtyRegionsMax: number;
  /** Background reads of resynchronisation served at the same time. Default 4. */
  readonly backgroundReadsMax: number;
  /** Resynchronisation fetches no faster than this. Default: no limit. */
  readonly fillBytesPerSecond: number | undefined;
  /** After that long without draining, a stop is no longer graceful. Default 5,000 ms. */
  readonly drainTimeoutMs: number;
}

export const DEFAULT_LIMITS: CsLimits = {
  forwardTimeoutMs: 4_000,
  admittedBytesMax: 64 * 1024 * 1024,
  chunkBytesMax: 16 * 1024 * 1024,
  cleanIdleMs: 2_000,
  dirtyRegionsMax: 2_048,
  backgroundReadsMax: 4,
  fillBytesPerSecond: undefined,
  drainTimeoutMs: 5_000,
};

/** What a replica may use of the server it belongs to. */
export interface ReplicaEnvironment {
  readonly selfId: CsId;
  readonly incarnation: number;
  readonly clock: Clock;
  readonly links: SuccessorLinks;
  readonly limits: CsLimits;
  readonly cargoMeter: CargoMeter;
  /** Of what is copied to here. */
  readonly courtesy: Courtesy;
  readonly log: Logger;
  /** Tells the MDS that a member of a chain failed. */
  report(chunkId: ChunkId, version: ChunkVersion, csId: CsId, code: FailureCode): void;
  /** The disk had blocks of the chunk wrong, the first of them there. */
  damageFound(chunkId: ChunkId, offset: number, outcome: MendOutcome): void;
  /** Bytes of a replica that is being made here came from another server. */
  filled(bytes: number): void;
  /** The disk failed in a way that an operator must hear of. */
  diskFailed(code: FailureCode): void;
  /** Whether so many bytes more may be written to the disk. */
  takeRoom(lengthBytes: number): boolean;
}
