import type { CsCommand, NumberedCsCommand, RegistryReply, RegistryRequest } from "../chunk/index.js";
import { callDownCodec, callUpCodec } from "./call-codecs.js";
import type { CallDown, CallUp } from "./calls.js";
import { failureFromWire } from "./codec.js";
import { RegistryCallDown as WireDown, RegistryCallUp as WireUp } from "./gen/messages.js";
import type { StreamMethod } from "./transport.js";

/** A chunk server's stream to the leading MDS: numbered requests up, replies and pushed commands down. */
export const REGISTRY_ATTACH: StreamMethod<
  CallUp<RegistryRequest>,
  CallDown<RegistryReply | NumberedCsCommand>
> = {
  path: "/pstorage.Registry/Attach",
  up: callUpCodec<RegistryRequest, WireUp>(
    WireUp,
    (id, deadlineMs, body) => ({ id, deadlineMs, body: body && requestToWire(body) }),
    ({ body }) => body && requestFromWire(body),
  ),
  down: callDownCodec<RegistryReply | NumberedCsCommand, WireDown>(
    WireDown,
    (id, failure, reply) => {
      if (reply === undefined) return { id, failure, commandId: 0 };
      if ("command" in reply) return { id, failure, commandId: reply.commandId, body: reply.command };
      return { id, failure, commandId: 0, body: reply };
    },
    ({ body, commandId }) => body && replyFromWire(body, commandId),
  ),
};

type WireRequest = NonNullable<WireUp["body"]>;

function requestToWire(request: RegistryRequest): WireRequest {
  return request as WireRequest;
}

/** The bodies differ in the brands of their ids, and in the codes of failures, which are checked here. */
function requestFromWire(request: WireRequest): RegistryRequest {
  if (request.type === "reportReplica") {
    const { code } = failureFromWire({ code: request.body.code, detail: "" });
    return { type: "reportReplica", body: { ...request.body, code } } as RegistryRequest;
  }
  return request as RegistryRequest;
}

function replyFromWire(
  body: NonNullable<WireDown["body"]>,
  commandId: number,
): RegistryReply | NumberedCsCommand {
  if (body.type === "registered" || body.type === "ok") return body as RegistryReply;
  return { commandId, command: body as CsCommand };
}
