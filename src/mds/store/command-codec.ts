import { storageError } from "../../base/index.js";
import type { MetadataMutation } from "../../meta/index.js";
import { METADATA_SESSION, mappedCodec, wire } from "../../rpc/index.js";
import type { Change, Command } from "../core/command.js";

/**
 * Commands as the Raft log holds them (proto/command.proto). A command that cannot be read was written by a newer
 * program, or is damaged in a way that the log's checksum did not see: the MDS must not go on without it.
 */
export function encodeCommand(command: Command): Uint8Array {
  return CODEC.encode(command);
}

export function decodeCommand(bytes: Uint8Array): Command {
  return CODEC.decode(bytes);
}

/** A command holds at most one request of a client, or a bounded list. */
const BYTES_MAX = 8 << 20;

type WireChange = wire.Command["change"];

const CODEC = mappedCodec<Command, wire.Command>(
  wire.Command,
  ({ stampMs, change }) => ({ stampMs, change: changeToWire(change) }),
  ({ stampMs, change }) => ({ stampMs, change: changeFromWire(change) }),
  { bytesMax: BYTES_MAX },
);

function changeToWire(change: Change): WireChange {
  if (change.type !== "mutate") return change;
  const { sessionId, mutation } = change.body;
  const bytes = METADATA_SESSION.up.encode({ id: 0, deadlineMs: 0, body: mutation });
  return { type: "mutate", body: { sessionId, mutation: bytes } };
}

/** The other bodies differ in the brands of their ids, and in strings that this program wrote itself. */
function changeFromWire(change: WireChange): Change {
  if (change.type !== "mutate") return change as Change;
  const { body } = METADATA_SESSION.up.decode(change.body.mutation);
  if (body === undefined) throw storageError("malformed", "a mutation that is not known here");
  const mutation = body as MetadataMutation;
  return { type: "mutate", body: { sessionId: change.body.sessionId, mutation } } as Change;
}
