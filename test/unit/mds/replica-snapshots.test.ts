import { expect, test } from "vitest";
import { Prng, toUtf8 } from "../../../src/base/index.js";
import { REPLICA_DEFAULTS } from "../../../src/mds/replica.js";
import type { ReplicaParts } from "../../../src/mds/replica-loop.js";
import type { Persister } from "../../../src/mds/replica-persister.js";
import { ReplicaSnapshots } from "../../../src/mds/replica-snapshots.js";
import { RaftLogStore } from "../../../src/mds/store/raft-log.js";
import { type Membership, Raft, raftId, type Snapshot } from "../../../src/raft/index.js";
import { SimWorld } from "../../sim/world/index.js";
import { ListMachine } from "./replica-group.js";

const me = raftId(1);
const leader = raftId(2);
const membership: Membership = {
  members: [me, leader].map((id) => ({ id, address: `mds${id}`, role: "voter" })),
};

/** A snapshot of that place, as a leader of term 3 sends it. */
const snapshotOf = (index: number): Snapshot => ({
  type: "snapshot",
  from: leader,
  to: me,
  term: 3,
  snapshot: { index, term: 3, membership },
});

async function* stateOf(index: number): AsyncGenerator<Uint8Array> {
  yield toUtf8(JSON.stringify({ index, commands: [] }));
}

// biome-ignore lint/correctness/useYield: it breaks off before anything has come.
async function* brokenOff(): AsyncGenerator<Uint8Array> {
  throw new Error("the connection broke");
}

/** A follower with an empty log, on a host that can lose power. Nothing is persisted but by the test. */
async function follower() {
  const sim = new SimWorld({ seed: 1 });
  const host = sim.addHost("h");
  const run = <T>(work: Promise<T>): Promise<T> => sim.simulator.run(work, "the replica");
  const open = async () => {
    const state = await run(host.disk.openKv("/state", "test.open"));
    const machine = new ListMachine(state);
    const kv = await run(host.disk.openKv("/raft", "test.open"));
    return { machine, store: await run(RaftLogStore.open(kv, machine.appliedIndex())) };
  };
  const { machine, store } = await open();
  const config = { ...REPLICA_DEFAULTS, id: me };
  const raft = new Raft(
    config,
    { reader: store, hardState: store.hardState, history: store.history, applied: 0 },
    new Prng(1),
  );
  const parts = { config, world: { clock: host.clock }, machine, raft, store } as unknown as ReplicaParts;
  const snapshots = new ReplicaSnapshots(
    parts,
    { between: () => Promise.resolve() } as unknown as Persister,
    new AbortController().signal,
    {
      apply: () => undefined,
      act: (action) => action(),
      turnSoon: () => undefined,
      failed: (error) => {
        throw error;
      },
    },
  );
  const receive = (index: number, bytes = stateOf(index)) => run(snapshots.receive(snapshotOf(index), bytes));
  const persist = async () => {
    const ready = raft.ready();
    await run(store.persist([ready], true));
    raft.persisted(ready.number, host.clock.monotonicMs());
  };
  const losePower = () => {
    host.powerLoss();
    host.restart();
    return open();
  };
  return { receive, persist, losePower };
}

test("no other snapshot is taken before the log has followed the last one: power may be lost at any moment", async () => {
  const { receive, persist, losePower } = await follower();
  await receive(20);
  await expect(receive(30)).rejects.toMatchObject({ code: "busy" });
  await persist();
  await receive(30);
  const { machine, store } = await losePower();
  expect([machine.appliedIndex(), store.start().index, store.lastIndex()]).toEqual([30, 30, 30]);
});

test("a replica that lost power right after a snapshot starts from it, also if the next one had begun", async () => {
  const { receive, losePower } = await follower();
  await receive(20);
  await expect(receive(30, brokenOff())).rejects.toThrow();
  const { machine, store } = await losePower();
  expect([machine.appliedIndex(), store.start().index, store.lastIndex()]).toEqual([20, 20, 20]);
});
