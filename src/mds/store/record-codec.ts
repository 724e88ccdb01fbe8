import { crc32, storageError } from "../../base/index.js";
import { decodeMessage, encodeMessage, type MessageType } from "../../rpc/index.js";

/** How the value of a record looks on disk, and back. */
export interface RecordCodec<T> {
  readonly encode: (value: T) => Uint8Array;
  /** Throws if the bytes are not what `encode` made; what it throws is nobody's business but the table's. */
  readonly decode: (bytes: Uint8Array) => T;
}

/**
 * Every value: format version (1 byte), CRC-32 of the rest (4 bytes, little-endian), the rest. A version that is not
 * known was written by a newer program.
 */
const FORMAT_VERSION = 1;
/** Of records that a program of version 1 would misread; see `versionedRecord`. */
const SECOND_VERSION = 2;
const HEADER_BYTES = 5;

/** A record that is a message of proto/records.proto with the same fields. */
export function messageRecord<T extends M, M = T>(type: MessageType<M>): RecordCodec<T>;
export function messageRecord<M>(type: MessageType<M>): RecordCodec<M> {
  return framed(
    (value) => encodeMessage(type, value),
    (body) => decodeMessage(type, body),
  );
}

/** The same, of the second version where the record has something without which it must not be read. */
export function versionedRecord<T extends M, M = T>(
  type: MessageType<M>,
  isOfSecond: (value: T) => boolean,
): RecordCodec<T>;
export function versionedRecord<M>(type: MessageType<M>, isOfSecond: (value: M) => boolean): RecordCodec<M> {
  return framed(
    (value) => encodeMessage(type, value),
    (body) => decodeMessage(type, body),
    isOfSecond,
  );
}

/** A record that differs from its message. */
export function mappedRecord<T, M>(
  type: MessageType<M>,
  toWire: (value: T) => M,
  fromWire: (message: M) => T,
): RecordCodec<T> {
  return framed(
    (value) => encodeMessage(type, toWire(value)),
    (body) => fromWire(decodeMessage(type, body)),
  );
}

export const bytesRecord: RecordCodec<Uint8Array> = framed(
  (value) => value,
  (body) => body,
);

/** A number given by its eight bytes; for ids and versions. */
export function numberRecord<T extends number>(): RecordCodec<T> {
  return framed(encodeNumber, (body) => decodeNumber(body) as T);
}

/** The record's being there is all it says. */
export const presenceRecord: RecordCodec<true> = framed<true>(
  () => new Uint8Array(0),
  () => true,
);

/** The failure of a record that cannot be read: somebody must act. */
export function corruptRecord(table: string, key: readonly unknown[], cause: unknown): Error {
  const detail = `the record ${table}(${key.map((part) => JSON.stringify(part)).join(", ")}) cannot be read`;
  return storageError("log_corrupt", detail, cause);
}

function framed<T>(
  encode: (value: T) => Uint8Array,
  decode: (body: Uint8Array) => T,
  isOfSecond?: (value: T) => boolean,
): RecordCodec<T> {
  const isKnown = (version: number | undefined): boolean =>
    version === FORMAT_VERSION || (version === SECOND_VERSION && isOfSecond !== undefined);
  return {
    encode: (value) => {
      const body = encode(value);
      const bytes = new Uint8Array(HEADER_BYTES + body.length);
      bytes.set(body, HEADER_BYTES);
      bytes[0] = isOfSecond?.(value) === true ? SECOND_VERSION : FORMAT_VERSION;
      new DataView(bytes.buffer).setUint32(1, crc32(body), true);
      return bytes;
    },
    decode: (bytes) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      if (bytes.length < HEADER_BYTES) throw new Error("too short");
      if (!isKnown(bytes[0])) throw new Error(`format version ${bytes[0]} is not known here`);
      const body = bytes.subarray(HEADER_BYTES);
      if (view.getUint32(1, true) !== crc32(body)) throw new Error("wrong checksum");
      return decode(body);
    },
  };
}

function encodeNumber(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return bytes;
}

function decodeNumber(body: Uint8Array): number {
  if (body.length !== 8) throw new Error("not a number");
  return new DataView(body.buffer, body.byteOffset, 8).getFloat64(0, true);
}
