import { describe, expect, test } from "vitest";
import { StorageError, storageError } from "../../../src/base/index.js";
import { Admin } from "../../../src/client/index.js";
import type { Config } from "../../../src/meta/index.js";
import { ADMIN } from "../../../src/rpc/index.js";
import { NetRpc } from "../../../src/rpc/inproc/index.js";
import { SimWorld } from "../../sim/world/index.js";
import { codeOfFailure } from "./doubles/fake-mds.js";

const entry = { name: "a.b", value: "1", sequence: 3, defaultValue: "0", description: "of a test" };

/** Two servers of which the second leads, and an admin who knows the first one only. */
async function started() {
  const world = new SimWorld({ seed: 1 });
  const hosts = ["mds1", "mds2"].map((name) => world.addHost(name));
  const calls: string[] = [];
  const leader = `${hosts[1]?.ip}:2511`;
  for (const host of hosts) {
    const rpc = new NetRpc(host.net, host.clock, {
      identity: { clusterId: "c", hostId: host.name, roles: ["mds"] },
    });
    const serving = rpc.serve(`${host.ip}:2511`, (service) => {
      service.unary(ADMIN.getConfig, async (): Promise<Config> => {
        calls.push(host.name);
        if (host === hosts[1]) return { entries: [entry] };
        throw new StorageError({ code: "not_leader", detail: "", leaderHint: leader });
      });
      service.unary(ADMIN.setConfig, async () => {
        throw storageError("conflict", "somebody changed it");
      });
    });
    await world.simulator.run(serving, "serving");
  }
  const me = world.addHost("me");
  const identity = { clusterId: "c", hostId: "me", roles: ["admin" as const] };
  const rpc = new NetRpc(me.net, me.clock, { identity });
  const admin = new Admin({ clock: me.clock, random: me.random, rpc }, [`${hosts[0]?.ip}:2511`]);
  return { world, hosts, calls, admin };
}

describe("administration", () => {
  test("follows the hint to the leader, and asks it directly the next time", async () => {
    const { world, calls, admin } = await started();
    expect(await world.simulator.run(admin.getConfig(), "config")).toEqual({ entries: [entry] });
    await world.simulator.run(admin.getConfig(), "config");

    expect(calls).toEqual(["mds1", "mds2", "mds2"]);
  });

  test("a refusal is for the caller, at once", async () => {
    const { world, admin } = await started();
    const refused = codeOfFailure(admin.setConfig({ name: "a.b", value: "2", expectedSequence: 1 }));
    expect(await world.simulator.run(refused, "refusal")).toBe("conflict");
  });

  test("gives up in time when nobody leads", async () => {
    const { world, hosts, admin } = await started();
    for (const host of hosts) host.crash();
    const failed = codeOfFailure(admin.status({ timeoutMs: 3000 }));
    expect(await world.simulator.run(failed, "giving up")).toBe("timed_out");
    expect(world.simulator.nowMs).toBeLessThan(3500);
  });
});
