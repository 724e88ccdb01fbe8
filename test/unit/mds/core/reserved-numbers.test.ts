import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { toUtf8 } from "../../../../src/base/index.js";
import type { Outcome } from "../../../../src/mds/core/command.js";
import { reservedFor } from "../../../../src/mds/core/reserved-numbers.js";
import {
  type InodeNumber,
  inodeNumber,
  type MutationId,
  type Numbers,
  RESERVED_MAX,
  ROOT_INODE,
  type SessionId,
} from "../../../../src/meta/index.js";
import { CoreWorld, codeOf, createBody, openedOf } from "./core-world.js";

let world: CoreWorld;
let me: SessionId;
beforeEach(() => {
  world = new CoreWorld();
  me = world.session();
});

function reserve(session: SessionId, count: number): Numbers {
  const outcome = world.mutate(session, "reserveNumbers", { count });
  if (outcome.type !== "reply" || outcome.reply.type !== "numbers") throw new Error("numbers are reserved");
  return outcome.reply.body;
}

const create = (session: SessionId, name: string, ino: InodeNumber): Outcome =>
  world.mutate(session, "create", createBody(name, { ino, open: "write" }));

describe("numbers reserved for a session", () => {
  test("are those of the inodes it creates and of their first leases, and nobody else's", () => {
    const numbers = reserve(me, 3);
    const { attributes, lease } = openedOf(create(me, "f", inodeNumber(numbers.firstInode + 2)));
    assert.equal(attributes.ino, numbers.firstInode + 2);
    assert.equal(lease.sequence, numbers.firstLease + 2);
    const other = world.create(world.session(), "g", { open: "write" });
    assert.ok(other.attributes.ino >= numbers.firstInode + 3);
    assert.ok(other.lease.sequence >= numbers.firstLease + 3);
    assert.equal(reservedFor(world.tables, numbers.firstInode), me);
    assert.equal(reservedFor(world.tables, other.attributes.ino), undefined);
  });

  test("are refused to anybody else, twice, and when they were never reserved", () => {
    const { firstInode } = reserve(me, 1);
    assert.equal(codeOf(create(world.session(), "f", firstInode)), "invalid");
    assert.equal(codeOf(create(me, "f", inodeNumber(firstInode + 1))), "invalid");
    assert.equal(codeOf(create(me, "f", firstInode)), "ok");
    assert.equal(codeOf(create(me, "g", firstInode)), "invalid");
    assert.equal(codeOf(world.mutate(me, "reserveNumbers", { count: RESERVED_MAX + 1 })), "invalid");
  });

  test("are forgotten with the session", () => {
    const { firstInode } = reserve(me, 1);
    world.endSession(me);
    assert.equal(reservedFor(world.tables, firstInode), undefined);
  });
});

describe("a mutation that comes after another one", () => {
  const remove = (id: MutationId): Outcome => {
    const body = { id, parent: ROOT_INODE, name: toUtf8("f"), directory: false };
    return world.apply({ type: "mutate", body: { sessionId: me, mutation: { type: "remove", body } } })
      .outcome;
  };
  const make = (id: MutationId): Outcome => {
    const body = { ...createBody("f"), id };
    return world.apply({ type: "mutate", body: { sessionId: me, mutation: { type: "create", body } } })
      .outcome;
  };
  const id = (sequence: number, more: Partial<MutationId> = {}): MutationId => ({
    sequence,
    answeredBelow: 1,
    unanswered: [],
    ...more,
  });

  test("is not carried out before it, and then is", () => {
    assert.equal(codeOf(remove(id(2, { after: 1 }))), "busy");
    assert.equal(codeOf(make(id(1))), "ok");
    assert.equal(codeOf(remove(id(2, { after: 1 }))), "ok");
  });

  test("does not wait for one whose answer the client has", () => {
    make(id(1));
    assert.equal(codeOf(remove(id(2, { after: 1, answeredBelow: 2 }))), "ok");
    assert.equal(codeOf(make(id(40, { after: 30, answeredBelow: 40 }))), "ok");
  });

  test("happens at the time of which its caller was told", () => {
    const stampMs = 1_234_567_890_123;
    const outcome = make(id(1, { stampMs }));
    assert.deepEqual(openedOf(outcome).attributes.mtime, { seconds: 1_234_567_890, nanos: 123_000_000 });
    assert.equal(codeOf(make(id(2, { stampMs: Number.NaN }))), "malformed");
  });
});
