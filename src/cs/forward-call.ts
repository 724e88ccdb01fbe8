import type { ChainEpoch, ChunkId, ChunkVersion } from "../chunk/index.js";
import type { ChunkCall } from "../rpc/index.js";
import type { Cargo } from "./cargo.js";
import type { Change } from "./core/chain-types.js";

/** What a change is sent to the next server with. */
export function forwardCall(
  { chunkId, version }: { readonly chunkId: ChunkId; readonly version: ChunkVersion },
  change: Change,
  { epoch, floor }: { readonly epoch: ChainEpoch; readonly floor: number },
  { payload, isDurable }: Cargo,
): ChunkCall {
  const { writeId, kind, order, offset, lengthBytes, endBytes, extents } = change;
  const { sessionId, sequence, acknowledgedBelow } = writeId;
  const { bytes, checksums } = payload;
  const body = {
    chunkId,
    version,
    sessionId,
    sequence,
    acknowledgedBelow,
    kind,
    epoch,
    order,
    floor,
    offset,
    lengthBytes,
    endBytes,
    checksums,
    isDurable,
    extents,
  };
  return { request: { type: "forward", body }, payload: bytes };
}
