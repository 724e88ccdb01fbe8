import { expect, test } from "vitest";
import { type Failure, type FailureCode, failureOf, toUtf8 } from "../../../src/base/index.js";
import { ReplicaGroup } from "./replica-group.js";

/** The failure that the promise ends with. */
function failureFrom(promise: Promise<unknown>): Promise<Failure | undefined> {
  return promise.then(
    () => undefined,
    (error: unknown) => failureOf(error),
  );
}

async function codeOf(promise: Promise<unknown>): Promise<FailureCode | "none"> {
  return (await failureFrom(promise))?.code ?? "none";
}

test("a single member leads at once and answers with the state machine's result", async () => {
  const group = await ReplicaGroup.create(1, 1);

  const result = await group.run(group.propose(group.leader, "a"), "the result");

  expect(result).toBe("a!");
  expect(group.world.simulator.nowMs).toBeLessThan(200);
});

test("what was acknowledged is there after kill -9 and after loss of power", async () => {
  const group = await ReplicaGroup.create(2, 1);
  const member = group.leader;
  await group.run(group.propose(member, "a"), "a");
  member.host.crash();
  await group.restart(member);
  await group.elected();
  await group.run(group.propose(member, "b"), "b");
  member.host.powerLoss();

  await group.restart(member);

  await group.elected();
  await group.run(member.replica.readBarrier(), "reading");
  expect(member.machine.commands).toEqual(["a", "b"]);
});

test("a group grows from one to five, and every member applies the same", async () => {
  const group = await ReplicaGroup.create(3, 5);

  await group.run(group.propose(group.leader, "a"), "a");

  const roles = group.leader.replica.members().map(({ id, role }) => `${id}:${role}`);
  expect(roles).toEqual(["1:voter", "2:voter", "3:voter", "4:voter", "5:voter"]);
  await group.until(() => group.members.every(({ machine }) => machine.commands.includes("a")), "all");
});

test("after kill -9 of the leader another one answers within a second", async () => {
  const group = await ReplicaGroup.create(4, 3);
  await group.run(group.propose(group.leader, "a"), "a");
  const killedAtMs = group.world.simulator.nowMs;
  group.leader.host.crash();

  const next = await group.elected();
  await group.run(group.propose(next, "b"), "b");

  expect(group.world.simulator.nowMs - killedAtMs).toBeLessThan(1000);
  expect(next.machine.commands).toEqual(["a", "b"]);
});

test("many proposals at once share their syncs", async () => {
  const group = await ReplicaGroup.create(5, 1);
  const member = group.leader;
  member.host.diskFaults.timing.syncMs = [10, 10];
  const startMs = group.world.simulator.nowMs;

  await group.run(Promise.all(Array.from({ length: 500 }, (_, i) => group.propose(member, `${i}`))), "all");

  expect(group.world.simulator.nowMs - startMs).toBeLessThan(50);
  expect(member.machine.commands).toHaveLength(500);
});

test("a follower refuses proposals and reads and says who leads", async () => {
  const group = await ReplicaGroup.create(6, 3);
  const follower = group.followers[0] ?? group.leader;

  const refusals = Promise.all([
    failureFrom(group.propose(follower, "a")),
    failureFrom(follower.replica.readBarrier()),
  ]);

  const expected = { code: "not_leader", leaderHint: `n${group.leader.id}` };
  expect(await group.run(refusals, "the refusals")).toMatchObject([expected, expected]);
});

test("a leader that was cut off answers no reads, and its open proposals fail as surely without effect", async () => {
  const group = await ReplicaGroup.create(7, 3);
  const old = group.leader;
  group.cut.add(old.id);
  const proposal = codeOf(group.propose(old, "lost"));
  await group.elected();
  await group.run(group.propose(group.leader, "kept"), "kept");

  const read = codeOf(old.replica.readBarrier());
  group.cut.clear();

  expect(await group.run(read, "the read")).toBe("not_leader");
  expect(await group.run(proposal, "the proposal")).toBe("not_leader");
  await group.until(() => old.machine.commands.includes("kept"), "the follower");
  expect(old.machine.commands).toEqual(["kept"]);
});

test("a proposal whose fate stays unknown fails with unavailable after a while", async () => {
  const group = await ReplicaGroup.create(8, 3);
  const old = group.leader;
  group.cut.add(old.id);
  const startMs = group.world.simulator.nowMs;

  const code = await group.run(codeOf(group.propose(old, "lost")), "the proposal");

  expect(code).toBe("unavailable");
  expect(group.world.simulator.nowMs - startMs).toBeGreaterThan(2000);
});

test("a queue that is full refuses with busy", async () => {
  const group = await ReplicaGroup.create(9, 1, { maxWaiting: 3 });
  const member = group.leader;
  const proposals = Array.from({ length: 4 }, (_, i) => codeOf(group.propose(member, `${i}`)));
  const reads = Array.from({ length: 4 }, () => codeOf(member.replica.readBarrier()));

  expect(await group.run(Promise.all(proposals), "proposals")).toEqual(["none", "none", "none", "busy"]);
  expect(await group.run(Promise.all(reads), "reads")).toEqual(["none", "none", "none", "busy"]);
});

test("a proposal that is called off before it is placed has no effect", async () => {
  const group = await ReplicaGroup.create(10, 1);
  const member = group.leader;
  const controller = new AbortController();
  const proposal = codeOf(member.replica.propose(toUtf8("no"), controller.signal));
  controller.abort();

  expect(await group.run(proposal, "the end")).toBe("cancelled");
  await group.run(group.propose(member, "yes"), "yes");
  expect(member.machine.commands).toEqual(["yes"]);
});

test("a member that was away longer than the log reaches gets a snapshot", async () => {
  const group = await ReplicaGroup.create(11, 3, { keepEntries: 10, compactEntries: 10 });
  const away = group.followers[0] ?? group.leader;
  group.cut.add(away.id);
  for (let i = 0; i < 100; i++) await group.run(group.propose(group.leader, `${i}`), "a command");
  expect(group.leader.replica.status().firstIndex).toBeGreaterThan(50);
  group.cut.clear();

  await group.until(() => away.machine.commands.length === 100, "the member to catch up");

  expect(group.snapshotCount).toBeGreaterThan(0);
  expect(away.machine.commands).toEqual(group.leader.machine.commands);
  away.host.powerLoss();
  await group.restart(away);
  await group.run(group.propose(group.leader, "after"), "after");
  await group.until(() => away.machine.commands.includes("after"), "the restarted member");
  expect(away.machine.commands).toHaveLength(101);
});

test("the log is cut off behind what it may have in bytes, however few entries they are", async () => {
  const limits = { keepBytes: 2 << 20, compactBytes: 2 << 20 };
  const group = await ReplicaGroup.create(12, 3, limits);
  const big = "x".repeat(1 << 20);
  for (let i = 0; i < 7; i++) await group.run(group.propose(group.leader, `${i} ${big}`), "a command");
  const { firstIndex, lastIndex } = group.leader.replica.status();
  const count = lastIndex - firstIndex + 1;
  expect(count).toBeLessThan(5);
  expect(count).toBeGreaterThanOrEqual(2);

  const [again] = group.followers;
  again?.host.powerLoss();
  if (again !== undefined) await group.restart(again);
  await group.until(() => again?.machine.commands.length === 7, "the restarted member");
});

test("a process that dies anywhere in a restore finds a state and a log that fit together", async () => {
  let deaths = 0;
  for (let skip = 0; skip < 8; skip++) {
    const group = await ReplicaGroup.create(100 + skip, 3, { keepEntries: 5, compactEntries: 5 });
    const away = group.followers[0] ?? group.leader;
    group.cut.add(away.id);
    for (let i = 0; i < 40; i++) await group.run(group.propose(group.leader, `${i}`), "a command");
    away.host.diskFaults.add({
      label: "*",
      operations: ["write", "sync"],
      effect: "power_loss",
      skip,
      times: 1,
    });
    group.cut.clear();
    await group.world.simulator.runFor(1000);
    away.host.diskFaults.clear();
    if (!away.host.isAlive) deaths++;

    if (!away.host.isAlive) await group.restart(away);

    await group.until(() => away.machine.commands.length === 40, "the member to catch up");
    expect(away.machine.commands).toEqual(group.leader.machine.commands);
  }
  expect(deaths).toBeGreaterThan(2);
});

test("a member whose log cannot be written halts, and the group goes on", async () => {
  const group = await ReplicaGroup.create(12, 3);
  const old = group.leader;
  old.host.diskFaults.add({ label: "mds.raft.persist", effect: "io_error" });

  const code = await group.run(codeOf(group.propose(old, "a")), "the proposal");

  expect(code).toBe("unavailable");
  expect(old.failures).toHaveLength(1);
  expect(await codeOf(group.propose(old, "b"))).toBe("closed");
  group.cut.add(old.id);
  const next = await group.elected();
  expect(await group.run(group.propose(next, "c"), "c")).toBe("c!");
});

test("a leader hands over to the member that is furthest, without losing a proposal", async () => {
  const group = await ReplicaGroup.create(13, 3);
  const old = group.leader;
  await group.run(group.propose(old, "a"), "a");

  await group.run(old.replica.transferLeadership(), "the handover");

  expect(old.replica.isLeader).toBe(false);
  const next = await group.elected();
  await group.run(next.replica.readBarrier(), "reading");
  expect(next.machine.commands).toEqual(["a"]);
});

test("a leader that removes itself leaves the lead to the others, and all of them know", async () => {
  const group = await ReplicaGroup.create(14, 3);
  const old = group.leader;

  await group.run(old.replica.removeMember(old.id), "the removal");

  await group.until(() => group.members.some((m) => m !== old && m.replica.isLeader), "another leader");
  expect(old.replica.isLeader).toBe(false);
  expect(group.leader.replica.members().map(({ id }) => id)).not.toContain(old.id);
});

test("a removed follower learns of its removal", async () => {
  const group = await ReplicaGroup.create(15, 3);
  const gone = group.followers[0] ?? group.leader;
  const seen: number[][] = [];
  gone.replica.onMembersChange((members) => seen.push(members.map(({ id }) => id)));

  await group.run(group.leader.replica.removeMember(gone.id), "the removal");

  await group.until(() => seen.length > 0, "the news");
  expect(seen.at(-1)).not.toContain(gone.id);
});

test("membership changes say why they are refused", async () => {
  const group = await ReplicaGroup.create(16, 2);
  const { leader } = group;
  const [voter = leader] = group.followers;

  expect(await group.run(codeOf(leader.replica.addLearner(voter.id, "x")), "adding")).toBe("exists");
  expect(await group.run(codeOf(leader.replica.promote(voter.id)), "promoting")).toBe("exists");
  await group.run(leader.replica.removeMember(voter.id), "removing");
  expect(await group.run(codeOf(leader.replica.removeMember(voter.id)), "removing")).toBe("not_found");
  expect(await group.run(codeOf(leader.replica.removeMember(leader.id)), "the last")).toBe("refused");
});

test("closing rejects who waits and resolves when nothing is written any more", async () => {
  const group = await ReplicaGroup.create(17, 1);
  const member = group.leader;
  const proposal = codeOf(group.propose(member, "a"));

  await group.run(member.replica.close(), "closing");

  expect(await proposal).toBe("closed");
  expect(await codeOf(member.replica.readBarrier())).toBe("closed");
});

test("genesis happens once", async () => {
  const group = await ReplicaGroup.create(18, 1);
  const member = group.leader;
  await group.run(member.replica.close(), "closing");
  const kv = await group.run(member.host.disk.openKv("/raft", "test.open"), "the store");
  const { Replica } = await import("../../../src/mds/replica.js");

  expect(await group.run(codeOf(Replica.bootstrap({ kv }, member.id, "n1")), "again")).toBe("refused");
});
