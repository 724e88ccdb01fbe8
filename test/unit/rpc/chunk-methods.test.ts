import { expect, test } from "vitest";
import { concatBytes, defined } from "../../../src/base/index.js";
import { type ChunkRequest, chunkId, chunkVersion, csId } from "../../../src/chunk/index.js";
import { CHUNK_CHANNEL, REGISTRY_ATTACH } from "../../../src/rpc/index.js";

const NOTHING = new Uint8Array(0);

test("a change keeps its epoch, its kind and its payload on the way down the chain", () => {
  const request: ChunkRequest = {
    type: "forward",
    body: {
      chunkId: chunkId(7),
      version: chunkVersion(3),
      sessionId: 5,
      sequence: 9,
      acknowledgedBelow: 8,
      kind: "truncate",
      epoch: { version: chunkVersion(2), incarnation: 11 },
      order: 40,
      floor: 38,
      offset: 4096,
      lengthBytes: 8192,
      endBytes: 5000,
      checksums: Uint8Array.of(1, 2, 3, 4),
    },
  };
  const call = { id: 3, deadlineMs: 500, body: { request, payload: Uint8Array.of(9, 9) } };

  const arrived = CHUNK_CHANNEL.up.decode(CHUNK_CHANNEL.up.encode(call));

  expect(arrived).toEqual(call);
});

test("a reply of a read carries its payload beside its checksums", () => {
  const answer = {
    id: 4,
    failure: undefined,
    body: {
      reply: { type: "data" as const, body: { checksums: Uint8Array.of(1, 0, 0, 0) } },
      payload: Uint8Array.of(7),
    },
  };

  const arrived = CHUNK_CHANNEL.down.decode(CHUNK_CHANNEL.down.encode(answer));

  expect(arrived).toEqual(answer);
});

test("a payload is sent from where it lies, and arrives as if it had been copied into its message", () => {
  const payload = new Uint8Array(70_000).fill(5);
  const body = { checksums: Uint8Array.of(1, 2, 3, 4) };
  const answer = { id: 4, failure: undefined, body: { reply: { type: "data" as const, body }, payload } };

  const { head, tail } = defined(CHUNK_CHANNEL.down.encodeParts?.(answer), "payloads are sent apart");

  expect(tail).toBe(payload);
  expect(concatBytes(head, tail)).toEqual(CHUNK_CHANNEL.down.encode(answer));
  expect(CHUNK_CHANNEL.down.decode(concatBytes(head, tail))).toEqual(answer);
});

test("a failed request has a failure and no body", () => {
  const answer = { id: 4, failure: { code: "stale_map" as const, detail: "older" }, body: undefined };

  const arrived = CHUNK_CHANNEL.down.decode(CHUNK_CHANNEL.down.encode(answer));

  expect(arrived).toEqual(answer);
});

test("a pushed command keeps its number and all its fields", () => {
  const push = {
    id: 0,
    failure: undefined,
    body: {
      commandId: 77,
      command: {
        type: "install" as const,
        body: {
          chunkId: chunkId(7),
          version: chunkVersion(3),
          chunkBytes: 1 << 20,
          chain: [{ csId: csId(1025), address: "10.0.0.1:5", hostId: "a", syncing: false }],
          create: true,
          truncateBytes: 0,
          sources: [csId(1026)],
          keepContents: false,
        },
      },
    },
  };

  const arrived = REGISTRY_ATTACH.down.decode(REGISTRY_ATTACH.down.encode(push));

  expect(arrived).toEqual(push);
});

test("the payload of a request without bytes is empty", () => {
  const request: ChunkRequest = { type: "sync", body: { chunkId: chunkId(1), version: chunkVersion(1) } };
  const call = { id: 1, deadlineMs: 1, body: { request, payload: NOTHING } };

  expect(CHUNK_CHANNEL.up.decode(CHUNK_CHANNEL.up.encode(call))).toEqual(call);
});
