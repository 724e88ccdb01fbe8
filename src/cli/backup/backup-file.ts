import { createHash, type Hash } from "node:crypto";
import { concatBytes, equalBytes, storageError, toUtf8 } from "../../base/index.js";
import { StreamReader, uint32 } from "../../io/index.js";
import { decodeMessage, encodeMessage, wire } from "../../rpc/index.js";

/**
 * A backup of the metadata as a stream of bytes (docs/on-disk-format.md):
 *
 *     "PSTBACK1" headerLength:4 header part... 0:4 sha256:32
 *
 * header: BackupHeader of proto/admin.proto; part: length:4 data, which together are a snapshot; the checksum is of everything before
 * it. Numbers are big-endian. Nothing of it is believed before the checksum was found right.
 */
const MAGIC = toUtf8("PSTBACK1");
const FORMAT_VERSION = 1;
const HEADER_BYTES_MAX = 64 * 1024;
const PART_BYTES_MAX = 4 << 20;
const SHA_BYTES = 32;

/** The stream of a backup. */
export async function* encodeBackup(
  header: wire.BackupHeader,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256");
  const hashed = (...parts: Uint8Array[]): Uint8Array => {
    const piece = concatBytes(...parts);
    hash.update(piece);
    return piece;
  };
  const encoded = encodeMessage(wire.BackupHeader, header);
  yield hashed(MAGIC, uint32(encoded.length), encoded);
  for await (const part of bytes) {
    if (part.length > 0) yield hashed(uint32(part.length), part);
  }
  yield hashed(uint32(0));
  yield hash.digest();
}

/** An opened backup. */
export interface BackupReader {
  readonly header: wire.BackupHeader;
  /** To be read once; what it gave is true only if it came to its end. Fails with `malformed`. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Reads the beginning of such a stream. Fails with `malformed`, or with `unsupported` on a later format. */
export async function openBackupStream(source: AsyncIterable<Uint8Array>): Promise<BackupReader> {
  const hash = createHash("sha256");
  const reader = new StreamReader(source, {
    taken: (part) => hash.update(part),
    endedEarly: () => malformed("it ends too early"),
  });
  if (!equalBytes(await reader.take(MAGIC.length), MAGIC)) throw malformed("it does not begin as one");
  const length = await reader.takeUint32();
  if (length > HEADER_BYTES_MAX) throw malformed("a length is out of range");
  const header = decodeMessage(wire.BackupHeader, await reader.take(length));
  if (header.formatVersion !== FORMAT_VERSION) {
    throw storageError(
      "unsupported",
      `the backup has format ${header.formatVersion}; this version knows ${FORMAT_VERSION}: restore it with the one that made it`,
    );
  }
  return { header, bytes: parts(reader, hash) };
}

async function* parts(reader: StreamReader, hash: Hash): AsyncGenerator<Uint8Array> {
  for (;;) {
    const length = await reader.takeUint32();
    if (length === 0) break;
    if (length > PART_BYTES_MAX) throw malformed("a length is out of range");
    yield await reader.take(length);
  }
  const expected = hash.copy().digest();
  if (!equalBytes(await reader.take(SHA_BYTES), expected)) throw malformed("its checksum is wrong");
  if (!(await reader.isAtEnd())) throw malformed("something follows its end");
}

function malformed(what: string): Error {
  return storageError("malformed", `this is no whole backup of a cluster: ${what}; take another`);
}
