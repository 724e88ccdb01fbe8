import { describe, expect, test } from "vitest";
import { concatBytes, Prng, toUtf8 } from "../../../../src/base/index.js";
import { LEVEL } from "../../../../src/chunk/index.js";
import type { Change } from "../../../../src/mds/core/command.js";
import type { Effect } from "../../../../src/mds/core/effects.js";
import { encodeCommand } from "../../../../src/mds/store/command-codec.js";
import { encodeKey } from "../../../../src/mds/store/keys.js";
import { MetadataStore } from "../../../../src/mds/store/metadata-store.js";
import { inodeNumber, ROOT_INODE } from "../../../../src/meta/index.js";
import { ManualClock } from "../../rpc/fake-channel.js";
import { createBody } from "../core/core-world.js";
import { MemoryKv, MemoryKvDisk } from "./memory-kv.js";

const GENESIS: Change = {
  type: "genesis",
  body: { clusterId: "c", name: "n", secrets: new Uint8Array([1]), address: "1:1", hostId: "h" },
};
const SESSION: Change = { type: "beginSession", body: { hostname: "x", hostId: "h", program: "p" } };
const config = (value: number): Change => ({
  type: "setConfig",
  body: { name: "mds.wd.offline_tout", value: String(value) },
});
const create = (sequence: number, name = `file${sequence}`): Change => ({
  type: "mutate",
  body: {
    sessionId: 1 as never,
    mutation: {
      type: "create",
      body: { ...createBody(name), id: { sequence, answeredBelow: sequence, unanswered: [] } },
    },
  },
});

/** A store and the log it follows. */
class Follower {
  store: MetadataStore | undefined;
  kv = new MemoryKv();
  readonly clock = new ManualClock();
  readonly log: Uint8Array[] = [];

  get open(): MetadataStore {
    if (this.store === undefined) throw new Error("it is open");
    return this.store;
  }

  async start(disk = new MemoryKvDisk()): Promise<this> {
    this.kv = new MemoryKv(disk);
    this.store = await MetadataStore.open(this.kv, this.clock);
    return this;
  }

  apply(...changes: readonly Change[]) {
    for (const change of changes) this.log.push(encodeCommand({ stampMs: 1000 + this.log.length, change }));
    return this.replay();
  }

  /** Everything of the log that the store does not have. */
  replay() {
    const from = this.open.appliedIndex();
    const entries = this.log.slice(from).map((data, i) => ({ index: from + i + 1, term: 2, data }));
    return this.open.apply(entries);
  }

  async names(): Promise<string[]> {
    return (await this.open.directoryPage(ROOT_INODE, "", 10_000)).map(({ name }) => name);
  }
}

async function* pieces(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function snapshotOf(store: MetadataStore) {
  const { index, term, bytes } = await store.openSnapshot();
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return { index, term, bytes: concatBytes(...parts) };
}

/** Some turns of the event loop. */
async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise(setImmediate);
}

describe("applying", () => {
  test("gives a result for each entry, nothing for the group's own, and effects in order", async () => {
    const { open, log } = await new Follower().start();
    const effects: Effect["type"][] = [];
    open.onEffects((batch) => effects.push(...batch.map(({ type }) => type)));
    for (const change of [GENESIS, config(5000)]) log.push(encodeCommand({ stampMs: 1, change }));
    const [first, second] = log as [Uint8Array, Uint8Array];

    const outcomes = open.apply([
      { index: 1, term: 1, data: new Uint8Array(0) },
      { index: 2, term: 1, data: first },
      { index: 3, term: 1, data: second },
    ]);

    expect(outcomes).toEqual([undefined, { type: "done", value: 1 }, { type: "done", value: 1 }]);
    expect(effects).toEqual(["mdsServersChanged", "configChanged"]);
    expect(open.appliedIndex()).toBe(3);
    expect(open.tables.config.get("mds.wd.offline_tout")?.value).toBe("5000");
  });

  test("is written behind, many entries in one batch, and asks nobody to wait", async () => {
    const follower = await new Follower().start();
    follower.kv.hold();
    follower.apply(GENESIS, SESSION);
    for (let i = 1; i <= 50; i++) follower.apply(create(i));
    expect(await follower.names()).toHaveLength(50);
    expect(follower.kv.disk.batches).toHaveLength(0);

    follower.kv.release();
    expect(await follower.open.persistUpTo()).toBe(52);
    expect(follower.kv.disk.batches.length).toBeLessThan(5);
    expect(follower.kv.disk.syncedCount).toBe(follower.kv.disk.batches.length);
  });

  test("is written some time later, and what changed again meanwhile only once", async () => {
    const follower = await new Follower().start();
    follower.apply(GENESIS, config(5000));
    await turns();
    expect(follower.kv.disk.batches).toHaveLength(0);
    follower.apply(config(6000));
    follower.clock.advance(200);
    await turns();
    expect(follower.kv.disk.batches).toHaveLength(1);

    follower.apply(SESSION);
    for (let i = 1; i < 256; i++) follower.apply(create(i));
    await turns();
    expect(follower.kv.disk.batches).toHaveLength(2);

    follower.apply(config(7000));
    follower.clock.advance(200);
    await turns();
    expect(follower.kv.disk.batches).toHaveLength(3);
  });

  test("of something that is no command stops the store, and nothing of it is written", async () => {
    const follower = await new Follower().start();
    follower.apply(GENESIS);
    await follower.open.persistUpTo();
    follower.log.push(encodeCommand({ stampMs: 1, change: config(7000) }), new Uint8Array([9, 9]));

    expect(() => follower.replay()).toThrow("malformed");
    expect(() => follower.replay()).toThrow("malformed");
    await expect(follower.open.persistUpTo()).rejects.toThrow("malformed");

    const reopened = await new Follower().start(follower.kv.disk);
    expect(reopened.open.appliedIndex()).toBe(1);
    expect(reopened.open.tables.config.size).toBe(0);
  });

  test("of a level that this program does not know stops the store", async () => {
    const follower = await new Follower().start();
    const raise: Change = { type: "raiseLevel", body: { level: LEVEL + 1 } };
    expect(() => follower.apply(GENESIS, raise)).toThrow(
      `the metadata are of level ${LEVEL + 1}, and this program knows none above ${LEVEL}: start a newer one`,
    );
    await expect(follower.open.persistUpTo()).rejects.toThrow("start a newer one");
  });

  test("a state of a level that this program does not know is not opened", async () => {
    const follower = await new Follower().start();
    const body = { clusterId: "c", name: "n", secrets: new Uint8Array([1]), address: "1:1", hostId: "h" };
    follower.apply({ type: "genesis", body: { ...body, level: LEVEL + 1 } });
    await follower.open.close();
    await expect(new Follower().start(follower.kv.disk)).rejects.toThrow("start a newer one");
  });

  test("a broken disk stops the store: nothing is promised any more", async () => {
    const follower = await new Follower().start();
    follower.kv.failNext();
    follower.apply(GENESIS);
    await expect(follower.open.persistUpTo()).rejects.toThrow("the disk is broken");
    expect(() => follower.apply(SESSION)).toThrow("the disk is broken");
    await expect(follower.open.openSnapshot()).rejects.toThrow("the disk is broken");
  });
});

describe("after a crash", () => {
  test("the state is one that the log went through, and the rest of the log brings it up to date", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const prng = new Prng(seed);
      const follower = await new Follower().start();
      follower.apply(GENESIS, SESSION);
      for (let i = 1; i <= 40; i++) {
        follower.apply(create(i));
        if (prng.chance(0.2)) await new Promise<void>((resolve) => setImmediate(resolve));
        if (prng.chance(0.1)) await follower.open.persistUpTo();
      }
      const expected = await follower.open.stateHash();
      const disk = new MemoryKvDisk();
      disk.batches.push(...follower.kv.disk.batches);
      disk.syncedCount = follower.kv.disk.syncedCount;
      disk.losePower(prng.below(3));
      await follower.start(disk);
      const index = follower.open.appliedIndex();
      const created = Math.max(0, index - 2);
      expect(await follower.names(), `seed ${seed}`).toHaveLength(created);
      expect(follower.open.tables.totals.get()?.inodeCount ?? 0).toBe(index === 0 ? 0 : created + 1);

      follower.replay();
      expect(await follower.open.stateHash()).toBe(expected);
    }
  });

  test("a record that was damaged is refused with its name: at start if it is small, else when it is read", async () => {
    const follower = await new Follower().start();
    follower.apply(GENESIS, SESSION, create(1), config(5000));
    await follower.open.persistUpTo();
    const { kv } = follower;
    kv.spoil(encodeKey(1, "I".charCodeAt(0), [2]), new Uint8Array([1, 2, 3]));
    const reopened = await new Follower().start(kv.disk);
    expect(() => reopened.open.tables.inodes.get(inodeNumber(2))).toThrow(
      "log_corrupt: the record inodes(2)",
    );

    kv.spoil(encodeKey(1, "f".charCodeAt(0), ["mds.wd.offline_tout"]), new Uint8Array([1, 2, 3]));
    await expect(MetadataStore.open(new MemoryKv(kv.disk), new ManualClock())).rejects.toThrow(
      'log_corrupt: the record config("mds.wd.offline_tout")',
    );
  });
});

describe("a snapshot", () => {
  async function filled(count: number): Promise<Follower> {
    const follower = await new Follower().start();
    follower.apply(GENESIS, SESSION);
    for (let i = 1; i <= count; i++) follower.apply(create(i));
    return follower;
  }

  test("makes another server equal, which goes on from there and finds it again after a restart", async () => {
    const source = await filled(300);
    const { index, term, bytes } = await snapshotOf(source.open);
    expect({ index, term }).toEqual({ index: 302, term: 2 });
    const target = await new Follower().start();
    target.apply(GENESIS, SESSION, create(1, "other"));
    const { tables } = target.open;

    await target.open.restoreSnapshot(index, term, pieces(bytes));

    expect(target.open.tables).toBe(tables);
    expect(target.open.appliedIndex()).toBe(index);
    expect(await target.open.stateHash()).toBe(await source.open.stateHash());
    target.log.splice(0, target.log.length, ...source.log);
    source.apply(create(301));
    target.apply(create(301));
    expect(await target.open.stateHash()).toBe(await source.open.stateHash());
    await target.open.close();
    await target.start(target.kv.disk);
    expect(target.open.appliedIndex()).toBe(303);
    expect(await target.open.stateHash()).toBe(await source.open.stateHash());
    expect(target.kv.entries().every(({ key }) => key[3] === 0 || key[3] === 2)).toBe(true);
  });

  test("is of one moment, whatever is applied while it is read", async () => {
    const source = await filled(50);
    const { index, term, bytes } = await source.open.openSnapshot();
    for (let i = 51; i <= 90; i++) source.apply(create(i));
    await source.open.persistUpTo();
    const parts: Uint8Array[] = [];
    for await (const part of bytes) parts.push(part);

    const target = await new Follower().start();
    await target.open.restoreSnapshot(index, term, pieces(concatBytes(...parts)));
    expect(await target.names()).toHaveLength(50);
  });

  test("of an empty state is one, too", async () => {
    const source = await new Follower().start();
    const { index, term, bytes } = await snapshotOf(source.open);
    const target = await filled(3);
    await target.open.restoreSnapshot(index, term, pieces(bytes));
    expect(target.open.appliedIndex()).toBe(0);
    expect(target.open.tables.cluster.get()).toBeUndefined();
  });

  test("that is cut off, damaged or another one changes nothing", async () => {
    const source = await filled(30);
    const { index, term, bytes } = await snapshotOf(source.open);
    const target = await new Follower().start();
    target.apply(GENESIS, SESSION, create(1, "mine"));
    const before = await target.open.stateHash();
    const prng = new Prng(7);
    const broken: Uint8Array[] = [bytes.slice(0, 5), bytes.slice(0, -1), bytes.slice(0, bytes.length >> 1)];
    broken.push(concatBytes(bytes, new Uint8Array(1)), toUtf8("rubbish"), new Uint8Array(0));
    for (let i = 0; i < 60; i++) {
      const damaged = bytes.slice();
      const at = prng.below(bytes.length);
      damaged[at] = (damaged[at] ?? 0) ^ (1 << prng.below(8));
      broken.push(damaged);
    }
    for (const damaged of broken) {
      await expect(target.open.restoreSnapshot(index, term, pieces(damaged, 64))).rejects.toThrow();
    }
    await expect(target.open.restoreSnapshot(index + 1, term, pieces(bytes))).rejects.toThrow(
      "another entry",
    );

    expect(await target.open.stateHash()).toBe(before);
    expect(target.open.appliedIndex()).toBe(3);
    target.apply(create(2, "still alive"));
    expect(await target.names()).toEqual(["mine", "still alive"]);
    await target.open.restoreSnapshot(index, term, pieces(bytes, 7));
    expect(await target.open.stateHash()).toBe(await source.open.stateHash());
  });

  test("leaves nothing behind when it fails, though part of it was written", async () => {
    const large = await new Follower().start();
    large.apply(GENESIS, SESSION);
    for (let i = 1; i <= 3500; i++) large.apply(create(i, `${i}`.padEnd(250, "x")));
    const first = await snapshotOf(large.open);
    const small = await filled(5);
    const second = await snapshotOf(small.open);
    const target = await new Follower().start();
    const batchCount = target.kv.disk.batches.length;

    const cutOff = pieces(first.bytes.slice(0, -1));
    await expect(target.open.restoreSnapshot(first.index, first.term, cutOff)).rejects.toThrow("too early");
    expect(target.kv.disk.batches.length).toBeGreaterThan(batchCount);
    await target.open.restoreSnapshot(second.index, second.term, pieces(second.bytes));

    expect(await target.open.stateHash()).toBe(await small.open.stateHash());
  });

  test("that is being restored when the process dies leaves the old state", async () => {
    const source = await filled(30);
    const { index, term, bytes } = await snapshotOf(source.open);
    const target = await new Follower().start();
    target.apply(GENESIS, SESSION, create(1, "mine"));
    await target.open.persistUpTo();
    const before = target.kv.disk.batches.length;
    await target.open.restoreSnapshot(index, term, pieces(bytes));
    const all = [...target.kv.disk.batches];

    for (let count = before; count <= all.length; count++) {
      const disk = new MemoryKvDisk();
      disk.batches.push(...all.slice(0, count));
      const reopened = await new Follower().start(disk);
      expect([3, index]).toContain(reopened.open.appliedIndex());
      expect(await reopened.names()).toHaveLength(reopened.open.appliedIndex() === 3 ? 1 : 30);
      await reopened.open.close();
    }
  });
});

describe("the work at start", () => {
  test("does not grow with the number of files", async () => {
    const follower = await new Follower().start();
    follower.apply(GENESIS, SESSION);
    for (let i = 1; i <= 500; i++) follower.apply(create(i));
    await follower.open.persistUpTo();
    const kv = new MemoryKv(follower.kv.disk);
    let readCount = 0;
    const range = kv.range.bind(kv);
    kv.range = async function* (what) {
      for await (const entry of range(what)) {
        readCount += 1;
        yield entry;
      }
    };
    await MetadataStore.open(kv, follower.clock);
    expect(readCount).toBeLessThan(100);
  });
});

test("a store that is closed writes what was applied, and answers nothing any more", async () => {
  const follower = await new Follower().start();
  follower.apply(GENESIS);
  await Promise.all([follower.open.close(), follower.open.close()]);
  expect(() => follower.apply(SESSION)).toThrow("closed");
  await follower.start(follower.kv.disk);
  expect(follower.open.appliedIndex()).toBe(1);
});
