import { expect, test } from "vitest";
import {
  BLOCK_BYTES,
  type ChunkRequest,
  checksumsOf,
  chunkId,
  chunkVersion,
  DEFAULT_CHUNK_BYTES,
  type Extent,
  IO_BYTES_MAX,
  WRITE_BYTES_MAX,
} from "../../../src/chunk/index.js";
import { checkRequest } from "../../../src/cs/check-request.js";
import { CHUNK_CHANNEL } from "../../../src/rpc/index.js";

const TARGET = { chunkId: chunkId(7), version: chunkVersion(1), offset: 0 };
const WRITE_ID = { sessionId: 1, sequence: 1, acknowledgedBelow: 1 };

function write(payload: Uint8Array): ChunkRequest {
  return { type: "write", body: { ...TARGET, ...WRITE_ID, checksums: checksumsOf(payload, 0) } };
}

function check(request: ChunkRequest, payload: Uint8Array = new Uint8Array(0)): void {
  checkRequest(request, payload, DEFAULT_CHUNK_BYTES);
}

test("a write may be as long as four reads, and no longer", () => {
  const read = (lengthBytes: number): ChunkRequest => ({
    type: "read",
    body: { ...TARGET, lengthBytes, background: false },
  });
  const longest = new Uint8Array(WRITE_BYTES_MAX).fill(1);
  const tooLong = new Uint8Array(WRITE_BYTES_MAX + 1);

  expect(() => check(write(longest), longest)).not.toThrow();
  expect(() => check(write(tooLong), tooLong)).toThrow("at once");
  expect(() => check(read(IO_BYTES_MAX))).not.toThrow();
  expect(() => check(read(IO_BYTES_MAX + BLOCK_BYTES))).toThrow("at once");
});

test("a long write with one bit damaged on the way is not taken", () => {
  const payload = new Uint8Array(WRITE_BYTES_MAX).fill(1);
  const request = write(payload);
  payload[WRITE_BYTES_MAX - 5] = 3;

  expect(() => check(request, payload)).toThrow("damaged");
});

test("the longest change that one server hands to the next fits into a message", () => {
  const lengthBytes = WRITE_BYTES_MAX + 2 * BLOCK_BYTES;
  const payload = new Uint8Array(lengthBytes).fill(1);
  const request: ChunkRequest = {
    type: "forward",
    body: {
      ...{ ...TARGET, ...WRITE_ID, kind: "write", epoch: { version: chunkVersion(1), incarnation: 1 } },
      ...{ order: 1, floor: 1, lengthBytes, endBytes: lengthBytes, checksums: checksumsOf(payload, 0) },
    },
  };
  const call = { id: 1, deadlineMs: 1000, body: { request, payload } };

  const received = CHUNK_CHANNEL.up.decode(CHUNK_CHANNEL.up.encode(call));

  expect(received.body?.payload.length).toBe(lengthBytes);
  expect(() => check(request, received.body?.payload)).not.toThrow();
});

const block = (index: number) => ({ offset: index * BLOCK_BYTES, lengthBytes: BLOCK_BYTES });

function extents(...parts: Extent[]): ChunkRequest {
  const payload = new Uint8Array(parts.length * BLOCK_BYTES);
  const { chunkId: id, version } = TARGET;
  return {
    type: "extents",
    body: { chunkId: id, version, ...WRITE_ID, extents: parts, checksums: checksumsOf(payload, 0) },
  };
}

test.each([
  ["none", []],
  ["descending ones", [block(3), block(1)]],
  ["the same twice", [block(1), block(1)]],
  ["a part of a block", [block(0), { offset: 2 * BLOCK_BYTES, lengthBytes: 100 }]],
  ["one that is empty", [block(0), { offset: 2 * BLOCK_BYTES, lengthBytes: 0 }]],
  ["one beyond the chunk", [block(0), { offset: DEFAULT_CHUNK_BYTES, lengthBytes: BLOCK_BYTES }]],
])("of extents to be written, %s is refused", (_what, parts) => {
  expect(() => check(extents(...parts), new Uint8Array(parts.length * BLOCK_BYTES))).toThrow();
});

test("extents are taken when the payload is as long as they are together, and whole", () => {
  const request = extents(block(0), block(7));
  const payload = new Uint8Array(2 * BLOCK_BYTES);

  expect(() => check(request, payload)).not.toThrow();
  expect(() => check(request, new Uint8Array(3 * BLOCK_BYTES))).toThrow("payload");
  payload[5000] = 1;
  expect(() => check(request, payload)).toThrow("damaged");
});

test("a change between servers reaches from its first extent to its last, and no other kind has any", () => {
  const payload = new Uint8Array(2 * BLOCK_BYTES);
  const parts = [block(1), block(3)];
  const forward = (kind: "write" | "extents", offset: number, lengthBytes: number): ChunkRequest => ({
    type: "forward",
    body: {
      ...{ ...TARGET, ...WRITE_ID, kind, epoch: { version: chunkVersion(1), incarnation: 1 } },
      ...{ order: 1, floor: 1, offset, lengthBytes, endBytes: 4 * BLOCK_BYTES, extents: parts },
      checksums: checksumsOf(payload, 0),
    },
  });

  expect(() => check(forward("extents", BLOCK_BYTES, 3 * BLOCK_BYTES), payload)).not.toThrow();
  expect(() => check(forward("extents", 0, 4 * BLOCK_BYTES), payload)).toThrow("do not fit");
  expect(() => check(forward("write", BLOCK_BYTES, 2 * BLOCK_BYTES), payload)).toThrow("do not fit");
});
