import { describe, expect, test } from "vitest";
import { shortKeyedHash } from "../../../src/auth/index.js";
import {
  type ChunkMap,
  chunkId,
  chunkVersion,
  decodeTicket,
  FIRST_LEVEL,
  type Ticket,
} from "../../../src/chunk/index.js";
import { Tickets } from "../../../src/mds/tickets.js";
import type { InodeNumber, SessionId } from "../../../src/meta/index.js";
import { CoreWorld } from "./core/core-world.js";

const MAP: ChunkMap = {
  index: 0,
  chunkId: chunkId(4),
  version: chunkVersion(2),
  chain: [],
  writable: true,
};

class Scene {
  readonly world: CoreWorld;
  readonly tickets: Tickets;
  appliedIndex = 70;

  constructor(level?: number) {
    this.world = level === undefined ? new CoreWorld() : new CoreWorld({ level });
    this.tickets = new Tickets({ tables: this.world.tables, appliedIndex: () => this.appliedIndex });
  }

  /** What the session is told to show. */
  ticketOf(session: SessionId, ino: InodeNumber): Ticket | undefined {
    const [map] = this.tickets.withTickets(session, ino, [MAP]);
    const { key } = this.tickets;
    if (map?.ticket === undefined || key === undefined) return undefined;
    return decodeTicket(
      MAP,
      map.ticket,
      (bytes, seal) => Buffer.compare(shortKeyedHash(key, bytes), seal) === 0,
    );
  }
}

describe("a ticket", () => {
  test("says what the lease is good for", () => {
    const scene = new Scene();
    const { world } = scene;
    const [a, b] = [world.session(), world.session()];
    const { ino } = world.create(a, "f").attributes;
    expect(scene.ticketOf(a, ino)).toBeUndefined();

    world.open(a, ino, "read");
    const reading = { sessionId: a, issuedAt: 70, mayChange: false, excludesOthers: true };
    expect(scene.ticketOf(a, ino)).toEqual(reading);
    world.open(a, ino, "write");
    scene.appliedIndex = 90;
    expect(scene.ticketOf(a, ino)).toEqual({ ...reading, issuedAt: 90, mayChange: true });
    expect(scene.ticketOf(b, ino)).toBeUndefined();
  });

  test("of one among several writers excludes nobody, and of a reader among them allows no change", () => {
    const scene = new Scene();
    const { world } = scene;
    const [a, b] = [world.session(), world.session()];
    const { ino } = world.create(a, "f").attributes;
    world.open(a, ino, "write");
    world.mutate(b, "open", { ino, access: "read" });
    world.report(a, ino, 0, "shared");
    world.open(b, ino, "read");
    expect(scene.ticketOf(a, ino)).toMatchObject({ mayChange: true, excludesOthers: false });
    expect(scene.ticketOf(b, ino)).toMatchObject({ mayChange: false, excludesOthers: false });
  });

  test("is not given to whom the lease was taken from", () => {
    const scene = new Scene();
    const { world } = scene;
    const [a, b] = [world.session(), world.session()];
    const { ino } = world.create(a, "f").attributes;
    world.open(a, ino, "write");
    world.mutate(b, "revoke", { ino });
    expect(scene.ticketOf(a, ino)).toBeUndefined();
  });

  test("is not given by a cluster whose programs may not know of it", () => {
    const scene = new Scene(FIRST_LEVEL);
    const session = scene.world.session();
    const { ino } = scene.world.create(session, "f").attributes;
    scene.world.open(session, ino, "write");
    expect(scene.tickets.key).toBeUndefined();
    expect(scene.tickets.withTickets(session, ino, [MAP])).toEqual([MAP]);
  });

  test("is sealed by every metadata server of a cluster alike", () => {
    expect(new Scene().tickets.key).toEqual(new Scene().tickets.key);
  });
});
