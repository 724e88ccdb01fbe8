import { describe, expect, test } from "vitest";
import { Cluster } from "../../../src/client/index.js";
import { ROOT_INODE, sessionId } from "../../../src/meta/index.js";
import { NetRpc } from "../../../src/rpc/inproc/index.js";
import { ClientWorld } from "./doubles/client-world.js";
import { codeOfFailure, LEASE_MS } from "./doubles/fake-mds.js";

describe("a session", () => {
  test("finds the leader by the hint of any metadata server", async () => {
    const world = await ClientWorld.start();
    world.mds.lead(2);
    const cluster = await world.client("client", { mdsAddresses: world.mds.addresses.slice(0, 1) });

    expect(cluster.leader?.mdsId).toBe(3);
    await world.run(cluster.close());
  });

  test("goes on under another leader without an error to the caller", async () => {
    const world = await ClientWorld.start();
    const cluster = await world.client("client");
    const { fileSystem, sessionId: before } = cluster;
    const work = Promise.all(Array.from({ length: 50 }, (_, i) => fileSystem.mkdir(`/d${i}`)));
    await world.pass(3);
    world.mds.hosts[0]?.crash();
    world.mds.lead(1);
    await world.run(work);

    expect(cluster.sessionId).toBe(before);
    expect(world.mds.applied.get("create")).toBeGreaterThanOrEqual(50);
    expect(world.mds.tables.inodes.get(ROOT_INODE)?.entryCount).toBe(50);
  });

  test("a mutation whose answer got lost is done once, and gets its answer", async () => {
    const world = await ClientWorld.start();
    const cluster = await world.client("client");
    world.mds.answersToLose.set("create", 2);
    const made = await world.run(cluster.fileSystem.mkdir("/d"));

    expect(world.mds.applied.get("create")).toBe(3);
    expect((await world.run(cluster.fileSystem.stat("/d"))).ino).toBe(made.ino);
  });

  test("an open that waits for another client holds up none of many thousand later mutations", async () => {
    const world = await ClientWorld.start();
    const ann = await world.client("ann");
    const bob = await world.client("bob");
    const held = await world.run(ann.fileSystem.open("/f", { access: "write", create: true }));
    await world.run(held.write(Uint8Array.of(1), 0));
    for (const server of world.servers) server.answerDelayMs = 5_000;
    const write = held.write(Uint8Array.of(2), 0);
    await world.pass(50);
    let isOpen = false;
    const opened = bob.fileSystem.open("/f", { access: "write" }).finally(() => {
      isOpen = true;
    });
    await world.pass(50);
    const value = Uint8Array.of(1);
    await world.run(
      Promise.all(Array.from({ length: 4500 }, () => bob.fileSystem.setXattr("/", "user.a", value))),
    );
    expect(isOpen).toBe(false);
    await world.run(write);
    await world.run((await world.run(opened)).close());
  });

  test("waits for a leader as long as it takes, or as long as it may", async () => {
    const world = await ClientWorld.start();
    const cluster = await world.client("client");
    for (const host of world.mds.hosts) host.crash();
    const patient = cluster.fileSystem.stat("/");
    const impatient = codeOfFailure(cluster.fileSystem.stat("/", { timeoutMs: 5000 }));
    expect(await world.run(impatient)).toBe("timed_out");
    await world.pass(3000);
    world.mds.hosts[1]?.restart();
    await world.run(world.mds.start(1));
    world.mds.lead(1);

    expect((await world.run(patient)).ino).toBe(ROOT_INODE);
  });

  test("keeps its session alive while nothing happens", async () => {
    const world = await ClientWorld.start();
    const cluster = await world.client("client");
    const before = cluster.sessionId;
    for (let i = 0; i < 10; i++) {
      await world.pass(LEASE_MS);
      expect(world.mds.expireSessions()).toEqual([]);
    }
    await world.run(cluster.fileSystem.stat("/"));
    expect(cluster.sessionId).toBe(before);
  });

  test("after the session was lost path operations just go on", async () => {
    const world = await ClientWorld.start();
    const cluster = await world.client("client");
    const before = cluster.sessionId;
    world.mds.endSession(sessionId(before));
    await world.run(cluster.fileSystem.mkdir("/d"));

    expect(cluster.sessionId).not.toBe(before);
  });

  test("a mutation that may have been done when the session was lost is not repeated", async () => {
    const world = await ClientWorld.start();
    const cluster = await world.client("client");
    world.mds.answersToLose.set("create", 1);
    const made = codeOfFailure(cluster.fileSystem.mkdir("/d"));
    await world.world.simulator.runUntil(() => world.mds.applied.get("create") === 1, "the creation");
    world.mds.endSession(sessionId(cluster.sessionId));

    expect(await world.run(made)).toBe("session_lost");
    expect(world.mds.applied.get("create")).toBe(1);
  });

  test("a clean reader goes on reading under the next session", async () => {
    const world = await ClientWorld.start();
    const cluster = await world.client("client");
    await world.run(cluster.fileSystem.writeFile("/f", "contents"));
    const handle = await world.run(cluster.fileSystem.open("/f"));
    await world.run(handle.read(0, 3));
    world.mds.endSession(sessionId(cluster.sessionId));

    expect((await world.run(handle.read(0, 100))).length).toBe(8);
    await world.run(handle.close());
    expect([...world.mds.tables.opens.values()]).toEqual([]);
  });

  test("a writer's handle is of no use after the session was lost; opened again the file is", async () => {
    const world = await ClientWorld.start();
    const cluster = await world.client("client");
    const handle = await world.run(cluster.fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(new Uint8Array(1000).fill(9), 0));
    world.mds.endSession(sessionId(cluster.sessionId));
    await world.pass(100);

    expect(await world.run(codeOfFailure(handle.write(new Uint8Array(1), 0)))).toBe("lease_lost");
    expect(await world.run(codeOfFailure(handle.sync()))).toBe("lease_lost");
    const again = await world.run(cluster.fileSystem.open("/f", { access: "write" }));
    // What was acknowledged is there, though its size was never reported.
    expect((await world.run(again.read(0, 2000))).length).toBe(1000);
    expect(await world.run(codeOfFailure(handle.close()))).toBe("lease_lost");
    await world.run(again.write(new Uint8Array(1), 0));
    await world.run(again.close());
  });

  test("a client cut off from the metadata servers stops before they give its leases away", async () => {
    const world = await ClientWorld.start();
    const cluster = await world.client("client");
    const handle = await world.run(cluster.fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(new Uint8Array(10), 0));
    const host = world.host("client");
    for (const mds of world.mds.hosts) {
      world.world.network.cut(host.ip, mds.ip);
      world.world.network.cut(mds.ip, host.ip);
    }
    const cutMs = world.world.simulator.nowMs;
    let lastDoneMs = cutMs;
    let isOver = false;
    const writer = (async () => {
      while (!isOver) {
        await handle.write(new Uint8Array(10), 0);
        lastDoneMs = world.world.simulator.nowMs;
        await host.clock.sleep("test.writer", 100);
      }
    })().catch(() => undefined);
    // The last sign of life may have been sent up to a third of a lease before the cut.
    let expired: readonly number[] = [];
    while (expired.length === 0) {
      await world.pass(50);
      expired = world.mds.expireSessions();
    }
    const expiredMs = world.world.simulator.nowMs;
    await world.pass(5000);

    expect(lastDoneMs).toBeGreaterThan(cutMs + 3000);
    expect(lastDoneMs).toBeLessThan(expiredMs);
    world.world.network.heal();
    isOver = true;
    await world.run(writer);
  });

  test("a reader cut off never returns bytes after its lease ended", async () => {
    const world = await ClientWorld.start();
    const reader = await world.client("reader");
    const writer = await world.client("writer");
    await world.run(writer.fileSystem.writeFile("/f", "old"));
    const handle = await world.run(reader.fileSystem.open("/f"));
    await world.run(handle.read(0, 3));
    const host = world.host("reader");
    for (const mds of world.mds.hosts) {
      world.world.network.cut(host.ip, mds.ip);
      world.world.network.cut(mds.ip, host.ip);
    }
    const written = writer.fileSystem.writeFile("/f", "new");
    while (world.mds.expireSessions().length === 0) await world.pass(50);
    await world.run(written);
    const late = handle.read(0, 3);
    await world.pass(1000);
    world.world.network.heal();

    expect(new TextDecoder().decode(await world.run(late))).toBe("new");
  });

  test("a client of another cluster is refused at once", async () => {
    const world = await ClientWorld.start();
    const host = world.host("stranger");
    const identity = { clusterId: "another", hostId: "stranger", roles: ["client" as const] };
    const rpc = new NetRpc(host.net, host.clock, { identity });
    const refused = codeOfFailure(Cluster.connect(world.config(host, { rpc })));

    expect(await world.run(refused)).toBe("unauthenticated");
    expect(host.clock.monotonicMs()).toBeLessThan(1000);
  });

  test("closing gives back every open, and nothing is left running", async () => {
    const world = await ClientWorld.start();
    const cluster = await world.client("client");
    const handle = await world.run(cluster.fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(new Uint8Array(100), 0));
    await world.run(cluster.close());
    await world.run(cluster.close());

    expect([...world.mds.tables.opens.values()]).toEqual([]);
    expect([...world.mds.tables.sessions.values()]).toEqual([]);
    expect(world.mds.tables.inodes.get(handle.ino)?.sizeBytes).toBe(100);
    expect(await codeOfFailure(cluster.fileSystem.stat("/"))).toBe("closed");
  });
});
