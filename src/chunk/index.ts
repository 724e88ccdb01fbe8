/** What a chunk is: ids, layout, checksums, chains and the messages about them. */
export {
  blockChecksum,
  blockCount,
  type Checksums,
  checksumsOf,
  findMismatch,
  forEachBlock,
} from "./checksums.js";
export type { ChainMember, ChunkMap } from "./chunk-map.js";
export {
  type ChunkId,
  type ChunkVersion,
  type CsId,
  chunkId,
  chunkVersion,
  csId,
  FIRST_CS_ID,
} from "./ids.js";
export {
  BLOCK_BYTES,
  CHUNK_BYTES_MAX,
  CHUNK_BYTES_MIN,
  type ChunkSlice,
  chunkCountOf,
  DEFAULT_CHUNK_BYTES,
  IO_BYTES_MAX,
  REGION_BYTES,
  sliceRange,
} from "./layout.js";
export type {
  ChainEpoch,
  ChunkDescription,
  ChunkReply,
  ChunkRequest,
  CsCommand,
  DeleteReplica,
  DescribeChunk,
  ForwardHeld,
  ForwardKind,
  ForwardWrite,
  InstallChunk,
  ReadChunk,
  SeekChunk,
  SyncChunk,
  WriteChunk,
  WriteId,
  ZeroChunk,
} from "./messages.js";
export type {
  CommandDone,
  CsHeartbeat,
  CsLoad,
  CsSpace,
  NumberedCsCommand,
  RegisterCs,
  Registered,
  RegistryReply,
  RegistryRequest,
  ReplicaReport,
  ReplicaSynced,
  ReportInventory,
  ReportReplica,
} from "./registry-messages.js";
