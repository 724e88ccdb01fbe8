import assert from "node:assert/strict";
import { beforeEach, describe, test } from "vitest";
import { toUtf8 } from "../../../../src/base/index.js";
import type { Outcome } from "../../../../src/mds/core/command.js";
import {
  CHANGES_MAX,
  type ChangeResult,
  type EarlyMutation,
  type InodeNumber,
  inodeNumber,
  type MetadataMutation,
  MODE_DIRECTORY,
  type MutationId,
  ROOT_INODE,
  replyDigest,
  type SessionId,
} from "../../../../src/meta/index.js";
import { CoreWorld, codeOf, createBody } from "./core-world.js";

const NO_ID: MutationId = { sequence: 0, answeredBelow: 0, unanswered: [] };
const STAMP_MS = 1_800_000_000_000;

/** A state machine and a session with numbers of its own. */
class Side {
  readonly world = new CoreWorld();
  readonly session: SessionId = this.world.session();
  readonly firstInode: InodeNumber;

  constructor() {
    const outcome = this.world.mutate(this.session, "reserveNumbers", { count: 16 });
    if (outcome.type !== "reply" || outcome.reply.type !== "numbers") throw new Error("numbers are reserved");
    this.firstInode = outcome.reply.body.firstInode;
  }

  together(changes: readonly EarlyMutation[], sequence = 2): Outcome {
    const id = { sequence, answeredBelow: 1, unanswered: [], stampMs: STAMP_MS + changes.length };
    const body = { id, changes: changes.map((change) => ({ body: change })) };
    return this.#mutate({ type: "changeTogether", body });
  }

  alone(change: EarlyMutation, sequence: number): Outcome {
    const { stampMs } = change.body.id;
    const id = { sequence, answeredBelow: 1, unanswered: [], stampMs };
    return this.#mutate({ type: change.type, body: { ...change.body, id } } as EarlyMutation);
  }

  #mutate(mutation: MetadataMutation): Outcome {
    return this.world.apply({ type: "mutate", body: { sessionId: this.session, mutation } }).outcome;
  }
}

const resultsOf = (outcome: Outcome): readonly ChangeResult[] => {
  if (outcome.type !== "reply" || outcome.reply.type !== "changedTogether")
    throw new Error(`the changes have results: ${codeOf(outcome)}`);
  return outcome.reply.body.results;
};

/** What a program does to a new directory; the second file of that name and the missing one fail. */
function story(firstInode: InodeNumber): EarlyMutation[] {
  const ino = (i: number): InodeNumber => inodeNumber(firstInode + i);
  const id = (i: number): MutationId => ({ ...NO_ID, stampMs: STAMP_MS + i });
  const directory = { parent: ROOT_INODE, ino: ino(0), mode: MODE_DIRECTORY | 0o755 };
  const times = { atimeNow: true, mtimeNow: false, mtime: { seconds: 7, nanos: 8 } };
  return [
    { type: "create", body: { ...createBody("d", directory), id: id(1) } },
    {
      type: "create",
      body: { ...createBody("f", { parent: ino(0), ino: ino(1), open: "write" }), id: id(2) },
    },
    { type: "create", body: { ...createBody("f", { parent: ino(0), ino: ino(2) }), id: id(3) } },
    { type: "setAttributes", body: { id: id(4), ino: ino(1), mode: 0o600, ...times } },
    { type: "setAttributes", body: { id: id(5), ino: ino(9), ...times } },
    { type: "create", body: { ...createBody("g", { parent: ino(0), ino: ino(3) }), id: id(6) } },
    { type: "remove", body: { id: id(7), parent: ino(0), name: toUtf8("g"), directory: false } },
  ];
}

let side: Side;
beforeEach(() => {
  side = new Side();
});

describe("changes that were answered early and come together", () => {
  test("come out as if each had come alone, one after the other", () => {
    const twin = new Side();
    const changes = story(side.firstInode);
    const results = resultsOf(side.together(changes));
    const alone = story(twin.firstInode).map((change, i) => twin.alone(change, i + 2));

    assert.deepEqual(
      results.map(({ failure }) => failure ?? "ok"),
      alone.map(codeOf),
    );
    assert.deepEqual(
      results.map(({ digest }) => digest),
      alone.map((outcome) => (outcome.type === "reply" ? replyDigest(outcome.reply) : 0)),
    );
    for (const ino of [ROOT_INODE, side.firstInode, inodeNumber(side.firstInode + 1)])
      assert.deepEqual(side.world.stat(ino), twin.world.stat(ino));
  });

  test("are carried out once, however often they are proposed", () => {
    const changes = story(side.firstInode);
    const first = side.together(changes);
    const before = side.world.stat(side.firstInode);
    assert.deepEqual(side.together(changes), first);
    assert.deepEqual(side.world.stat(side.firstInode), before);
  });

  test("have their times, and are not too many", () => {
    const [change] = story(side.firstInode);
    assert.ok(change !== undefined);
    const timeless = { ...change, body: { ...change.body, id: NO_ID } } as EarlyMutation;
    assert.equal(codeOf(side.together([change, timeless], 2)), "malformed");
    const many = Array.from({ length: CHANGES_MAX + 1 }, () => change);
    assert.equal(codeOf(side.together(many, 3)), "invalid");
    assert.equal(side.world.stat(ROOT_INODE).sizeBytes, 0);
  });
});

test("the digest of a reply is another one for everything that the reply can say", () => {
  const { attributes, lease } = side.world.create(side.session, "f", { open: "write" });
  const reply = { type: "opened", body: { attributes, lease, created: true } } as const;
  const digests = new Set([replyDigest(reply), replyDigest({ type: "entry", body: { attributes } })]);
  const numbers = ["ino", "generation", "mode", "linkCount", "uid", "gid", "rdev", "sizeBytes"] as const;
  for (const field of [...numbers, "changeCount"] as const) {
    for (const by of [1, 2 ** 32]) {
      const other = { ...attributes, [field]: attributes[field] + by };
      digests.add(replyDigest({ ...reply, body: { ...reply.body, attributes: other } }));
    }
  }
  for (const field of ["atime", "mtime", "ctime", "birthTime"] as const) {
    const { seconds, nanos } = attributes[field];
    for (const time of [
      { seconds: seconds + 1, nanos },
      { seconds, nanos: nanos + 1 },
    ]) {
      const other = { ...attributes, [field]: time };
      digests.add(replyDigest({ ...reply, body: { ...reply.body, attributes: other } }));
    }
  }
  digests.add(replyDigest({ ...reply, body: { ...reply.body, created: false } }));
  digests.add(replyDigest({ ...reply, body: { ...reply.body, lease: { ...lease, sequence: 99 } } }));
  assert.equal(digests.size, 2 + 2 * 9 + 2 * 4 + 2);
});
