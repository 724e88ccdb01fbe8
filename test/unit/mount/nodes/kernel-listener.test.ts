import { describe, expect, test } from "vitest";
import { bytesOf, MountedWorld } from "../doubles/mounted-world.js";

const NO_NAME = new Uint8Array(0);

/** A mount whose kernel was told of a directory `d` and a file in it. */
async function told() {
  const mount = await MountedWorld.start();
  const directory = await mount.makeDirectory("d");
  const file = await mount.create("f", { parent: directory });
  await mount.ask("lookup", 1, { name: bytesOf("d") });
  // As after an answer that the kernel may believe.
  const node = mount.listener.nodes.get(directory);
  if (node !== undefined) node.attributesUntilMs = Number.POSITIVE_INFINITY;
  mount.kernel.told.length = 0;
  return { mount, directory, file };
}

describe("what is untrue", () => {
  test("is forgotten only if the kernel was told and still believes it", async () => {
    const { mount, directory } = await told();
    const { listener, world, kernel } = mount;
    const ino = mount.ino(directory);
    await world.run(listener.invalidate([{ kind: "inode", ino, name: NO_NAME }]));
    expect(kernel.told).toEqual([`attributes ${directory}`]);
    await world.run(listener.invalidate([{ kind: "inode", ino, name: NO_NAME }]));
    await world.run(listener.invalidate([{ kind: "inode", ino: mount.ino(999), name: NO_NAME }]));
    expect(kernel.told.length).toBe(1);
  });

  test("a name is forgotten in a directory of which names were told", async () => {
    const { mount } = await told();
    const entry = { kind: "entry", ino: mount.ino(1), name: bytesOf("d") } as const;
    await mount.world.run(mount.listener.invalidate([entry]));
    expect(mount.kernel.told).toEqual(["entry 1 d"]);
    await mount.world.pass(60_000);
    await mount.world.run(mount.listener.invalidate([entry]));
    expect(mount.kernel.told.length).toBe(1);
  });

  test("contents are forgotten but for pages whose write is under way, and those when it is over", async () => {
    const { mount, file } = await told();
    const { listener, world, kernel } = mount;
    await mount.write(file, 0, "x");
    const transfer = { begin: 4096, end: 8192, isOvertaken: false };
    const node = listener.nodes.get(file.nodeId);
    if (node !== undefined) node.transfers = new Set([transfer]);
    await world.run(listener.invalidate([{ kind: "contents", ino: mount.ino(file.nodeId), name: NO_NAME }]));
    expect(kernel.told.filter((line) => line.startsWith("data"))).toEqual([
      `data ${file.nodeId} 0+4096`,
      `data ${file.nodeId} 8192+0`,
    ]);
    expect(transfer.isOvertaken).toBe(true);
  });

  test("the cluster does not wait for ever for a kernel that holds on to pages", async () => {
    const { mount, file } = await told();
    await mount.write(file, 0, "x");
    mount.kernel.held = new Promise(() => undefined);
    const item = { kind: "contents", ino: mount.ino(file.nodeId), name: NO_NAME } as const;
    await mount.world.run(mount.listener.invalidate([item]));
    expect(mount.world.log.lines.map(({ message }) => message)).toContain(
      "the kernel holds on to pages of a file",
    );
  });

  test("with the connection everything goes: all names at once, attributes one by one", async () => {
    const { mount, directory } = await told();
    await mount.world.run(mount.listener.forgetAll());
    expect(mount.kernel.told).toContain("epoch");
    expect(mount.kernel.told).toContain(`attributes ${directory}`);
  });

  test("a lease that comes down takes the kernel's pages along", async () => {
    const { mount, file } = await told();
    await mount.write(file, 0, "x");
    const ino = mount.ino(file.nodeId);
    await mount.world.run(mount.listener.leaseComesDown(ino, "exclusive", "exclusive"));
    expect(mount.kernel.told).toEqual([]);
    await mount.world.run(mount.listener.leaseComesDown(ino, "exclusive", "shared"));
    expect(mount.kernel.told).toEqual([`data ${file.nodeId} 0+0`]);
  });
});
