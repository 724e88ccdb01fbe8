import { messageCodec } from "./codec.js";
import * as wire from "./gen/messages.js";
import type { UnaryMethod } from "./transport.js";

/**
 * Asks for a data channel for the stream method with that path: `OpenDataChannel` of the same service. Over mutual TLS
 * only, for the answer holds its keys; whoever may call the one may call the other.
 */
export function openDataChannel(path: string): UnaryMethod<wire.DataChannelRequest, wire.DataChannelGrant> {
  const service = path.slice(0, path.lastIndexOf("/"));
  return {
    path: `${service}/OpenDataChannel`,
    request: messageCodec<wire.DataChannelRequest>(wire.DataChannelRequest, { bytesMax: 1024 }),
    reply: messageCodec<wire.DataChannelGrant>(wire.DataChannelGrant, { bytesMax: 1024 }),
  };
}
