import { expect, test } from "vitest";
import { RaftLink } from "../../../src/mds/raft-link.js";
import { type RaftId, type RaftMessage, raftId } from "../../../src/raft/index.js";
import { NetRpc } from "../../../src/rpc/inproc/index.js";
import { memoryLogger } from "../../../src/telemetry/index.js";
import { SimWorld } from "../../sim/world/index.js";

const CLUSTER = "raft-link";

/** Two metadata servers; what each of them has received. */
class Pair {
  readonly world = new SimWorld({ seed: 1 });
  readonly received = new Map<RaftId, RaftMessage[]>();

  async start(id: RaftId): Promise<RaftLink> {
    const host = this.world.addHost(`mds${id}`);
    const identity = { clusterId: CLUSTER, hostId: host.name, roles: ["mds" as const] };
    const rpc = new NetRpc(host.net, host.clock, { identity });
    const link = new RaftLink({
      ...{ clusterId: CLUSTER, id, rpc, clock: host.clock, log: memoryLogger() },
      hostOf: () => undefined,
      epoch: () => 0,
      onSuperseded: () => undefined,
    });
    const messages: RaftMessage[] = [];
    this.received.set(id, messages);
    link.onMessage((message) => messages.push(message));
    const serving = rpc.serve(`${host.ip}:3000`, (service) => link.define(service));
    await this.world.simulator.runFor(10);
    await serving;
    return link;
  }

  addressOf(id: RaftId): string {
    return `${this.world.hosts.find(({ name }) => name === `mds${id}`)?.ip}:3000`;
  }
}

const reply = (from: RaftId, to: RaftId): RaftMessage => ({
  type: "heartbeat_reply",
  from,
  to,
  term: 1,
  round: 1,
});

test("a member whose address is not known is answered over the stream on which it calls", async () => {
  const pair = new Pair();
  const [leader, follower] = [raftId(6), raftId(4)];
  const leading = await pair.start(leader);
  const following = await pair.start(follower);
  leading.setMembers([{ id: follower, address: pair.addressOf(follower), role: "voter" }]);

  following.send(leader, [reply(follower, leader)]);
  leading.send(follower, [reply(leader, follower)]);
  await pair.world.simulator.runFor(1000);
  expect(pair.received.get(follower)).toHaveLength(1);
  expect(pair.received.get(leader)).toEqual([]);

  following.send(leader, [reply(follower, leader)]);
  await pair.world.simulator.runFor(1000);
  expect(pair.received.get(leader)?.map(({ from, to }) => [from, to])).toEqual([[follower, leader]]);
});

test("a window of appends that is greater than an envelope may be arrives all the same, in order", async () => {
  const pair = new Pair();
  const [leader, follower] = [raftId(6), raftId(4)];
  const leading = await pair.start(leader);
  await pair.start(follower);
  leading.setMembers([{ id: follower, address: pair.addressOf(follower), role: "voter" }]);
  const data = new Uint8Array(1 << 20);
  const appends = Array.from(
    { length: 20 },
    (_, index): RaftMessage => ({
      ...{
        type: "append",
        from: leader,
        to: follower,
        term: 1,
        previousIndex: index,
        previousTerm: 1,
        commit: 0,
      },
      entries: [{ index: index + 1, term: 1, type: "command", data }],
    }),
  );
  leading.send(follower, appends);
  await pair.world.simulator.runFor(10_000);
  const places = pair.received.get(follower)?.map((each) => each.type === "append" && each.previousIndex);
  expect(places).toEqual(appends.map((_, index) => index));
});
