import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { chunkId } from "../../../../src/chunk/index.js";
import type { Change, Command, Outcome } from "../../../../src/mds/core/command.js";
import { apply } from "../../../../src/mds/core/state-machine.js";
import {
  type InodeNumber,
  LOCK_END,
  lockPosition,
  type MetadataMutation,
  ROOT_INODE,
  type SessionId,
} from "../../../../src/meta/index.js";
import { CoreWorld, codeOf, createBody } from "./core-world.js";
import { MemoryTables } from "./memory-tables.js";

const GENESIS: Change = {
  type: "genesis",
  body: { clusterId: "c", name: "n", secrets: new Uint8Array([7]), address: "10.0.0.1:2510", hostId: "h" },
};
const at = (stampMs: number, change: Change): Command => ({ stampMs, change });

describe("genesis", () => {
  test("makes the cluster, its first MDS, its counters, a root directory and an event", () => {
    const tables = new MemoryTables();
    assert.deepEqual(apply(tables, at(5000, GENESIS)).outcome, { type: "done", value: 1 });
    const { mode, uid, linkCount, ino } = tables.inodes.get(ROOT_INODE) ?? {};
    assert.deepEqual([mode, uid, linkCount, ino], [0o040755, 0, 2, 1]);
    assert.equal(tables.cluster.get()?.clusterId, "c");
    assert.deepEqual([...tables.mdsServers.values()], [{ mdsId: 1, address: "10.0.0.1:2510", hostId: "h" }]);
    assert.equal(tables.events.get(1)?.wallMs, 5000);
  });

  test("happens once", () => {
    const tables = new MemoryTables();
    apply(tables, at(1, GENESIS));
    const before = tables.dump();
    assert.equal(codeOf(apply(tables, at(2, GENESIS)).outcome), "refused");
    assert.deepEqual(tables.dump(), before);
  });

  test("comes before everything else", () => {
    const tables = new MemoryTables();
    const body = { hostname: "h", hostId: "h", program: "p" };
    assert.equal(codeOf(apply(tables, at(1, { type: "beginSession", body })).outcome), "refused");
    assert.deepEqual(tables.dump(), new MemoryTables().dump());
  });

  test("sets where numbers begin: sessions at 1, chunk servers at 1025, inodes after the root", () => {
    const world = new CoreWorld();
    const me = world.session();
    assert.equal(me, 1);
    assert.equal(world.addServer(1), 1025);
    assert.equal(world.create(me, "f").attributes.ino, 2);
  });
});

const WEIRD_NUMBERS = [
  0,
  1,
  2,
  3,
  -1,
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e300,
];
const WEIRD_NAMES = [[], [0x2e], [0x2e, 0x2e], [0x2f], [0], [0xff, 0xfe]].map((b) => new Uint8Array(b));

/** Requests as only a broken or hostile client sends them: every field has its type, and any value. */
class Garbage {
  readonly #random: Prng;
  #sequence = 0;

  constructor(seed: number) {
    this.#random = new Prng(seed);
  }

  change(): Change {
    if (this.#random.chance(0.1)) return this.#other();
    const sessionId = (1 + this.#number(2)) as SessionId;
    return { type: "mutate", body: { sessionId, mutation: this.#mutation() } };
  }

  #other(): Change {
    const ino = this.#number(8) as InodeNumber;
    const sessionId = this.#number(30) as SessionId;
    const chunk = { chunkId: chunkId(this.#number(5)), version: this.#number(5) as never };
    return this.#random.pick<Change>([
      { type: "beginSession", body: { hostname: "h", hostId: "h", program: "p" } },
      { type: "endSession", body: { sessionId, reason: "expired" } },
      { type: "finishRecovery", body: { ino } },
      { type: "dropChunks", body: { ino, indexes: [this.#number(3)], isLast: this.#random.chance(0.5) } },
      { type: "chunkInstalled", body: { ...chunk, highWaterBytes: this.#random.below(1e6) } },
    ]);
  }

  #mutation(): MetadataMutation {
    const pick = <T>(...items: T[]): T => this.#random.pick(items);
    const number = () => this.#number(6);
    const time = () => ({ seconds: number(), nanos: number() });
    const place = () => pick(1, 1, 1, 2, 3, number());
    const maybe = <T>(value: T): T | undefined => (this.#random.chance(0.5) ? value : undefined);
    const yes = () => this.#random.chance(0.5);
    const access = () => pick("read", "write", "write", "exclusive", "constructor");
    const mode = pick(0o100644, 0o100644, 0o040755, 0o040755, 0o120777, 0o010600, number());
    const types = [
      "create",
      "link",
      "remove",
      "rename",
      "setAttributes",
      "truncate",
      "setXattr",
      "removeXattr",
    ];
    const more = [
      "setStorage",
      "open",
      "openAhead",
      "markAccessed",
      "close",
      "reportFile",
      "allocateChunk",
      "revoke",
      "extend",
      "setLock",
      "reserveNumbers",
    ];
    const body = {
      id: {
        sequence: this.#random.chance(0.9) ? ++this.#sequence : number(),
        answeredBelow: pick(0, 0, 0, 1, number()),
        unanswered: pick([], [], [], [number()], [number(), number()]),
        after: this.#random.chance(0.03) ? number() : undefined,
        stampMs: this.#random.chance(0.03) ? number() : undefined,
      },
      ...{ parent: place(), name: this.#name(), mode, uid: number(), gid: number(), rdev: number() },
      ...{
        target: this.#name(),
        open: maybe(access()),
        mustBeNew: yes(),
        ino: pick(2, 3, 4, 5, number()),
        files: [2, 3, 4, number()].map((ino) => ({ ino })),
        directory: yes(),
      },
      ...{ fromParent: place(), fromName: this.#name(), toParent: place(), toName: this.#name() },
      ...{ atime: maybe(time()), mtime: time(), atimeNow: yes(), mtimeNow: yes(), value: this.#name() },
      ...{ sizeBytes: number(), replicas: maybe(number()), tier: maybe(number()), chunkBytes: maybe(4096) },
      ...{ exclusive: maybe(yes()), access: access(), leaseSequence: number(), index: number() },
      ...{ lengthBytes: number(), umask: maybe(number()), unnamed: maybe(yes()) },
      ...{ killPrivileges: maybe(yes()), killSetgid: maybe(yes()), writtenBytes: maybe(number()) },
      ...{
        family: pick("flock", "range", "?"),
        owner: pick("a", "b", ""),
        pid: number(),
        kind: pick("shared", "exclusive", "none", "?"),
      },
      ...{ begin: lockPosition(BigInt(pick(0, 1, 2, 3))), end: pick<string>(LOCK_END, lockPosition(2n), "") },
      downgradeTo: maybe(pick("none", "read", "shared", "exclusive", "toString")),
    };
    const type = pick(...types, ...more);
    const modes: Record<string, string> = {
      rename: pick("replace", "no_replace", "exchange", "?"),
      setXattr: pick("any", "create", "replace", "?"),
    };
    // Few numbers are reserved for anybody.
    const ino = type === "create" && this.#random.chance(0.8) ? undefined : body.ino;
    const count = pick(0, 1, 2, number());
    return { type, body: { ...body, ino, count, mode: modes[type] ?? mode } } as unknown as MetadataMutation;
  }

  #number(usual: number): number {
    return this.#random.chance(0.97) ? this.#random.below(usual) : this.#random.pick(WEIRD_NUMBERS);
  }

  #name(): Uint8Array {
    if (this.#random.chance(0.2)) return this.#random.pick(WEIRD_NAMES);
    return new Uint8Array([0x61 + this.#random.below(5)]);
  }
}

/** All but the answers, which are kept of failures too. */
function contentOf(tables: MemoryTables): unknown {
  const { answers: _answers, sessions: _sessions, ...rest } = tables.dump();
  return rest;
}

describe("garbage", () => {
  test.each([1, 2, 3, 4])("never throws, and what fails leaves no trace (seed %i)", (seed) => {
    const world = new CoreWorld();
    world.addServer(1);
    world.session();
    world.session();
    const garbage = new Garbage(seed);
    const codes = new Set<string>();
    for (let i = 0; i < 1500; i++) {
      const before = contentOf(world.tables);
      const { outcome } = world.apply(garbage.change());
      codes.add(codeOf(outcome));
      if (outcome.type !== "failure") continue;
      assert.deepEqual(world.effects, []);
      assert.deepEqual(contentOf(world.tables), before);
    }
    assert.ok(codes.has("ok") && codes.size > 10, [...codes].join());
  });
});

describe("two MDSs", () => {
  test.each([11, 12, 13])("that apply the same log hold the same and answer the same (seed %i)", (seed) => {
    const garbage = new Garbage(seed);
    const log: Command[] = [at(1, GENESIS)];
    const server = { hostId: "host", location: "0.0.0", tier: 0 };
    log.push(at(2, { type: "addCs", body: server }), at(3, { type: "recordEvent", body: EVENT }));
    const client = { hostname: "h", hostId: "h", program: "p" };
    for (let i = 0; i < 3; i++) log.push(at(4 + i, { type: "beginSession", body: client }));
    for (let i = 0; i < 1500; i++) log.push(at(1000 + i * 0.125, garbage.change()));
    const [left, right] = [new MemoryTables(), new MemoryTables()];
    const applied = log.map((command) => apply(left, command));
    for (const [i, command] of log.entries()) assert.deepEqual(apply(right, command), applied[i]);
    assert.deepEqual(left.dump(), right.dump());
  });

  const EVENT = { system: "MDS", severity: "info", message: "hello" } as const;
});

test("a command that waits is neither answered nor kept", () => {
  const world = new CoreWorld();
  const [ann, bob] = [world.session(), world.session()];
  const { ino } = world.create(ann, "f", { open: "write" }).attributes;
  const answers = world.tables.answers.size;
  const outcome: Outcome = world.mutate(bob, "create", createBody("f", { open: "read" }));
  assert.deepEqual(outcome, { type: "wait", key: { type: "lease", ino } });
  assert.equal(world.tables.answers.size, answers);
});
