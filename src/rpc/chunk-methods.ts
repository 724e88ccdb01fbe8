import type { ChunkReply, ChunkRequest, Extent, ForwardWrite } from "../chunk/index.js";
import { chunkId, chunkVersion, WRITE_BYTES_MAX } from "../chunk/index.js";
import { callDownCodec, callUpCodec } from "./call-codecs.js";
import type { CallDown, CallUp } from "./calls.js";
import {
  ChunkCallDown as WireDown,
  type ForwardWrite as WireForward,
  ChunkCallUp as WireUp,
} from "./gen/messages.js";
import type { StreamMethod } from "./transport.js";

/** A request to a chunk server: the header, and the payload beside it (empty where there is none). */
export interface ChunkCall {
  readonly request: ChunkRequest;
  readonly payload: Uint8Array;
  /** Of a client: shows that it may (`ticket.ts` of chunk). */
  readonly ticket?: Uint8Array | undefined;
}

/** A chunk server's answer: the header, and the payload beside it (empty where there is none). */
export interface ChunkAnswer {
  readonly reply: ChunkReply;
  readonly payload: Uint8Array;
}

/** `payload` in both envelopes of proto/chunk.proto. */
const PAYLOAD_FIELD = 15;
/** The greatest write, made whole at both ends, and what is said of it: a checksum for each of its blocks, and little more. */
const UP_BYTES_MAX = WRITE_BYTES_MAX + (64 << 10);

/**
 * Reading and writing chunks: one stream per pair of processes. Payloads of what was received are views on the
 * received message.
 */
export const CHUNK_CHANNEL: StreamMethod<CallUp<ChunkCall>, CallDown<ChunkAnswer>> = {
  path: "/pstorage.ChunkService/Channel",
  up: callUpCodec<ChunkCall, WireUp>(
    WireUp,
    (id, deadlineMs, call) => ({
      id,
      deadlineMs,
      payload: NOTHING,
      ticket: call?.ticket,
      body: call && requestToWire(call.request),
    }),
    ({ body, payload, ticket }) => body && { request: requestFromWire(body), payload, ticket },
    { bytesMax: UP_BYTES_MAX },
    { fieldNumber: PAYLOAD_FIELD, of: ({ body }) => body?.payload },
  ),
  down: callDownCodec<ChunkAnswer, WireDown>(
    WireDown,
    (id, failure, answer) => ({ id, failure, payload: NOTHING, body: answer?.reply }),
    // The bodies of replies have the same fields here and there.
    ({ body, payload }) => body && { reply: body as ChunkReply, payload },
    {},
    { fieldNumber: PAYLOAD_FIELD, of: ({ body }) => body?.payload },
  ),
};

const NOTHING = new Uint8Array(0);

type WireRequest = NonNullable<WireUp["body"]>;

function requestToWire(request: ChunkRequest): WireRequest {
  return request.type === "forward" ? { type: "forward", body: forwardToWire(request.body) } : request;
}

function requestFromWire(request: WireRequest): ChunkRequest {
  if (request.type === "forward") return { type: "forward", body: forwardFromWire(request.body) };
  // The other bodies differ in the brands of their ids only.
  return request as ChunkRequest;
}

// Written out: copied by rest and spread it was a fourteenth of what a server in the middle of a chain does for a small write.
function forwardToWire(forward: ForwardWrite): WireForward {
  return {
    chunkId: forward.chunkId,
    version: forward.version,
    epochVersion: forward.epoch.version,
    epochIncarnation: forward.epoch.incarnation,
    order: forward.order,
    floor: forward.floor,
    sessionId: forward.sessionId,
    sequence: forward.sequence,
    acknowledgedBelow: forward.acknowledgedBelow,
    kind: forward.kind,
    offset: forward.offset,
    lengthBytes: forward.lengthBytes,
    endBytes: forward.endBytes,
    checksums: forward.checksums,
    isDurable: forward.isDurable,
    extents: forward.extents ?? NO_EXTENTS,
  };
}

function forwardFromWire(wire: WireForward): ForwardWrite {
  return {
    chunkId: chunkId(wire.chunkId),
    version: chunkVersion(wire.version),
    epoch: { version: chunkVersion(wire.epochVersion), incarnation: wire.epochIncarnation },
    order: wire.order,
    floor: wire.floor,
    sessionId: wire.sessionId,
    sequence: wire.sequence,
    acknowledgedBelow: wire.acknowledgedBelow,
    kind: wire.kind,
    offset: wire.offset,
    lengthBytes: wire.lengthBytes,
    endBytes: wire.endBytes,
    checksums: wire.checksums,
    isDurable: wire.isDurable,
    extents: wire.extents.length > 0 ? wire.extents : undefined,
  };
}

const NO_EXTENTS: readonly Extent[] = [];
