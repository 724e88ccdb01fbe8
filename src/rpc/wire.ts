import protobuf from "protobufjs/minimal.js";

/**
 * What the generated messages (gen/messages.ts) are made of: protobufjs' Reader and Writer, and the rules by
 * which a message becomes a plain value:
 *
 * - Every field is an own property, so spreading and comparing work. A scalar that is not on the wire has its
 *   default; a field marked `optional` is `undefined` then; a message not marked `optional` has defaults all
 *   through. Never null.
 * - 64-bit integers are numbers; one beyond 2^53 - 1 is refused rather than rounded.
 * - A `oneof` is one property `{ type, body }`. It must be there, except in the envelopes of a stream (messages
 *   named …CallUp and …CallDown), where a body this program does not know reads as `undefined`; in envelopes
 *   messages are always optional.
 * - An enum is a union of string literals (`RENAME_MODE_NO_REPLACE` is "no_replace"; of an enum inside a message
 *   the prefix may be missing; UNSPECIFIED and UNKNOWN are no values); a value not known is refused.
 * - Unknown fields are skipped. Bytes are views on the buffer the message was read from.
 */

/** The bytes are not a message. */
export class WireError extends Error {
  override readonly name = "WireError";
}

export type Reader = protobuf.Reader;
export type Writer = protobuf.Writer;

/** A kind of message. `encode` appends to the writer, `decode` reads up to the reader's end. */
export interface MessageType<T> {
  readonly name: string;
  readonly encode: (message: T, writer: Writer) => void;
  readonly decode: (reader: Reader) => T;
}

export const EMPTY = new Uint8Array(0);

/** Keeps a message of some bytes from becoming millions of objects. */
const REPEATED_COUNT_MAX = 1 << 18;

// 64-bit integers come out as numbers instead of objects.
Object.assign(protobuf.util, { Long: null });
protobuf.configure();

/** The bytes of a message. They may be the front of a larger buffer that nobody else uses. */
export function encodeMessage<T>(type: MessageType<T>, message: T): Uint8Array {
  const writer = protobuf.Writer.create();
  type.encode(message, writer);
  return plain(writer.finish(true));
}

/** The bytes of a message up to and without the contents of its last field, a `bytes` of that number and length. */
export function encodeUpTo<T>(
  type: MessageType<T>,
  message: T,
  fieldNumber: number,
  lengthBytes: number,
): Uint8Array {
  const writer = protobuf.Writer.create();
  type.encode(message, writer);
  writer.uint32((fieldNumber << 3) | 2).uint32(lengthBytes);
  return plain(writer.finish(true));
}

/** Throws if the bytes are not such a message; what it throws is no `StorageError`. */
export function decodeMessage<T>(type: MessageType<T>, bytes: Uint8Array): T {
  return type.decode(new protobuf.Reader(plain(bytes)));
}

/** `slice` of a Buffer is a view, that of a Uint8Array a copy: nobody shall depend on which one arrived. */
function plain(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes;
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** An integer that a number holds exactly. */
export function safe(value: number | object): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value)) throw new WireError("integer out of range");
  return value;
}

export function uint64(reader: Reader): number {
  const { buf, len } = reader;
  let position = reader.pos;
  let value = 0;
  let scale = 1;
  for (let count = 0; count < 10 && position < len; count++) {
    const byte = buf[position++] as number;
    value += (byte & 127) * scale;
    if (byte < 128) {
      reader.pos = position;
      return safe(value);
    }
    scale *= 128;
  }
  throw new WireError("integer without end");
}

/** A string; it must be UTF-8. */
export function text(reader: Reader): string {
  try {
    return reader.stringVerify();
  } catch (error) {
    throw new WireError("not UTF-8, or cut short", { cause: error });
  }
}

/** Reads a message inside the message. */
export function nested<T>(reader: Reader, decode: (reader: Reader) => T): T {
  const size = reader.size();
  const outerEnd = reader.len;
  const end = reader.pos + size;
  if (end > outerEnd) throw new WireError("message longer than what holds it");
  reader.len = end;
  const value = decode(reader);
  reader.len = outerEnd;
  return value;
}

/** A message that is not on the wire: all defaults. */
export function absent<T>(decode: (reader: Reader) => T): T {
  return decode(new protobuf.Reader(EMPTY));
}

/** The body that must be there. */
export function present<T>(body: T | undefined, name: string): T {
  if (body === undefined) throw new WireError(`${name} has no body known here`);
  return body;
}

export function push<T>(items: T[], item: T): void {
  if (items.length === REPEATED_COUNT_MAX) throw new WireError("too many items");
  items.push(item);
}

/** Numbers one after the other. */
export function packed<T>(reader: Reader, items: T[], read: (reader: Reader) => T): void {
  const size = reader.size();
  const outerEnd = reader.len;
  const end = reader.pos + size;
  if (end > outerEnd) throw new WireError("list longer than what holds it");
  reader.len = end;
  while (reader.pos < end) push(items, read(reader));
  reader.len = outerEnd;
}

/** Steps over a field this program does not know. */
export function skip(reader: Reader, tag: number): void {
  reader.skipType(tag & 7, 0, tag >>> 3);
}
