import { concatBytes, crc32, equalBytes, storageError, toUtf8 } from "../../base/index.js";
import type { KvEntry } from "../../io/index.js";
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
  const reader = new StreamReader(bytes);
  if (!equalBytes(await reader.take(MAGIC.length), MAGIC)) throw malformed("it does not begin as one");
  const headerBytes = await reader.take(await takeLength(reader, KEY_BYTES_MAX));
  const header = decodeMessage(wire.SnapshotHeader, headerBytes);
  if (header.formatVersion !== FORMAT_VERSION) throw malformed(`it has format ${header.formatVersion}`);
  if (header.index !== expected.index || header.term !== expected.term) {
    throw malformed("it is of another entry of the log");
  }
  for (;;) {
    const keyLength = readUint32(await reader.take(4));
    if (keyLength === END_MARK) break;
    if (keyLength > KEY_BYTES_MAX) throw malformed("a length is out of range");
    const valueLength = await takeLength(reader, VALUE_BYTES_MAX);
    yield { key: await reader.take(keyLength), value: await reader.take(valueLength) };
  }
  const crc = reader.crc;
  if (readUint32(await reader.take(4)) !== crc) throw malformed("its checksum is wrong");
  if (!(await reader.isAtEnd())) throw malformed("something follows its end");
}

async function takeLength(reader: StreamReader, max: number): Promise<number> {
  const length = readUint32(await reader.take(4));
  if (length > max) throw malformed("a length is out of range");
  return length;
}

/** Takes given numbers of bytes off a stream. */
class StreamReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #parts: Uint8Array[] = [];
  #available = 0;
  #crc = 0;

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#iterator = bytes[Symbol.asyncIterator]();
  }

  /** Of everything taken so far. */
  get crc(): number {
    return this.#crc;
  }

  async take(length: number): Promise<Uint8Array> {
    while (this.#available < length) {
      const next = await this.#iterator.next();
      if (next.done === true) throw malformed("it ends too early");
      this.#parts.push(next.value);
      this.#available += next.value.length;
    }
    const taken = this.#cut(length);
    this.#crc = crc32(taken, this.#crc);
    return taken;
  }

  async isAtEnd(): Promise<boolean> {
    while (this.#available === 0) {
      const next = await this.#iterator.next();
      if (next.done === true) return true;
      this.#available += next.value.length;
    }
    return false;
  }

  #cut(length: number): Uint8Array {
    const taken: Uint8Array[] = [];
    let missing = length;
    while (missing > 0) {
      const part = this.#parts[0] ?? new Uint8Array(0);
      taken.push(part.subarray(0, missing));
      if (part.length > missing) this.#parts[0] = part.subarray(missing);
      else this.#parts.shift();
      missing -= Math.min(missing, part.length);
    }
    this.#available -= length;
    // A copy: what arrived may be a piece of a larger buffer.
    return concatBytes(...taken);
  }
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function readUint32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}

function malformed(what: string): Error {
  return storageError("malformed", `not a snapshot of the metadata: ${what}`);
}
