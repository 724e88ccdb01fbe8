import { fromHex, fromUtf8, storageError, toHex, toUtf8 } from "../../base/index.js";
import {
  type ChainMember,
  type ChunkId,
  type ChunkVersion,
  chunkId,
  chunkVersion,
  csId,
} from "../../chunk/index.js";
import { Bitmap } from "../core/bitmap.js";
import type { HistoryRecord } from "../core/change-history.js";

/** What is kept about a replica beside its data: one record of the LevelDB. */
export interface ReplicaRecord {
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
  readonly chunkBytes: number;
  readonly chain: readonly ChainMember[];
  /** Set while contents have to be fetched: the regions that are not right, or all of them. */
  readonly needed: Bitmap | "all" | undefined;
  /** While regions are needed: it missed versions, and was not as good as its peers before that either. */
  readonly isBehind?: boolean | undefined;
  /** A process died while regions were dirty, and no newer version was installed since. */
  readonly isSuspect: boolean;
  /** With `isSuspect`, or while regions are needed since: the host went down too. */
  readonly isHostCrashed: boolean;
  /** Regions that were dirty when a process died; kept until the whole chain is known to be equal again. */
  readonly suspectRegions: Bitmap;
  /** Regions whose checksums are only in the memory of the process. */
  readonly dirty: Bitmap;
  /** Regions that were ever written: their checksums must be there. */
  readonly written: Bitmap;
  /** Which regions changed under which versions. */
  readonly history: HistoryRecord;
}

const KEY_PREFIX = 0x72;

/** `r` and the id, big-endian, so that records lie in the order of ids. */
export function recordKey(id: ChunkId): Uint8Array {
  const key = new Uint8Array(9);
  const view = new DataView(key.buffer);
  key[0] = KEY_PREFIX;
  view.setUint32(1, Math.floor(id / 2 ** 32));
  view.setUint32(5, id % 2 ** 32);
  return key;
}

export const RECORD_RANGE = { gte: Uint8Array.of(KEY_PREFIX), lt: Uint8Array.of(KEY_PREFIX + 1) };

export function encodeRecord(record: ReplicaRecord): Uint8Array {
  return toUtf8(
    JSON.stringify({
      chunkId: record.chunkId,
      version: record.version,
      chunkBytes: record.chunkBytes,
      chain: record.chain,
      ...(record.needed === undefined ? {} : { needed: encodeNeeded(record.needed) }),
      ...(record.isBehind === true ? { isBehind: true } : {}),
      ...(record.isSuspect ? { isSuspect: true } : {}),
      ...(record.isHostCrashed ? { isHostCrashed: true } : {}),
      suspectRegions: toHex(record.suspectRegions.toBytes()),
      dirty: toHex(record.dirty.toBytes()),
      written: toHex(record.written.toBytes()),
      history: encodeHistory(record.history),
    }),
  );
}

export function decodeRecord(bytes: Uint8Array): ReplicaRecord {
  try {
    const fields = JSON.parse(fromUtf8(bytes)) as Record<string, unknown>;
    const needed = fields["needed"];
    const version = chunkVersion(integer(fields["version"]));
    return {
      chunkId: chunkId(integer(fields["chunkId"])),
      version,
      chunkBytes: integer(fields["chunkBytes"]),
      chain: (fields["chain"] as Record<string, unknown>[]).map(decodeMember),
      needed: needed === undefined ? undefined : needed === "all" ? "all" : bitmap(needed),
      isBehind: fields["isBehind"] === true,
      isSuspect: fields["isSuspect"] === true,
      isHostCrashed: fields["isHostCrashed"] === true,
      suspectRegions: bitmap(fields["suspectRegions"]),
      dirty: bitmap(fields["dirty"]),
      written: bitmap(fields["written"]),
      history: decodeHistory(fields["history"], version),
    };
  } catch (error) {
    throw storageError("io_error", "a replica record is damaged", error);
  }
}

function encodeNeeded(needed: Bitmap | "all"): string {
  return needed === "all" ? "all" : toHex(needed.toBytes());
}

function encodeHistory({ since, spans }: HistoryRecord): unknown {
  const encoded = spans.map(({ version, regions }) => ({ version, regions: toHex(regions.toBytes()) }));
  return { since, spans: encoded };
}

/** A record from before there were histories tells of what comes after its version. */
function decodeHistory(value: unknown, version: ChunkVersion): HistoryRecord {
  if (value === undefined) return { since: version, spans: [] };
  const { since, spans } = value as Record<string, unknown>;
  return {
    since: chunkVersion(integer(since)),
    spans: (spans as Record<string, unknown>[]).map((span) => ({
      version: chunkVersion(integer(span["version"])),
      regions: bitmap(span["regions"]),
    })),
  };
}

function decodeMember(fields: Record<string, unknown>): ChainMember {
  const { address, hostId } = fields;
  if (typeof address !== "string" || typeof hostId !== "string") throw new TypeError("not a chain member");
  return { csId: csId(integer(fields["csId"])), address, hostId, syncing: fields["syncing"] === true };
}

function integer(value: unknown): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw new TypeError("not an integer");
  return value;
}

function bitmap(value: unknown): Bitmap {
  const bytes = typeof value === "string" ? fromHex(value) : undefined;
  if (bytes === undefined) throw new TypeError("not a bitmap");
  return new Bitmap(bytes);
}
