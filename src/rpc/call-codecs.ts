import type { CallDown, CallUp } from "./calls.js";
import { type CodecLimits, failureFromWire, failureToWire, mappedCodec, type Payload } from "./codec.js";
import type { Failure as WireFailure } from "./gen/messages.js";
import type { Codec } from "./transport.js";
import type { MessageType } from "./wire.js";

/**
 * The codec of a stream's upward envelope, a message with `uint64 id`, `uint32 deadline_ms`, `oneof body`, and
 * what else it has. Usually:
 *
 *     callUpCodec<MetadataRequest, MetadataCallUp>(
 *       MetadataCallUp,
 *       (id, deadlineMs, body) => ({ id, deadlineMs, body }),
 *       ({ body }) => body as MetadataRequest | undefined,
 *     )
 *
 * `fromWire` gives undefined for a body that is missing or not known here: it is answered `unsupported`.
 */
export function callUpCodec<Request, M extends { readonly id: number; readonly deadlineMs: number }>(
  type: MessageType<M>,
  toWire: (id: number, deadlineMs: number, request: Request | undefined) => M,
  fromWire: (message: M) => Request | undefined,
  limits?: CodecLimits,
  payload?: Payload<CallUp<Request>>,
): Codec<CallUp<Request>> {
  return mappedCodec<CallUp<Request>, M>(
    type,
    (call) => toWire(call.id, call.deadlineMs, call.body),
    (message) => ({ id: message.id, deadlineMs: message.deadlineMs, body: fromWire(message) }),
    limits,
    payload,
  );
}

/**
 * The codec of the downward envelope, a message with `uint64 id`, `Failure failure`, `oneof body`. `Reply` is the
 * union of replies and pushes.
 */
export function callDownCodec<
  Reply,
  M extends { readonly id: number; readonly failure?: WireFailure | undefined },
>(
  type: MessageType<M>,
  toWire: (id: number, failure: WireFailure | undefined, reply: Reply | undefined) => M,
  fromWire: (message: M) => Reply | undefined,
  limits?: CodecLimits,
  payload?: Payload<CallDown<Reply>>,
): Codec<CallDown<Reply>> {
  return mappedCodec<CallDown<Reply>, M>(
    type,
    (call) => toWire(call.id, call.failure && failureToWire(call.failure), call.body),
    (message) => ({
      id: message.id,
      failure: message.failure && failureFromWire(message.failure),
      body: fromWire(message),
    }),
    limits,
    payload,
  );
}
