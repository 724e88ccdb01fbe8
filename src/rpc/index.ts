/** Typed calls between processes. `grpc/` and `inproc/` are for those who put a process together. */
export { ADMIN, BACKUP } from "./admin-methods.js";
export { ByteQueue } from "./byte-queue.js";
export { callDownCodec, callUpCodec } from "./call-codecs.js";
export { CallClient, type CallClientOptions, type CallDown, type CallUp } from "./calls.js";
export { CHUNK_CHANNEL, type ChunkAnswer, type ChunkCall } from "./chunk-methods.js";
export {
  type CodecLimits,
  failureFromWire,
  failureToWire,
  MESSAGE_BYTES_MAX,
  mappedCodec,
  messageCodec,
} from "./codec.js";
export { openDataChannel } from "./data-channel-methods.js";
export { ENROLLMENT } from "./enrollment-methods.js";
export * as wire from "./gen/messages.js";
export { METADATA_SESSION } from "./metadata-methods.js";
export { REGISTRY_ATTACH } from "./registry-methods.js";
export {
  type CallContext,
  type CallHandler,
  type CallServer,
  type CallServerOptions,
  type CallTimes,
  serveCalls,
} from "./serve-calls.js";
export type {
  CallOptions,
  Channel,
  Codec,
  Peer,
  Role,
  Rpc,
  RpcListener,
  Service,
  StreamMethod,
  UnaryMethod,
} from "./transport.js";
export { decodeMessage, encodeMessage, type MessageType } from "./wire.js";
