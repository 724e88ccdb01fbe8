import type { Failure } from "../../base/index.js";
import type { ChunkId, ChunkVersion, CsId } from "../../chunk/index.js";
import type { InodeNumber, MetadataReply, SessionId } from "../../meta/index.js";
import type {
  ChunkRecord,
  ClusterRecord,
  ConfigRecord,
  CounterRecord,
  CsCountRecord,
  CsRecord,
  DentryRecord,
  EventRecordStored,
  InodeRecord,
  LockRecord,
  MdsRecord,
  MinimumCountRecord,
  OpenRecord,
  RecoveryRecord,
  SessionRecord,
  SweepRecord,
  TotalsRecord,
  WriterRecord,
} from "./records.js";

/**
 * The replicated state as tables. Reads and writes are synchronous; the store makes the writes of one log entry
 * durable together with the number of that entry. Pure code sees only these interfaces.
 */

/** Any number of records, most of them on disk. No listing: that is the store's business, outside of `apply`. */
export interface Table<Key extends readonly unknown[], Value> {
  get(...key: Key): Value | undefined;
  put(value: Value, ...key: Key): void;
  delete(...key: Key): void;
}

/**
 * Few enough to be all in memory (sessions, servers, work in progress). Listings are in key order and found as they
 * are gone through, so that the first few of many are cheap. Whoever changes the table meanwhile (or lets others do so,
 * by an `await`) does not meet what is removed and meets nothing twice, but may or may not meet what is added: the core
 * collects what it is going to change before it changes anything.
 */
export interface SmallTable<Key extends readonly unknown[], Value> extends Table<Key, Value> {
  values(): IterableIterator<Value>;
  /** Those whose key begins so, in key order. */
  valuesOf(...prefix: Partial<Key>): IterableIterator<Value>;
  readonly size: number;
}

/** The answer to a mutation, kept until the client has it. */
export type Answer =
  | { readonly type: "reply"; readonly reply: MetadataReply }
  | { readonly type: "failure"; readonly failure: Failure }
  /** Carried out, and not to be carried out twice; but the reply is held back until these chunks are installed. */
  | { readonly type: "held"; readonly chunks: readonly ChunkId[]; readonly reply: MetadataReply };

export interface Tables {
  // Large.
  readonly inodes: Table<[ino: InodeNumber], InodeRecord>;
  /** Name as Latin-1 text, one character a byte. */
  readonly dentries: Table<[parent: InodeNumber, name: string], DentryRecord>;
  readonly xattrs: Table<[ino: InodeNumber, name: string], Uint8Array>;
  readonly chunks: Table<[chunkId: ChunkId], ChunkRecord>;
  readonly fileChunks: Table<[ino: InodeNumber, index: number], ChunkId>;
  /** Which chunks have a replica on a server, in the chain or lost: kept in step with the chunk records. */
  readonly csChunks: Table<[csId: CsId, chunkId: ChunkId], true>;
  /** Replicas that are in no chain any more and must be deleted from that server. */
  readonly deletions: Table<[csId: CsId, chunkId: ChunkId], ChunkVersion>;
  /** Chunks with fewer active replicas than wanted (of whatever urgency), wherever their servers are. */
  readonly degraded: Table<[chunkId: ChunkId], true>;
  readonly events: Table<[number: number], EventRecordStored>;
  /** Contents of small files; see `inline-contents.ts`. */
  readonly inlines: Table<[ino: InodeNumber], Uint8Array>;

  // Small.
  readonly cluster: SmallTable<[], ClusterRecord>;
  readonly counters: SmallTable<[], CounterRecord>;
  readonly totals: SmallTable<[], TotalsRecord>;
  readonly config: SmallTable<[name: string], ConfigRecord>;
  readonly chunkServers: SmallTable<[csId: CsId], CsRecord>;
  readonly mdsServers: SmallTable<[mdsId: number], MdsRecord>;
  readonly sessions: SmallTable<[sessionId: SessionId], SessionRecord>;
  readonly opens: SmallTable<[ino: InodeNumber, sessionId: SessionId], OpenRecord>;
  /** The same pairs, by session. */
  readonly sessionOpens: SmallTable<[sessionId: SessionId, ino: InodeNumber], InodeNumber>;
  readonly writers: SmallTable<[ino: InodeNumber, sessionId: SessionId, chunkId: ChunkId], WriterRecord>;
  /** `holder`: the family's first letter, and the owner. */
  readonly locks: SmallTable<[ino: InodeNumber, sessionId: SessionId, holder: string], LockRecord>;
  /** Of which files a session has locks. */
  readonly sessionLocks: SmallTable<[sessionId: SessionId, ino: InodeNumber], InodeNumber>;
  readonly answers: SmallTable<[sessionId: SessionId, sequence: number], Answer>;
  readonly recoveries: SmallTable<[ino: InodeNumber], RecoveryRecord>;
  /** Chunks whose installation is under way. */
  readonly installing: SmallTable<[chunkId: ChunkId], ChunkId>;
  /** Files without names and opens, whose chunks are being dropped. */
  readonly reclaims: SmallTable<[ino: InodeNumber], InodeNumber>;
  /** Files whose chunks have to be gone through. */
  readonly sweeps: SmallTable<[ino: InodeNumber], SweepRecord>;
  readonly csCounts: SmallTable<[csId: CsId], CsCountRecord>;
  readonly minimumCounts: SmallTable<[replicasMinimum: number], MinimumCountRecord>;
}
