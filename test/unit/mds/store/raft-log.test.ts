import { beforeEach, expect, test } from "vitest";
import { failureOf, toUtf8 } from "../../../../src/base/index.js";
import type { Kv } from "../../../../src/io/index.js";
import { RaftLogStore } from "../../../../src/mds/store/raft-log.js";
import { entryKey, HARD_STATE_KEY } from "../../../../src/mds/store/raft-records.js";
import { type Entry, encodeMembership, type Membership, raftId } from "../../../../src/raft/index.js";
import { type SimHost, SimWorld } from "../../../sim/world/index.js";

const members: Membership = { members: [{ id: raftId(1), address: "a", role: "voter" }] };
const more: Membership = {
  members: [...members.members, { id: raftId(2), address: "b", role: "learner" }],
};

let world: SimWorld;
let host: SimHost;

beforeEach(() => {
  world = new SimWorld({ seed: 1 });
  host = world.addHost("h");
});

function run<T>(promise: Promise<T>): Promise<T> {
  return world.simulator.run(promise, "the store");
}

function openKv(): Promise<Kv> {
  return run(host.disk.openKv("/raft", "test.open"));
}

/** Opens after loss of power. */
async function reopen(appliedIndex = 0): Promise<RaftLogStore> {
  host.powerLoss();
  host.restart();
  const kv = await openKv();
  return run(RaftLogStore.open(kv, appliedIndex));
}

function entry(index: number, term: number, text = `${index}/${term}`): Entry {
  return { index, term, type: "command", data: toUtf8(text) };
}

const nothing = { snapshot: undefined, hardState: undefined, entries: [] };

/** A store with entries 1 to 5 of term 1, of which `commit` are known to be committed. */
async function filled(commit: number): Promise<{ kv: Kv; store: RaftLogStore }> {
  const kv = await openKv();
  const store = await run(RaftLogStore.open(kv, 0));
  const entries = [1, 2, 3, 4, 5].map((index) => entry(index, 1));
  const hardState = { term: 1, vote: raftId(1), commit };
  await run(store.persist([{ ...nothing, hardState, entries }], true));
  return { kv, store };
}

async function overwrite(kv: Kv, index: number, value: Uint8Array): Promise<void> {
  await run(kv.batch([{ type: "put", key: entryKey(index), value }], { sync: true, label: "test.damage" }));
}

async function failureWhenOpening(appliedIndex = 0): Promise<{ code: string; detail: string } | undefined> {
  return reopen(appliedIndex).then(
    () => undefined,
    (error: unknown) => failureOf(error),
  );
}

function termsOf(store: RaftLogStore): string[] {
  const first = store.start().index + 1;
  if (store.lastIndex() < first) return [];
  return store.entries(first, store.lastIndex() + 1, 1e9).map(({ index, term }) => `${index}/${term}`);
}

test("what was persisted with sync survives loss of power", async () => {
  await filled(3);

  const store = await reopen();

  expect(store.hardState).toEqual({ term: 1, vote: 1, commit: 3 });
  expect(termsOf(store)).toEqual(["1/1", "2/1", "3/1", "4/1", "5/1"]);
  expect(store.entries(2, 3, 1e9)).toEqual([entry(2, 1)]);
});

test("an entry replaces the stored one and everything behind it, also within one write", async () => {
  const { store } = await filled(2);
  const writes = [
    { ...nothing, entries: [entry(4, 2), entry(5, 2)] },
    { ...nothing, entries: [entry(5, 3)] },
    { ...nothing, entries: [entry(4, 4)] },
  ];

  await run(store.persist(writes, true));

  expect(termsOf(store)).toEqual(["1/1", "2/1", "3/1", "4/4"]);
  expect(termsOf(await reopen())).toEqual(["1/1", "2/1", "3/1", "4/4"]);
});

test("a torn tail behind everything committed is cut off", async () => {
  const { kv } = await filled(3);
  await overwrite(kv, 4, toUtf8("garbage"));
  await overwrite(kv, 5, toUtf8(""));

  const store = await reopen();

  expect(store.truncatedCount).toBe(2);
  expect(termsOf(store)).toEqual(["1/1", "2/1", "3/1"]);
  expect(termsOf(await reopen())).toEqual(["1/1", "2/1", "3/1"]);
});

test("a damaged entry that was committed makes opening fail and says which", async () => {
  const { kv } = await filled(3);
  await overwrite(kv, 2, toUtf8("garbage"));

  expect(await failureWhenOpening()).toMatchObject({
    code: "log_corrupt",
    detail: expect.stringContaining("entry 2"),
  });
});

test("an entry is known to be committed also when only the state machine knows", async () => {
  const { kv } = await filled(3);
  await overwrite(kv, 5, toUtf8("garbage"));

  expect(await failureWhenOpening(5)).toMatchObject({ code: "log_corrupt" });
});

test("damage in front of an intact entry is no torn tail", async () => {
  const { kv } = await filled(3);
  await overwrite(kv, 4, toUtf8("garbage"));

  expect(await failureWhenOpening()).toMatchObject({ code: "log_corrupt" });
});

test("a single flipped bit in a committed entry is noticed", async () => {
  const { kv } = await filled(5);
  const bytes = kv.get(entryKey(3))?.slice() ?? new Uint8Array();
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  await overwrite(kv, 3, bytes);

  expect(await failureWhenOpening()).toMatchObject({ code: "log_corrupt" });
});

test("an entry in the wrong place is noticed", async () => {
  const { kv } = await filled(5);
  await overwrite(kv, 3, kv.get(entryKey(2)) ?? new Uint8Array());

  expect(await failureWhenOpening()).toMatchObject({ code: "log_corrupt" });
});

test("a log that ends before what was applied makes opening fail", async () => {
  await filled(3);

  expect(await failureWhenOpening(6)).toMatchObject({ code: "log_corrupt" });
});

test("a damaged hard state makes opening fail", async () => {
  const { kv } = await filled(3);
  const change = { type: "put", key: HARD_STATE_KEY, value: toUtf8("?") } as const;
  await run(kv.batch([change], { sync: true, label: "test.damage" }));

  expect(await failureWhenOpening()).toMatchObject({ code: "log_corrupt" });
});

test("damage that appears while it runs fails the reading, not the reader", async () => {
  const { kv } = await filled(5);
  const store = await run(RaftLogStore.open(kv, 0, 0));
  await overwrite(kv, 2, toUtf8("garbage"));

  expect(() => store.entries(2, 3, 1e9)).toThrow(expect.objectContaining({ code: "log_corrupt" }));
});

test("entries that the cache has dropped are read from the store", async () => {
  const { kv } = await filled(5);
  const store = await run(RaftLogStore.open(kv, 0, 8));

  expect(termsOf(store)).toEqual(["1/1", "2/1", "3/1", "4/1", "5/1"]);
  expect(store.termAt(1)).toBe(1);
  expect(store.entries(1, 6, 4)).toHaveLength(1);
});

test("compaction moves the start and keeps what is behind it", async () => {
  const { store } = await filled(4);

  await run(store.compact({ index: 3, term: 1, membership: members }));

  expect(store.termAt(3)).toBe(1);
  expect(store.termAt(2)).toBeUndefined();
  await run(store.persist([{ ...nothing, entries: [entry(6, 1)] }], true));
  const reopened = await reopen(4);
  expect(reopened.start()).toEqual({ index: 3, term: 1, membership: members });
  expect(termsOf(reopened)).toEqual(["4/1", "5/1", "6/1"]);
});

test("a state machine that is behind the log's start makes opening fail", async () => {
  const { store } = await filled(4);
  await run(store.compact({ index: 3, term: 1, membership: members }));
  await run(store.persist([{ ...nothing, entries: [entry(6, 1)] }], true));

  expect(await failureWhenOpening(2)).toMatchObject({ code: "log_corrupt" });
});

test("the memberships in the log are found again, with their places", async () => {
  const { store } = await filled(4);
  const change: Entry = { index: 6, term: 1, type: "membership", data: encodeMembership(more) };
  await run(store.persist([{ ...nothing, entries: [change, entry(7, 1)] }], true));

  const { history } = await reopen();

  expect(history.latest).toEqual(more);
  expect(history.latestIndex).toBe(6);
  expect(history.at(5)).toEqual({ members: [] });
});

const snapshot = { index: 20, term: 3, membership: more };

test("a snapshot starts the log anew", async () => {
  const { store } = await filled(4);

  await run(store.persist([{ snapshot, hardState: undefined, entries: [entry(21, 3)] }], true));

  expect(termsOf(store)).toEqual(["21/3"]);
  const reopened = await reopen(20);
  expect(reopened.start()).toEqual(snapshot);
  expect(termsOf(reopened)).toEqual(["21/3"]);
});

test("a restore that the state machine completed is completed in the log when opening", async () => {
  const { store } = await filled(4);
  await run(store.restoreBegins(snapshot));

  const reopened = await reopen(20);

  expect(reopened.start()).toEqual(snapshot);
  expect(reopened.lastIndex()).toBe(20);
  expect(reopened.hardState).toEqual({ term: 3, vote: undefined, commit: 20 });
  expect(termsOf(await reopen(20))).toEqual([]);
});

test("a restore that the state machine did not complete is forgotten", async () => {
  const { store } = await filled(4);
  await run(store.restoreBegins(snapshot));
  const untouched = await reopen(4);
  await run(untouched.persist([{ ...nothing, entries: [entry(6, 2)] }], true));

  const reopened = await reopen(4);

  expect(reopened.lastIndex()).toBe(6);
  expect(reopened.start().index).toBe(0);
});

test("the write of an older snapshot keeps the note of a later restore", async () => {
  const { store } = await filled(4);
  await run(store.restoreBegins(snapshot));
  const later = { index: 30, term: 3, membership: more };
  await run(store.restoreBegins(later));

  await run(store.persist([{ snapshot, hardState: undefined, entries: [] }], true));

  expect((await reopen(30)).start()).toEqual(later);
});

test("genesis makes one voter and happens once", async () => {
  const kv = await openKv();
  expect(RaftLogStore.isNew(kv)).toBe(true);
  await run(RaftLogStore.bootstrap(kv, raftId(1), "a"));

  const store = await reopen();

  expect(store.hardState).toEqual({ term: 1, vote: undefined, commit: 1 });
  expect(store.history.latest).toEqual(members);
  await run(store.close());
  const again = await openKv();
  const refusal = RaftLogStore.bootstrap(again, raftId(1), "a");
  await expect(run(refusal)).rejects.toMatchObject({ code: "refused" });
});
