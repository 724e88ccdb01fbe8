import { describe, expect, test } from "vitest";
import { equalBytes } from "../../../src/base/index.js";
import { IO_BYTES_MAX } from "../../../src/chunk/index.js";
import { CHUNK_BYTES, ClientWorld } from "./doubles/client-world.js";
import { codeOfFailure } from "./doubles/fake-mds.js";

describe("a file handle", () => {
  test("reads back what was written, across chunks and at odd offsets", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const bytes = world.bytes(3 * CHUNK_BYTES + 777);
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(bytes, 12_345));

    expect(await world.run(handle.size())).toBe(12_345 + bytes.length);
    const all = await world.run(handle.read(0, 10_000_000));
    expect(all.length).toBe(12_345 + bytes.length);
    expect(all.subarray(0, 12_345).every((byte) => byte === 0)).toBe(true);
    expect(equalBytes(all.subarray(12_345), bytes)).toBe(true);
    expect(equalBytes(await world.run(handle.read(12_400, 99)), bytes.subarray(55, 154))).toBe(true);
    await world.run(handle.close());
  });

  test("reads zeros where a chunk was never written, and nothing beyond the end", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(Uint8Array.of(1), 5 * CHUNK_BYTES));

    expect(await world.run(handle.read(CHUNK_BYTES, 3))).toEqual(new Uint8Array(3));
    expect(await world.run(handle.read(5 * CHUNK_BYTES - 1, 10))).toEqual(Uint8Array.of(0, 1));
    expect((await world.run(handle.read(5 * CHUNK_BYTES + 1, 10))).length).toBe(0);
    expect(world.mds.tables.chunks.size).toBe(1);
  });

  test("carries out overlapping writes in the order they were made, and side by side what does not overlap", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    const writes = Array.from({ length: 40 }, (_, i) =>
      handle.write(new Uint8Array(5000).fill(i + 1), (i % 4) * 4000),
    );
    const read = handle.read(0, 20_000);
    await world.run(Promise.all(writes));

    const expected = new Uint8Array(17_000);
    for (let i = 0; i < 40; i++) expected.fill(i + 1, (i % 4) * 4000, (i % 4) * 4000 + 5000);
    expect(equalBytes(await world.run(read), expected)).toBe(true);
  });

  test("survives the death of a chunk server in the middle of writing, without an error and without a lost byte", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    const bytes = world.bytes(40 * 4096);
    const writes = Array.from({ length: 40 }, (_, i) =>
      handle.write(bytes.subarray(4096 * i, 4096 * (i + 1)), 4096 * i),
    );
    await world.pass(4);
    world.servers[0]?.host.crash();
    await world.run(Promise.all(writes));

    expect(equalBytes(await world.run(handle.read(0, bytes.length)), bytes)).toBe(true);
    await world.run(handle.sync());
    await world.run(handle.close());
  });

  test("goes on within a second when a chunk server dies", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(world.bytes(4096), 0));
    for (const server of world.servers.slice(0, 2)) {
      server.host.crash();
      const beganMs = world.world.simulator.nowMs;
      await world.run(handle.write(world.bytes(4096), 0));
      expect(world.world.simulator.nowMs - beganMs).toBeLessThan(1000);
    }
  });

  test("a read from a server that hangs is answered by another one within little more than a second", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const bytes = world.bytes(4096);
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(bytes, 0));
    for (const server of world.servers) {
      server.isStuck = true;
      const beganMs = world.world.simulator.nowMs;
      const found = await world.run(handle.read(0, 4096, { timeoutMs: 5000 }));
      expect(equalBytes(found, bytes)).toBe(true);
      expect(world.world.simulator.nowMs - beganMs).toBeLessThan(1200);
      server.isStuck = false;
    }
  });

  test("reads from another replica when the bytes of one do not match their checksums, and reports it", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const bytes = world.bytes(9000);
    await world.run(fileSystem.writeFile("/f", bytes));
    const [chunk] = world.mds.tables.chunks.values();
    const bad = world.servers.find(({ csId }) => csId === chunk?.chain[0]?.csId);
    if (chunk === undefined || bad === undefined) throw new Error("there is a chunk");
    for (const server of world.servers) server.corrupt.add(chunk.chunkId);
    world.servers.find((server) => server !== bad)?.corrupt.clear();

    expect(equalBytes(await world.run(fileSystem.readFile("/f")), bytes)).toBe(true);
    await world.pass(100);
    expect(world.mds.tables.chunks.get(chunk.chunkId)?.version).toBeGreaterThan(1);
  });

  test("fails a read only when no replica has the right bytes", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    await world.run(fileSystem.writeFile("/f", world.bytes(9000)));
    const [chunk] = world.mds.tables.chunks.values();
    for (const server of world.servers) if (chunk !== undefined) server.corrupt.add(chunk.chunkId);

    expect(await world.run(codeOfFailure(fileSystem.readFile("/f")))).toBe("chunk_corrupt");
  });

  test("a read waits through the absence of the only replica", async () => {
    const world = await ClientWorld.start({ csCount: 1, replicas: 1 });
    const { fileSystem } = await world.client("client");
    const bytes = world.bytes(100);
    await world.run(fileSystem.writeFile("/f", bytes));
    const [server] = world.servers;
    server?.host.crash();
    const read = fileSystem.readFile("/f");
    await world.pass(30_000);
    server?.host.restart();
    await world.run(server?.start("6b1f0a52-4f4e-4f43-9d2b-3f0c6d6f1c11") ?? Promise.resolve());

    expect(equalBytes(await world.run(read), bytes)).toBe(true);
  });

  test("a caller that gives up gets its failure at once, and the handle goes on", async () => {
    const world = await ClientWorld.start({ csCount: 1, replicas: 1 });
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(Uint8Array.of(1), 0));
    const [server] = world.servers;
    if (server !== undefined) server.isStuck = true;
    const aborted = new AbortController();
    const write = codeOfFailure(handle.write(Uint8Array.of(2), 0, { signal: aborted.signal }));
    const timed = codeOfFailure(handle.write(Uint8Array.of(3), 1, { timeoutMs: 50 }));
    await world.pass(20);
    aborted.abort();

    expect(await world.run(write)).toBe("cancelled");
    expect(await world.run(timed)).toBe("timed_out");
    if (server !== undefined) server.isStuck = false;
    await world.run(handle.write(Uint8Array.of(4), 0));
    expect((await world.run(handle.read(0, 1)))[0]).toBe(4);
  });

  test("who waits for metadata can leave: what was sent still comes before what is written next", async () => {
    const world = await ClientWorld.start({ csCount: 1, replicas: 1 });
    const { fileSystem } = await world.client("client");
    const open = (name: string) => world.run(fileSystem.open(name, { access: "write", create: true }));
    const [cut, grown, told] = [await open("/cut"), await open("/grown"), await open("/told")];
    await world.run(cut.write(Uint8Array.of(1, 2, 3), 0));
    await world.run(told.write(Uint8Array.of(1), 0));
    const { network } = world.world;
    const client = world.host("client").ip;
    for (const { ip } of world.mds.hosts) network.cut(client, ip);
    const aborted = new AbortController();
    const { signal } = aborted;
    const left = [
      codeOfFailure(cut.truncate(0, { signal })),
      codeOfFailure(grown.allocate(0, 5000, { signal })),
      codeOfFailure(told.flush({ signal })),
      codeOfFailure(fileSystem.inodes.setAttributes(cut.ino, { mtimeNow: true }, { signal })),
    ];
    await world.pass(20);
    aborted.abort();
    const startMs = world.world.simulator.nowMs;
    expect(await world.run(Promise.all(left))).toEqual(left.map(() => "cancelled"));
    expect(world.world.simulator.nowMs - startMs).toBeLessThan(1);
    const next = cut.write(Uint8Array.of(7), 1);
    network.heal();
    await world.run(next);
    expect(await world.run(cut.read(0, 10))).toEqual(Uint8Array.of(0, 7));
  });

  test("sync covers every acknowledged write on every replica, also after a reconfiguration", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(world.bytes(2 * CHUNK_BYTES), 0));
    world.servers[1]?.host.crash();
    await world.run(handle.write(world.bytes(10), 0));
    await world.run(handle.sync());

    const alive = world.servers.filter(({ host }) => host.isAlive);
    expect(alive.map((server) => server.unsyncedCount)).toEqual([0, 0]);
    await world.run(handle.flush());
    expect(world.mds.tables.inodes.get(handle.ino)?.sizeBytes).toBe(2 * CHUNK_BYTES);
  });

  test("a file opened again makes safe what was written before it was closed", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    await world.run(fileSystem.writeFile("/f", world.bytes(100)));
    expect(world.servers.some((server) => server.unsyncedCount > 0)).toBe(true);
    const handle = await world.run(fileSystem.open("/f", { access: "write" }));
    await world.run(handle.sync());

    expect(world.servers.map((server) => server.unsyncedCount)).toEqual([0, 0, 0]);
  });

  test("truncation cuts, growth shows zeros, and a hole gives its space back", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(new Uint8Array(3 * CHUNK_BYTES).fill(7), 0));
    await world.run(handle.truncate(CHUNK_BYTES + 5));
    await world.run(handle.truncate(2 * CHUNK_BYTES));
    await world.run(handle.punch(10, 20));

    const bytes = await world.run(handle.read(0, 4 * CHUNK_BYTES));
    const expected = new Uint8Array(2 * CHUNK_BYTES).fill(7, 0, CHUNK_BYTES + 5).fill(0, 10, 30);
    expect(equalBytes(bytes, expected)).toBe(true);
  });

  test("appends go to the end, one after the other", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    const offsets = await world.run(
      Promise.all([1, 2, 3].map((value) => handle.append(new Uint8Array(value * 10).fill(value)))),
    );

    expect(offsets).toEqual([0, 10, 30]);
    expect((await world.run(handle.read(0, 100))).length).toBe(60);
  });

  test("a request larger than the largest chunk request is split at its borders", async () => {
    const world = await ClientWorld.start({ chunkBytes: 4 * IO_BYTES_MAX });
    const { fileSystem } = await world.client("client");
    const bytes = world.bytes(2 * IO_BYTES_MAX + 100);
    const handle = await world.run(fileSystem.open("/f", { access: "write", create: true }));
    await world.run(handle.write(bytes, 4000));

    expect(equalBytes(await world.run(handle.read(4000, bytes.length)), bytes)).toBe(true);
  });

  test("a handle for reading refuses to write, and a closed one everything", async () => {
    const world = await ClientWorld.start();
    const { fileSystem } = await world.client("client");
    await world.run(fileSystem.writeFile("/f", "text"));
    const handle = await world.run(fileSystem.open("/f"));
    expect(await codeOfFailure(handle.write(Uint8Array.of(1), 0))).toBe("not_permitted");
    await world.run(handle.close());
    await world.run(handle.close());

    expect(await codeOfFailure(handle.read(0, 1))).toBe("closed");
  });
});
