import { concatBytes, type Failure, isFailureCode, StorageError, storageError } from "../base/index.js";
import type { Failure as WireFailure } from "./gen/messages.js";
import type { Codec, MessageParts } from "./transport.js";
import { decodeMessage, EMPTY, encodeMessage, encodeUpTo, type MessageType } from "./wire.js";

/** What a message may weigh unless its method says otherwise. */
export const MESSAGE_BYTES_MAX = 4 << 20;

export interface CodecLimits {
  /** Longer messages are refused in both directions. Default 4 MiB. */
  readonly bytesMax?: number | undefined;
}

/** Bytes that a message ends in and that are too many to be copied into it first. */
export interface Payload<T> {
  /** The highest of the message, of type `bytes`; what `toWire` makes leaves it empty. */
  readonly fieldNumber: number;
  readonly of: (message: T) => Uint8Array | undefined;
}

/**
 * The codec of a plain message whose domain type `T` has the same fields (branded ids and narrower strings
 * allowed: whoever narrows a string checks it, or better makes it an enum in the proto file).
 *
 * Bytes in a decoded message are views on what was received: whoever keeps a few of them copies them.
 */
export function messageCodec<T extends M, M = T>(type: MessageType<M>, limits?: CodecLimits): Codec<T>;
export function messageCodec<M>(type: MessageType<M>, limits: CodecLimits = {}): Codec<M> {
  return mappedCodec(type, same, same, limits);
}

/** The codec of a domain type that differs from its message. What `fromWire` throws counts as malformed. */
export function mappedCodec<T, M>(
  type: MessageType<M>,
  toWire: (message: T) => M,
  fromWire: (message: M) => T,
  limits: CodecLimits = {},
  payload?: Payload<T>,
): Codec<T> {
  const bytesMax = limits.bytesMax ?? MESSAGE_BYTES_MAX;
  const encodeParts = (message: T): MessageParts => {
    const tail = payload?.of(message) ?? EMPTY;
    const body = toWire(message);
    const head =
      payload === undefined || tail.length === 0
        ? encodeMessage(type, body)
        : encodeUpTo(type, body, payload.fieldNumber, tail.length);
    const lengthBytes = head.length + tail.length;
    if (lengthBytes > bytesMax) throw tooLong(type.name, lengthBytes, bytesMax);
    return { head, tail };
  };
  return {
    bytesMax,
    encodeParts,
    encode: (message) => {
      const { head, tail } = encodeParts(message);
      return tail.length === 0 ? head : concatBytes(head, tail);
    },
    decode: (bytes) => {
      if (bytes.length > bytesMax) throw tooLong(type.name, bytes.length, bytesMax);
      try {
        return fromWire(decodeMessage(type, bytes));
      } catch (error) {
        if (error instanceof StorageError) throw error;
        throw storageError("malformed", `not a ${type.name}`, error);
      }
    },
  };
}

/** A failure as it crosses the wire. The detail is cut: it is one line for a person. */
export function failureToWire(failure: Failure): WireFailure {
  return {
    code: failure.code,
    detail: failure.detail.slice(0, DETAIL_LENGTH_MAX),
    leaderHint: failure.leaderHint,
  };
}

/** A code this program does not know is a failure all the same. */
export function failureFromWire(failure: WireFailure): Failure {
  const detail = failure.detail.slice(0, DETAIL_LENGTH_MAX);
  if (!isFailureCode(failure.code))
    return { code: "io_error", detail: `${failure.code.slice(0, 64)}: ${detail}` };
  return { code: failure.code, detail, leaderHint: failure.leaderHint };
}

const DETAIL_LENGTH_MAX = 1024;

function same<M>(message: M): M {
  return message;
}

function tooLong(name: string, lengthBytes: number, bytesMax: number): StorageError {
  return storageError("malformed", `${name} of ${lengthBytes} bytes, ${bytesMax} at most`);
}
