import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { Prng, toUtf8 } from "../../../../src/base/index.js";
import { SequenceWindow } from "../../../../src/client/core/sequence-window.js";
import { ANSWERS_KEPT } from "../../../../src/mds/core/answers.js";
import type { Outcome } from "../../../../src/mds/core/command.js";
import { type MutationId, ROOT_INODE, type SessionId } from "../../../../src/meta/index.js";
import { CoreWorld, codeOf, createBody } from "./core-world.js";

let world: CoreWorld;
let me: SessionId;
beforeEach(() => {
  world = new CoreWorld();
  me = world.session();
});

const createAs = (id: MutationId, name: string): Outcome => {
  const body = { ...createBody(name), id, mustBeNew: true };
  return world.apply({ type: "mutate", body: { sessionId: me, mutation: { type: "create", body } } }).outcome;
};
const id = (sequence: number, answeredBelow = 1, unanswered: number[] = []): MutationId => ({
  sequence,
  answeredBelow,
  unanswered,
});

describe("a mutation that is proposed again", () => {
  test("is answered as before and changes nothing", () => {
    const first = createAs(id(1), "f");
    const before = world.tables.dump();
    assert.deepEqual(createAs(id(1), "f"), first);
    assert.deepEqual(world.tables.dump(), before);
    assert.deepEqual(world.effects, []);
  });

  test("fails as before, though it could succeed by now", () => {
    createAs(id(1), "f");
    assert.equal(codeOf(createAs(id(2), "f")), "exists");
    world.mutate(world.session(), "remove", { parent: ROOT_INODE, name: toUtf8("f"), directory: false });
    assert.equal(codeOf(createAs(id(2), "f")), "exists");
    assert.equal(codeOf(createAs(id(3), "f")), "ok");
  });

  test("is tried again if it had to wait", () => {
    const other = world.session();
    const { ino } = world.create(other, "g", { open: "write" }).attributes;
    const open = world.next(me, "open", { ino, access: "write" });
    assert.equal(codeOf(world.apply(open).outcome), "wait");
    world.mutate(other, "close", { ino, access: "write" });
    const { outcome } = world.apply(open);
    assert.equal(codeOf(outcome), "ok");
    assert.deepEqual(world.apply(open).outcome, outcome);
    assert.deepEqual(world.tables.opens.get(ino, me)?.counts, { read: 0, write: 1, exclusive: 0 });
  });

  test("is known by its session and its sequence together", () => {
    createAs(id(1), "f");
    const other = world.session();
    assert.equal(codeOf(world.mutate(other, "create", createBody("g"))), "ok");
    assert.notEqual(world.tables.dentries.get(ROOT_INODE, "g"), undefined);
  });
});

describe("answers are forgotten", () => {
  test("once the client has them, some at a time", () => {
    for (let sequence = 1; sequence <= 200; sequence++) createAs(id(sequence, sequence), `f${sequence}`);
    assert.ok(world.tables.answers.size <= 32);
    assert.equal(codeOf(createAs(id(2, 2), "late")), "conflict");
    assert.equal(world.tables.dentries.get(ROOT_INODE, "late"), undefined);
  });

  test("with their session", () => {
    for (let sequence = 1; sequence <= 50; sequence++) createAs(id(sequence), `f${sequence}`);
    world.endSession(me);
    assert.deepEqual(world.tables.answers.entries(), []);
    assert.equal(codeOf(createAs(id(51), "g")), "session_lost");
  });
});

describe("the window", () => {
  test("ends at 4096 unconfirmed answers: further mutations are `busy` until some are confirmed", () => {
    assert.equal(codeOf(createAs(id(ANSWERS_KEPT), "a")), "ok");
    assert.equal(codeOf(createAs(id(ANSWERS_KEPT + 1), "b")), "busy");
    assert.equal(codeOf(createAs(id(ANSWERS_KEPT + 1, 100), "b")), "ok");
  });

  test("is not held up by one that waits for long, and that one is still carried out once", () => {
    const other = world.session();
    const { ino } = world.create(other, "g", { open: "write" }).attributes;
    const open = (at: MutationId): Outcome => {
      const mutation = { type: "open", body: { id: at, ino, access: "write" } } as const;
      return world.apply({ type: "mutate", body: { sessionId: me, mutation } }).outcome;
    };
    assert.equal(codeOf(open(id(1))), "wait");
    const end = 3 * ANSWERS_KEPT;
    for (let sequence = 2; sequence <= end; sequence += 50) {
      assert.equal(codeOf(createAs(id(sequence, sequence, [1]), `f${sequence}`)), "ok");
    }
    world.mutate(other, "close", { ino, access: "write" });
    const answer = open(id(1, end, [1]));
    assert.equal(codeOf(answer), "ok");
    assert.deepEqual(open(id(1, end, [1])), answer);
    assert.equal(world.tables.opens.get(ino, me)?.counts.write, 1);
    assert.equal(codeOf(createAs(id(end + 50, end + 50), "last")), "ok");
    assert.equal(codeOf(open(id(1))), "conflict");
    assert.equal(world.tables.opens.get(ino, me)?.counts.write, 1);
    assert.equal(world.tables.answers.entries().filter(([[sessionId]]) => sessionId === me).length, 1);
  });

  test.each([1, 2, 3])(
    "lets nothing be carried out twice, in whatever order copies come (seed %i)",
    (seed) => {
      const random = new Prng(seed);
      const client = new SequenceWindow();
      const open: number[] = [];
      /** Copies that are on their way, each as its client saw things when it sent it. */
      const copies: MutationId[] = [];
      const outcomes = new Map<number, string>();
      for (let step = 0; step < 1500; step++) {
        const roll = random.below(10);
        if (roll < 4) open.push(client.next());
        // The oldest waits for long.
        const oldest = open[0];
        const sequence = random.chance(0.02) ? oldest : open[1 + random.below(open.length)];
        if (sequence === undefined) continue;
        const { below, except } = client.settled(20, 5);
        copies.push({ sequence, answeredBelow: below, unanswered: except });
        const copy = copies[random.below(copies.length)];
        if (copy === undefined) continue;
        if (random.chance(0.3)) copies.splice(copies.indexOf(copy), 1);
        const text = JSON.stringify(createAs(copy, `f${copy.sequence}`));
        const known = outcomes.get(copy.sequence);
        const isOpen = open.includes(copy.sequence);
        if (isOpen) assert.equal(text, known ?? text, "as long as anybody asks, the answer is the same");
        else assert.ok(text === known || text.includes('"conflict"'), "what is settled stays so");
        if (isOpen) outcomes.set(copy.sequence, text);
        if (isOpen && random.chance(0.5)) {
          open.splice(open.indexOf(copy.sequence), 1);
          client.settle(copy.sequence);
        }
        if (copies.length > 200) copies.splice(0, 50);
      }
      const names = [...outcomes.values()].filter((text) => text.includes('"created":true'));
      assert.ok(names.length > 300);
      assert.equal(names.length, outcomes.size, "every name was new, so each was created, once");
    },
  );

  test("may jump ahead as far as it likes", () => {
    createAs(id(1), "a");
    assert.equal(codeOf(createAs(id(2 ** 50, 2 ** 50), "b")), "ok");
    assert.equal(world.tables.answers.size, 1);
  });

  test("takes whole numbers only", () => {
    const numbers = [id(0, 0), id(1.5), id(Number.NaN), id(2, 3), id(2, -1), id(2 ** 60, 1)];
    const lists = [[0], [1.5], [2, 1], [1, 1], [3], [Number.NaN]].map((list) => id(2, 3, list));
    for (const wrong of [...numbers, ...lists]) {
      assert.equal(codeOf(createAs(wrong, "f")), "malformed");
    }
    assert.deepEqual(world.tables.answers.entries(), []);
  });
});

test("a session that never began is lost", () => {
  const { sessionId } = { sessionId: 77 as SessionId };
  assert.equal(codeOf(world.mutate(sessionId, "create", createBody("f"))), "session_lost");
});
