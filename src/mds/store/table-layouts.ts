import { storageError } from "../../base/index.js";
import { chunkId, FIRST_LEVEL } from "../../chunk/index.js";
import type { MetadataReply } from "../../meta/index.js";
import { failureFromWire, failureToWire, METADATA_SESSION, wire } from "../../rpc/index.js";
import type * as records from "../core/records.js";
import type { Answer } from "../core/tables.js";
import {
  bytesRecord,
  mappedRecord,
  messageRecord,
  numberRecord,
  presenceRecord,
  type RecordCodec,
  versionedRecord,
} from "./record-codec.js";
import type { TableLayout } from "./stored-table.js";

/**
 * Where every table lies on disk, and how its records look (docs/on-disk-format.md). A tag is never used again for
 * anything else. Where a record differs from its message only in brands, the cast in `messageRecord` is true because
 * the bytes were written by us and have a checksum.
 */

/** A program that knows nothing of levels must not go on with a cluster that is beyond the first. */
const clusterRecord = versionedRecord<records.ClusterRecord>(
  wire.ClusterRecord,
  ({ level }) => level !== undefined && level > FIRST_LEVEL,
);
/** A program that knows nothing of contents in `inlines` would take them for a hole. */
const inodeRecord = versionedRecord<records.InodeRecord, wire.InodeRecord>(
  wire.InodeRecord,
  ({ inlineBytes }) => inlineBytes !== undefined,
);
const dentryRecord = messageRecord<records.DentryRecord, wire.DentryRecord>(wire.DentryRecord);

/** On disk its policy has two fields that mean nothing for a chunk. */
const chunkRecord: RecordCodec<records.ChunkRecord> = mappedRecord(
  wire.ChunkRecord,
  (record) => {
    const { replicas, replicasMinimum, failureDomain, tier, chunkBytes } = record.policy;
    const unused = { clientSsdCache: false, exclusive: false };
    return {
      ...record,
      policy: { replicas, replicasMinimum, failureDomain, tier, chunkBytes, ...unused },
    };
  },
  ({ policy, ...record }) => {
    const { replicas, replicasMinimum, failureDomain, tier, chunkBytes } = policy;
    const own = { replicas, replicasMinimum, failureDomain, tier, chunkBytes };
    return { policy: own, ...record } as records.ChunkRecord;
  },
);

const eventRecord: RecordCodec<records.EventRecordStored> = mappedRecord(
  wire.StoredEvent,
  (event) => event,
  (event) => event as records.EventRecordStored,
);

const answerRecord: RecordCodec<Answer> = mappedRecord(wire.AnswerRecord, answerToWire, answerFromWire);

export const LARGE_LAYOUTS = {
  inodes: layout("inodes", "I", 1, inodeRecord),
  dentries: layout("dentries", "D", 2, dentryRecord, true),
  xattrs: layout("xattrs", "X", 2, bytesRecord, true),
  chunks: layout("chunks", "C", 1, chunkRecord),
  fileChunks: layout("fileChunks", "F", 2, numberRecord<records.ChunkRecord["chunkId"]>()),
  csChunks: layout("csChunks", "S", 2, presenceRecord),
  deletions: layout("deletions", "R", 2, numberRecord<records.ChunkRecord["version"]>()),
  degraded: layout("degraded", "G", 1, presenceRecord),
  events: layout("events", "E", 1, eventRecord),
  inlines: layout("inlines", "N", 1, bytesRecord),
} as const;

export const SMALL_LAYOUTS = {
  answers: layout("answers", "a", 2, answerRecord),
  cluster: layout("cluster", "b", 0, clusterRecord),
  chunkServers: layout("chunkServers", "c", 1, messageRecord<records.CsRecord, wire.CsRecord>(wire.CsRecord)),
  csCounts: layout(
    "csCounts",
    "d",
    1,
    messageRecord<records.CsCountRecord, wire.CsCountRecord>(wire.CsCountRecord),
  ),
  minimumCounts: layout(
    "minimumCounts",
    "e",
    1,
    messageRecord<records.MinimumCountRecord>(wire.MinimumCountRecord),
  ),
  config: layout("config", "f", 1, messageRecord<records.ConfigRecord>(wire.ConfigRecord), true),
  reclaims: layout("reclaims", "g", 1, numberRecord<records.InodeRecord["ino"]>()),
  installing: layout("installing", "i", 1, numberRecord<records.ChunkRecord["chunkId"]>()),
  sessionLocks: layout("sessionLocks", "k", 2, numberRecord<records.InodeRecord["ino"]>()),
  locks: layout("locks", "l", 3, messageRecord<records.LockRecord, wire.LockRecord>(wire.LockRecord), true),
  mdsServers: layout("mdsServers", "m", 1, messageRecord<records.MdsRecord>(wire.MdsRecord)),
  counters: layout("counters", "n", 0, messageRecord<records.CounterRecord>(wire.CounterRecord)),
  opens: layout("opens", "o", 2, messageRecord<records.OpenRecord, wire.OpenRecord>(wire.OpenRecord)),
  sessionOpens: layout("sessionOpens", "p", 2, numberRecord<records.InodeRecord["ino"]>()),
  recoveries: layout(
    "recoveries",
    "r",
    1,
    messageRecord<records.RecoveryRecord, wire.RecoveryRecord>(wire.RecoveryRecord),
  ),
  sessions: layout(
    "sessions",
    "s",
    1,
    messageRecord<records.SessionRecord, wire.SessionRecord>(wire.SessionRecord),
  ),
  totals: layout("totals", "t", 0, messageRecord<records.TotalsRecord>(wire.TotalsRecord)),
  sweeps: layout("sweeps", "u", 1, messageRecord<records.SweepRecord, wire.SweepRecord>(wire.SweepRecord)),
  writers: layout(
    "writers",
    "w",
    3,
    messageRecord<records.WriterRecord, wire.WriterRecord>(wire.WriterRecord),
  ),
} as const;

/** What of the log the state contains: written with every batch. Not a table. */
export const APPLIED_LAYOUT = layout(
  "applied",
  "z",
  0,
  messageRecord<wire.AppliedRecord>(wire.AppliedRecord),
);

function layout<Value>(
  name: string,
  tag: string,
  partCount: number,
  codec: RecordCodec<Value>,
  endsWithText = false,
): TableLayout<Value> {
  return { name, tag, partCount, endsWithText, codec };
}

function answerToWire(answer: Answer): wire.AnswerRecord {
  switch (answer.type) {
    case "reply":
      return { body: { type: "reply", body: encodeReply(answer.reply) } };
    case "failure":
      return { body: { type: "failure", body: failureToWire(answer.failure) } };
    case "held":
      return { body: { type: "held", body: { chunks: answer.chunks, reply: encodeReply(answer.reply) } } };
  }
}

function answerFromWire({ body }: wire.AnswerRecord): Answer {
  switch (body.type) {
    case "reply":
      return { type: "reply", reply: decodeReply(body.body) };
    case "failure":
      return { type: "failure", failure: failureFromWire(body.body) };
    case "held":
      return { type: "held", chunks: body.body.chunks.map(chunkId), reply: decodeReply(body.body.reply) };
  }
}

function encodeReply(reply: MetadataReply): Uint8Array {
  return METADATA_SESSION.down.encode({ id: 0, failure: undefined, body: reply });
}

function decodeReply(bytes: Uint8Array): MetadataReply {
  const { body } = METADATA_SESSION.down.decode(bytes);
  if (body === undefined) throw storageError("malformed", "an answer without body");
  return body as MetadataReply;
}
