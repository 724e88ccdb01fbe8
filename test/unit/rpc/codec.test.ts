import { expect, test } from "vitest";
import type { StorageError } from "../../../src/base/index.js";
import { callDownCodec, callUpCodec, messageCodec, wire } from "../../../src/rpc/index.js";

type ChunkRequest = NonNullable<wire.ChunkCallUp["body"]>;
type ChunkReply = NonNullable<wire.ChunkCallDown["body"]>;

interface Loaded<Head> {
  readonly head: Head;
  readonly payload: Uint8Array;
}

const up = callUpCodec<Loaded<ChunkRequest>, wire.ChunkCallUp>(
  wire.ChunkCallUp,
  (id, deadlineMs, request) => ({
    id,
    deadlineMs,
    body: request?.head,
    payload: request?.payload ?? new Uint8Array(0),
  }),
  ({ body, payload }) => body && { head: body, payload },
);
const down = callDownCodec<Loaded<ChunkReply>, wire.ChunkCallDown>(
  wire.ChunkCallDown,
  (id, failure, reply) => ({ id, failure, body: reply?.head, payload: reply?.payload ?? new Uint8Array(0) }),
  ({ body, payload }) => body && { head: body, payload },
);

test("a request and its payload travel as they are", () => {
  const body = {
    chunkId: 7,
    version: 3,
    offset: 4096,
    lengthBytes: 10,
    background: false,
  };
  const call = {
    id: 5,
    deadlineMs: 700,
    body: { head: { type: "read", body }, payload: Uint8Array.of(1, 2, 3) },
  } as const;
  expect(up.decode(up.encode(call))).toEqual(call);
});

test("a reply is a failure or a body, never both by accident", () => {
  const failure = { id: 5, failure: { code: "stale_map", detail: "newer" }, body: undefined } as const;
  expect(down.decode(down.encode(failure))).toEqual(failure);
  const body = { head: { type: "done", body: {} }, payload: new Uint8Array(0) } as const;
  const reply = down.decode(down.encode({ id: 6, failure: undefined, body }));
  expect(reply).toEqual({ id: 6, failure: undefined, body });
});

test("a failure code of a newer version is an io_error that names it", () => {
  const bytes = messageCodec(wire.ChunkCallDown).encode({
    id: 1,
    failure: { code: "haunted", detail: "boo" },
    payload: new Uint8Array(0),
  });
  expect(down.decode(bytes).failure).toEqual({ code: "io_error", detail: "haunted: boo" });
});

test("bytes that are no message are malformed", () => {
  for (const bytes of [Uint8Array.of(0xff), Uint8Array.of(26, 5, 1), new Uint8Array(11).fill(0x80)]) {
    expect(() => up.decode(bytes)).toThrowError(
      expect.objectContaining({ code: "malformed" }) as StorageError,
    );
  }
});

test("a message longer than its bound is refused both ways", () => {
  const tiny = messageCodec(wire.SnapshotPart, { bytesMax: 10 });
  const large = { transfer: 1, data: new Uint8Array(20) };
  expect(() => tiny.encode(large)).toThrow("10 at most");
  expect(() => tiny.decode(messageCodec(wire.SnapshotPart).encode(large))).toThrow("10 at most");
});
