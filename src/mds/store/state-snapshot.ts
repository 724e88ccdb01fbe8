import { concatBytes, crc32, equalBytes, storageError, toUtf8 } from "../../base/index.js";
import { type KvEntry, StreamReader, uint32 } from "../../io/index.js";
import { decodeMessage, encodeMessage, wire } from "../../rpc/index.js";
import type { Applied } from "./level-tables.js";

/**
 * A snapshot of the state as a stream of bytes:
 *
 *     "PSTSTATE" headerLength:4 header record... end
 *
 * header: SnapshotHeader; record: keyLength:4 valueLength:4 key value, the key without its generation, in the order of
 * keys; end: 0xffffffff crc:4, the CRC-32 of everything before it, the mark included. Numbers are big-endian.
 */
const MAGIC = toUtf8("PSTSTATE");
const FORMAT_VERSION = 1;
const GENERATION_BYTES = 4;
const END_MARK = 0xffffffff;
const KEY_BYTES_MAX = 4096;
const VALUE_BYTES_MAX = 64 << 20;
/** About as much is put together before it is handed on. */
const PIECE_BYTES = 64 << 10;

/** The stream of all entries of one generation. */
export async function* encodeSnapshot(
  { index, term }: Applied,
  entries: AsyncIterable<KvEntry>,
): AsyncGenerator<Uint8Array> {
  const header = encodeMessage(wire.SnapshotHeader, { formatVersion: FORMAT_VERSION, index, term });
  let parts = [MAGIC, uint32(header.length), header];
  let size = MAGIC.length + 4 + header.length;
  let crc = 0;
  const piece = (): Uint8Array => {
    const bytes = concatBytes(...parts);
    crc = crc32(bytes, crc);
    parts = [];
    size = 0;
    return bytes;
  };
  for await (const { key, value } of entries) {
    const bare = key.subarray(GENERATION_BYTES);
    parts.push(uint32(bare.length), uint32(value.length), bare, value);
    size += 8 + bare.length + value.length;
    if (size >= PIECE_BYTES) yield piece();
  }
  parts.push(uint32(END_MARK));
  yield piece();
  yield uint32(crc);
}

/** Reads such a stream. Fails with `malformed` unless it is whole, undamaged, and of that entry of the log. */
export async function* decodeSnapshot(
  bytes: AsyncIterable<Uint8Array>,
  expected: Applied,
): AsyncGenerator<KvEntry> {
  let crc = 0;
  const reader = new StreamReader(bytes, {
    taken: (part) => {
      crc = crc32(part, crc);
    },
    endedEarly: () => malformed("it ends too early"),
  });
  if (!equalBytes(await reader.take(MAGIC.length), MAGIC)) throw malformed("it does not begin as one");
  const headerBytes = await reader.take(await takeLength(reader, KEY_BYTES_MAX));
  const header = decodeMessage(wire.SnapshotHeader, headerBytes);
  if (header.formatVersion !== FORMAT_VERSION) throw malformed(`it has format ${header.formatVersion}`);
  if (header.index !== expected.index || header.term !== expected.term) {
    throw malformed("it is of another entry of the log");
  }
  for (;;) {
    const keyLength = await reader.takeUint32();
    if (keyLength === END_MARK) break;
    if (keyLength > KEY_BYTES_MAX) throw malformed("a length is out of range");
    const valueLength = await takeLength(reader, VALUE_BYTES_MAX);
    yield { key: await reader.take(keyLength), value: await reader.take(valueLength) };
  }
  const sum = crc;
  if ((await reader.takeUint32()) !== sum) throw malformed("its checksum is wrong");
  if (!(await reader.isAtEnd())) throw malformed("something follows its end");
}

async function takeLength(reader: StreamReader, max: number): Promise<number> {
  const length = await reader.takeUint32();
  if (length > max) throw malformed("a length is out of range");
  return length;
}

function malformed(what: string): Error {
  return storageError("malformed", `not a snapshot of the metadata: ${what}`);
}
