import { storageError, unreachable } from "../base/index.js";
import {
  areExtents,
  BLOCK_BYTES,
  blockCount,
  type ChunkRequest,
  type Extent,
  type ForwardWrite,
  findMismatch,
  IO_BYTES_MAX,
  rangeAround,
  WRITE_BYTES_MAX,
} from "../chunk/index.js";

/**
 * Refuses requests that are wrong in themselves, before anybody acts on them: ranges outside the chunk, payloads that
 * do not fit their header, damaged bytes. Damage on the way is `unavailable`, for the same bytes may arrive whole.
 */
export function checkRequest(request: ChunkRequest, payload: Uint8Array, chunkBytes: number): void {
  switch (request.type) {
    case "write":
      checkRange(request.body.offset, payload.length, chunkBytes);
      checkLength(payload.length, WRITE_BYTES_MAX);
      checkPayload(payload, request.body.offset, request.body.checksums);
      break;
    case "extents":
      checkExtents(request.body.extents, payload, chunkBytes);
      checkPayload(payload, 0, request.body.checksums);
      break;
    case "zero":
      checkRange(request.body.offset, request.body.lengthBytes, chunkBytes);
      break;
    case "read":
      checkRange(request.body.offset, request.body.lengthBytes, chunkBytes);
      checkLength(request.body.lengthBytes, IO_BYTES_MAX);
      if (request.body.background) checkWhole(request.body.offset, request.body.lengthBytes);
      break;
    case "forward":
      checkForward(request.body, payload, chunkBytes);
      break;
    case "locate":
      checkRange(request.body.offset, request.body.lengthBytes, chunkBytes);
      checkWhole(request.body.offset, request.body.lengthBytes);
      checkLength(request.body.lengthBytes, IO_BYTES_MAX);
      break;
    case "seek":
      checkRange(request.body.offset, 1, chunkBytes);
      break;
    case "sync":
    case "describe":
      break;
    default:
      unreachable(request);
  }
}

function checkForward(forward: ForwardWrite, payload: Uint8Array, chunkBytes: number): void {
  const { kind, offset, lengthBytes, endBytes, checksums, order, floor } = forward;
  checkRange(offset, lengthBytes, chunkBytes);
  checkWhole(offset, lengthBytes);
  if (kind === "extents") checkForwardedExtents(forward, payload, chunkBytes);
  // The largest write of a client, made whole at both ends.
  if (payload.length > WRITE_BYTES_MAX + 2 * BLOCK_BYTES)
    throw storageError("invalid", "too many bytes at once");
  if (!payloadFits(forward, payload.length) || endBytes > chunkBytes || floor > order || order < 1) {
    throw storageError("invalid", "header and payload of a change do not fit");
  }
  checkPayload(payload, 0, checksums);
}

/** Of every kind but extents, which are looked at by themselves. */
function payloadFits({ kind, lengthBytes, extents }: ForwardWrite, payloadBytes: number): boolean {
  if (kind === "extents") return true;
  if (extents !== undefined && extents.length > 0) return false;
  if (kind === "write") return payloadBytes === lengthBytes;
  return payloadBytes % BLOCK_BYTES === 0 && payloadBytes <= Math.min(lengthBytes, 2 * BLOCK_BYTES);
}

function checkForwardedExtents(forward: ForwardWrite, payload: Uint8Array, chunkBytes: number): void {
  const extents = forward.extents ?? [];
  checkExtents(extents, payload, chunkBytes);
  const { offset, lengthBytes } = rangeAround(extents);
  if (offset !== forward.offset || lengthBytes !== forward.lengthBytes)
    throw storageError("invalid", "extents and range of a change do not fit");
}

function checkExtents(extents: readonly Extent[], payload: Uint8Array, chunkBytes: number): void {
  checkLength(payload.length, WRITE_BYTES_MAX);
  if (!areExtents(extents, payload.length))
    throw storageError("invalid", "extents are whole blocks that ascend, and their bytes the payload");
  const { offset, lengthBytes } = rangeAround(extents);
  checkRange(offset, lengthBytes, chunkBytes);
}

function checkRange(offset: number, lengthBytes: number, chunkBytes: number): void {
  if (lengthBytes <= 0 || offset + lengthBytes > chunkBytes) {
    throw storageError("invalid", `bytes ${offset} to ${offset + lengthBytes} of a chunk of ${chunkBytes}`);
  }
}

function checkWhole(offset: number, lengthBytes: number): void {
  if (offset % BLOCK_BYTES !== 0 || lengthBytes % BLOCK_BYTES !== 0) {
    throw storageError("invalid", "between servers only whole blocks travel");
  }
}

function checkLength(lengthBytes: number, most: number): void {
  if (lengthBytes > most) throw storageError("invalid", `${lengthBytes} bytes at once`);
}

function checkPayload(payload: Uint8Array, offset: number, checksums: Uint8Array): void {
  if (checksums.length !== 4 * blockCount(offset, payload.length)) {
    throw storageError("invalid", "every block has one checksum");
  }
  if (findMismatch(payload, offset, checksums) !== undefined) {
    throw storageError("unavailable", "the payload was damaged on the way");
  }
}
