import { describe, expect, test } from "vitest";
import { bytesOf, MountedWorld, textOf } from "./doubles/mounted-world.js";

const error = (errno: string) => ({ type: "error", errno });

async function directoryOf(mount: MountedWorld, names: readonly string[]): Promise<number> {
  const nodeId = await mount.makeDirectory("d");
  for (const name of names) await mount.makeDirectory(name, nodeId);
  return nodeId;
}
const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${1000 + i}`);

describe("listing a directory", () => {
  test("every entry is listed once, whatever the size of the pages", async () => {
    const mount = await MountedWorld.start();
    const names = numbered(30);
    const nodeId = await directoryOf(mount, names);
    for (const sizeBytes of [32, 100, 4096]) {
      expect(await mount.list(nodeId, sizeBytes)).toEqual([".", "..", ...names]);
    }
    expect(await mount.list(nodeId, 1000, true)).toEqual([".", "..", ...names]);
  });

  test("a position that was told leads back to the same entry after others were removed", async () => {
    const mount = await MountedWorld.start();
    const nodeId = await directoryOf(mount, numbered(10));
    const opened = await mount.ask("openDirectory", nodeId, { flags: 0 });
    if (opened.type !== "opened") throw new Error("not opened");
    const first = await mount.page(nodeId, opened.handle, 0, 4096);
    await mount.ask("removeDirectory", nodeId, { name: bytesOf("n1000") });
    const fifth = first[4]?.offset ?? 0;
    const again = await mount.page(nodeId, opened.handle, fifth, 4096);
    expect(again.map(({ name }) => name)).toEqual(first.slice(5).map(({ name }) => name));
  });

  test("from the beginning it is seen as it is then", async () => {
    const mount = await MountedWorld.start();
    const nodeId = await directoryOf(mount, ["a", "b"]);
    const opened = await mount.ask("openDirectory", nodeId, { flags: 0 });
    if (opened.type !== "opened") throw new Error("not opened");
    await mount.page(nodeId, opened.handle, 0, 4096);
    await mount.ask("removeDirectory", nodeId, { name: bytesOf("a") });
    await mount.makeDirectory("c", nodeId);
    const names = (await mount.page(nodeId, opened.handle, 0, 4096)).map(({ name }) => name);
    expect(names).toEqual([".", "..", "b", "c"]);
  });

  test("each entry that is told with its attributes is forgotten once, and those without are not", async () => {
    const mount = await MountedWorld.start();
    const nodeId = await directoryOf(mount, []);
    for (const name of numbered(20)) await mount.create(name, { parent: nodeId });
    const before = mount.listener.nodes.count;
    const opened = await mount.ask("openDirectory", nodeId, { flags: 0 });
    if (opened.type !== "opened") throw new Error("not opened");
    const page = await mount.page(nodeId, opened.handle, 0, 1000, true);
    const lookups = page.map(({ nodeId: told }) => [told, mount.listener.nodes.get(told)?.lookups]);
    // Files this client writes change without notice: the kernel gets names only. Made once each, told never again.
    expect(lookups.slice(2).every(([told, count]) => told === 0 || count === 2)).toBe(true);
    expect(mount.listener.nodes.count).toBe(before);
  });

  test("entries that may be believed are told with their attributes, unless the kernel believes them already", async () => {
    const mount = await MountedWorld.start();
    const nodeId = await directoryOf(mount, numbered(5));
    const made = [...mount.listener.nodes.nodes()].filter(({ ino }) => ino !== 1 && ino !== nodeId);
    const opened = await mount.ask("openDirectory", nodeId, { flags: 0 });
    if (opened.type !== "opened") throw new Error("not opened");
    const told = async (): Promise<boolean[]> =>
      (await mount.page(nodeId, opened.handle, 0, 4096, true)).map((entry) => entry.nodeId > 0);
    expect(await told()).toEqual([false, false, true, true, true, true, true]);
    expect(await told()).toEqual([false, false, false, false, false, false, false]);
    const [first, second, third] = made;
    if (first === undefined || second === undefined || third === undefined) throw new Error("not made");
    await mount.listener.invalidate([{ kind: "inode", ino: first.ino, name: new Uint8Array(0) }]);
    mount.fileSystem.forget([{ nodeId: second.ino, lookupCount: 2 }]);
    third.attributesUntilMs = 0;
    expect(await told()).toEqual([false, false, true, true, true, false, false]);
    expect(made.map(({ ino }) => mount.listener.nodes.get(ino)?.lookups)).toEqual([3, 1, 3, 2, 2]);
    expect(await told()).toEqual([false, false, false, false, false, false, false]);
  });

  test("a directory that is gone cannot be listed", async () => {
    const mount = await MountedWorld.start();
    const nodeId = await directoryOf(mount, []);
    const opened = await mount.ask("openDirectory", nodeId, { flags: 0 });
    if (opened.type !== "opened") throw new Error("not opened");
    await mount.ask("removeDirectory", 1, { name: bytesOf("d") });
    const body = { handle: opened.handle, offset: 0, sizeBytes: 4096, withAttributes: false };
    expect(await mount.ask("readDirectory", nodeId, body)).toEqual(error("ENOENT"));
  });
});

describe("what a mount tells about itself", () => {
  test("is found and read under .pstorage.info, and listed nowhere", async () => {
    const mount = await MountedWorld.start();
    const info = await mount.ask("lookup", 1, { name: bytesOf(".pstorage.info") });
    if (info.type !== "entry") throw new Error("not found");
    expect(await mount.list(1)).toEqual([".", ".."]);
    const { nodeId } = info.entry;
    expect(await mount.list(nodeId)).toContain("client_counters");
    const file = await mount.ask("lookup", nodeId, { name: bytesOf("cluster_name") });
    if (file.type !== "entry") throw new Error("not found");
    const opened = await mount.ask("open", file.entry.nodeId, { flags: 0, killSuidgid: false });
    if (opened.type !== "opened") throw new Error("not opened");
    const handle = { nodeId: file.entry.nodeId, handle: opened.handle };
    expect(textOf(await mount.read(handle, 0, 100))).toBe("test\n");
    expect(file.entry.attributes.sizeBytes).toBe(5);
  });

  test("cannot be changed, removed, replaced or opened for writing", async () => {
    const mount = await MountedWorld.start();
    const name = bytesOf(".pstorage.info");
    const info = await mount.ask("lookup", 1, { name });
    if (info.type !== "entry") throw new Error("not found");
    const { nodeId } = info.entry;
    const file = await mount.ask("lookup", nodeId, { name: bytesOf("session") });
    if (file.type !== "entry") throw new Error("not found");
    await mount.create("x");
    expect(await mount.ask("removeDirectory", 1, { name })).toEqual(error("EPERM"));
    expect(
      await mount.ask("rename", 1, { name: bytesOf("x"), newParent: 1, newName: name, flags: 0 }),
    ).toEqual(error("EPERM"));
    expect(
      await mount.ask("rename", 1, {
        name: bytesOf("x"),
        newParent: nodeId,
        newName: bytesOf("y"),
        flags: 0,
      }),
    ).toEqual(error("EPERM"));
    expect(await mount.ask("link", 1, { existing: file.entry.nodeId, name: bytesOf("y") })).toEqual(
      error("EPERM"),
    );
    expect(await mount.ask("open", file.entry.nodeId, { flags: 1, killSuidgid: false })).toEqual(
      error("EACCES"),
    );
  });
});
