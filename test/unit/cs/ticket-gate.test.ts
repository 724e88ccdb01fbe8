import { describe, expect, test } from "vitest";
import { type Role, shortKeyedHash } from "../../../src/auth/index.js";
import { failureOf } from "../../../src/base/index.js";
import {
  type ChunkRequest,
  type ChunkVersion,
  chunkId,
  chunkVersion,
  encodeTicket,
  type Ticket,
} from "../../../src/chunk/index.js";
import { TicketGate } from "../../../src/cs/ticket-gate.js";
import type { Peer } from "../../../src/rpc/index.js";

const KEY = new Uint8Array(32).fill(1);
const CHUNK = chunkId(9);
const PAYLOAD = new Uint8Array(0);
const A = 21;
const B = 22;

/** A replica at version 5, and a gate that asks for tickets. */
class Scene {
  readonly gate = new TicketGate();
  readonly replica = { version: chunkVersion(5) };

  constructor(usesTickets = true) {
    if (usesTickets) this.gate.learn(KEY);
  }

  /** The code of the refusal, or undefined. */
  ask(request: ChunkRequest, ticket?: Uint8Array, roles: readonly Role[] = ["client"]): string | undefined {
    const peer: Peer = { address: "", clusterId: "", hostId: "", roles };
    try {
      this.gate.check(this.replica, { request, payload: PAYLOAD, ticket }, peer);
      return undefined;
    } catch (error) {
      return failureOf(error)?.code;
    }
  }
}

function ticketOf(ticket: Partial<Ticket>, version = 5, key = KEY): Uint8Array {
  const whole = { sessionId: A, issuedAt: 100, mayChange: true, excludesOthers: true, ...ticket };
  const place = { chunkId: CHUNK, version: chunkVersion(version) };
  return encodeTicket(place, whole, (bytes) => shortKeyedHash(key, bytes));
}

const at = (version = 5): { chunkId: typeof CHUNK; version: ChunkVersion } => ({
  chunkId: CHUNK,
  version: chunkVersion(version),
});

const write = (sessionId: number, version = 5): ChunkRequest => ({
  type: "write",
  body: {
    ...at(version),
    ...{ sessionId, sequence: 1, acknowledgedBelow: 0 },
    ...{ offset: 0, checksums: PAYLOAD },
  },
});
const zero = (sessionId: number): ChunkRequest => ({
  type: "zero",
  body: { ...at(), sessionId, sequence: 1, acknowledgedBelow: 0, offset: 0, lengthBytes: 4096 },
});
const extents = (sessionId: number): ChunkRequest => ({
  type: "extents",
  body: { ...at(), sessionId, sequence: 1, acknowledgedBelow: 0, extents: [], checksums: PAYLOAD },
});
const read = (background = false): ChunkRequest => ({
  type: "read",
  body: { ...at(), offset: 0, lengthBytes: 4096, background },
});
const LOOKS: readonly ChunkRequest[] = [
  read(),
  { type: "sync", body: at() },
  { type: "seek", body: { ...at(), offset: 0, isHole: false } },
  { type: "locate", body: { ...at(), offset: 0, lengthBytes: 4096 } },
];
const CHANGES: readonly ((sessionId: number) => ChunkRequest)[] = [write, zero, extents];

describe("what clients ask", () => {
  test("needs no ticket in a cluster that uses none", () => {
    const scene = new Scene(false);
    for (const request of [...LOOKS, write(A)]) expect(scene.ask(request)).toBeUndefined();
  });

  test.each([...LOOKS, ...CHANGES.map((change) => change(A))])(
    "$type needs a ticket of the chunk",
    (request) => {
      const scene = new Scene();
      expect(scene.ask(request)).toBe("ticket_refused");
      expect(scene.ask(request, ticketOf({}, 4))).toBe("ticket_refused");
      expect(scene.ask(request, ticketOf({}, 5, new Uint8Array(32)))).toBe("ticket_refused");
      expect(scene.ask(request, new Uint8Array(34))).toBe("ticket_refused");
      expect(scene.ask(request, ticketOf({}))).toBeUndefined();
      // The role of the host does not help.
      expect(scene.ask(request, undefined, ["client", "cs", "mds", "admin"])).toBe("ticket_refused");
    },
  );

  test.each(CHANGES)("who may read may not change, nor in the name of another session", (change) => {
    const scene = new Scene();
    expect(scene.ask(change(A), ticketOf({ mayChange: false }))).toBe("ticket_refused");
    expect(scene.ask(change(B), ticketOf({}))).toBe("ticket_refused");
    for (const look of LOOKS) expect(scene.ask(look, ticketOf({ mayChange: false }))).toBeUndefined();
  });

  test("a ticket that was good once is not taken with anything changed in it", () => {
    const scene = new Scene();
    const reading = ticketOf({ mayChange: false });
    expect(scene.ask(read(), reading)).toBeUndefined();
    const forged = Uint8Array.from(reading);
    forged[1] = 3;
    expect(scene.ask(write(A), forged)).toBe("ticket_refused");
  });

  test("tickets of more sessions than are remembered are all good", () => {
    const scene = new Scene();
    for (let round = 0; round < 2; round++)
      for (let sessionId = 1; sessionId <= 200; sessionId++)
        expect(scene.ask(read(), ticketOf({ sessionId, excludesOthers: false }))).toBeUndefined();
  });
});

describe("a lease that was given back", () => {
  test.each([true, false])(
    "changes nothing any more when another one is used that excludes it (as a writer: %s)",
    (mayChange) => {
      const scene = new Scene();
      const early = ticketOf({ sessionId: A, issuedAt: 100 });
      expect(scene.ask(write(A), early)).toBeUndefined();
      const late = ticketOf({ sessionId: B, issuedAt: 200, mayChange });
      expect(scene.ask(read(), late)).toBeUndefined();
      for (const change of CHANGES) expect(scene.ask(change(A), early)).toBe("ticket_refused");
      // It had it again after that.
      expect(scene.ask(write(A), ticketOf({ sessionId: A, issuedAt: 300 }))).toBeUndefined();
    },
  );

  test("an older ticket does not take the newer one's place", () => {
    const scene = new Scene();
    expect(scene.ask(read(), ticketOf({ sessionId: B, issuedAt: 200 }))).toBeUndefined();
    expect(scene.ask(read(), ticketOf({ sessionId: A, issuedAt: 100 }))).toBeUndefined();
    expect(scene.ask(write(B), ticketOf({ sessionId: B, issuedAt: 200 }))).toBeUndefined();
    expect(scene.ask(write(A), ticketOf({ sessionId: A, issuedAt: 150 }))).toBe("ticket_refused");
  });

  test("who shares a file with others excludes nobody, and a session not itself", () => {
    const scene = new Scene();
    const shared = (sessionId: number, issuedAt: number): Uint8Array =>
      ticketOf({ sessionId, issuedAt, excludesOthers: false });
    expect(scene.ask(write(A), shared(A, 100))).toBeUndefined();
    expect(scene.ask(write(B), shared(B, 200))).toBeUndefined();
    expect(scene.ask(write(A), shared(A, 100))).toBeUndefined();
    expect(scene.ask(write(B), ticketOf({ sessionId: B, issuedAt: 300 }))).toBeUndefined();
    expect(scene.ask(write(B), shared(B, 200))).toBeUndefined();
  });

  test("a request of another version leaves no trace", () => {
    const scene = new Scene();
    expect(scene.ask(write(B, 6), ticketOf({ sessionId: B, issuedAt: 900 }, 6))).toBeUndefined();
    expect(scene.ask(write(A), ticketOf({ sessionId: A, issuedAt: 100 }))).toBeUndefined();
    scene.replica.version = chunkVersion(6);
    expect(scene.ask(write(A, 6), ticketOf({ sessionId: A, issuedAt: 100 }))).toBe("ticket_refused");
    expect(scene.ask(write(A, 6), ticketOf({ sessionId: A, issuedAt: 100 }, 6))).toBeUndefined();
  });

  test("with another key nothing from before counts", () => {
    const scene = new Scene();
    const ticket = ticketOf({});
    expect(scene.ask(read(), ticket)).toBeUndefined();
    scene.gate.learn(Uint8Array.from(KEY));
    expect(scene.ask(read(), ticket)).toBeUndefined();
    scene.gate.learn(new Uint8Array(32).fill(2));
    expect(scene.ask(read(), ticket)).toBe("ticket_refused");
  });
});

test("what chunk servers ask of each other needs their certificate, and no ticket", () => {
  const scene = new Scene();
  const requests: ChunkRequest[] = [
    { type: "describe", body: { ...at() } },
    read(true),
    { type: "read", body: { ...at(), offset: 0, lengthBytes: 4096, background: false, isOfServer: true } },
    { type: "sync", body: { ...at(), isForwarded: true } },
  ];
  for (const request of requests) {
    expect(scene.ask(request, undefined, ["cs"])).toBeUndefined();
    expect(scene.ask(request, ticketOf({}), ["client"])).toBe("unauthorized");
  }
});
