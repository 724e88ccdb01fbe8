import { messageCodec } from "../codec.js";
import * as wire from "../gen/messages.js";
import type { UnaryMethod } from "../transport.js";

/** Asks for a data channel; over mutual TLS only, for the answer holds its keys. */
export const OPEN_DATA_CHANNEL: UnaryMethod<wire.DataChannelRequest, wire.DataChannelGrant> = {
  path: "/pstorage.ChunkService/OpenDataChannel",
  request: messageCodec<wire.DataChannelRequest>(wire.DataChannelRequest, { bytesMax: 1024 }),
  reply: messageCodec<wire.DataChannelGrant>(wire.DataChannelGrant, { bytesMax: 1024 }),
};
