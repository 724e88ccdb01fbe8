import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { checkedClusterName, HostFiles } from "../../../src/cli/host-files.js";
import { temporaryRoot } from "./temporary-root.js";

async function withLists(lists: Readonly<Record<string, string>>): Promise<HostFiles> {
  const files = new HostFiles(await temporaryRoot());
  const folder = files.clusterDirectory("c1");
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(lists)) await writeFile(join(folder, name), text);
  return files;
}

test("bs.list is read with comments, blank lines and bare addresses", async () => {
  const files = await withLists({
    "bs.list": "# the first\n10.0.0.1\n\n 10.0.0.2:4110  # another\n10.0.0.1:2510\n",
  });
  expect(await files.bootstrapAddresses("c1")).toEqual(["10.0.0.1:2510", "10.0.0.2:4110"]);
});

test("bs_list, as os-brick writes it, is read too", async () => {
  const files = await withLists({ bs_list: "10.0.0.3\n10.0.0.4" });
  expect(await files.bootstrapAddresses("c1")).toEqual(["10.0.0.3:2510", "10.0.0.4:2510"]);
});

test("a line of bs.list that is no address is told, not skipped", async () => {
  const files = await withLists({ "bs.list": "10.0.0.1:99999\n" });
  await expect(files.bootstrapAddresses("c1")).rejects.toThrow("10.0.0.1:99999");
});

test("an address is added to bs.list once, and what people wrote there stays", async () => {
  const files = await withLists({ "bs.list": "# mine\n10.0.0.1" });
  await files.addBootstrapAddress("c1", "10.0.0.1:2510");
  await files.addBootstrapAddress("c1", "10.0.0.2:2510");
  await files.addBootstrapAddress("c1", "10.0.0.2:2510");
  expect(await readFile(files.bootstrapFile("c1"), "utf8")).toBe("# mine\n10.0.0.1\n10.0.0.2:2510\n");
  await files.removeBootstrapAddress("c1", "10.0.0.1:2510");
  expect(await readFile(files.bootstrapFile("c1"), "utf8")).toBe("# mine\n10.0.0.2:2510\n");
});

test("an address that only bs_list has is added to bs.list, which the daemons read", async () => {
  const files = await withLists({ bs_list: "10.0.0.1\n" });
  await files.addBootstrapAddress("c1", "10.0.0.1:2510");
  expect(await readFile(files.bootstrapFile("c1"), "utf8")).toBe("10.0.0.1:2510\n");
  expect(await files.bootstrapAddresses("c1")).toEqual(["10.0.0.1:2510"]);
});

test("services are remembered once for each directory, and directories may have spaces", async () => {
  const files = new HostFiles(await temporaryRoot());
  const service = { kind: "cs" as const, clusterName: "c1", directory: "/disks/the first #1" };
  await files.addService(service);
  await files.addService(service);
  await files.addService({ ...service, directory: "/disks/2" });
  expect(await files.services("cs")).toEqual([service, { ...service, directory: "/disks/2" }]);
  expect(await files.services("mds")).toEqual([]);
  await files.removeService("cs", service.directory);
  expect(await files.services("cs")).toEqual([{ ...service, directory: "/disks/2" }]);
});

test("a service's line may end with where it serves metrics, and keeps that when others come", async () => {
  const files = new HostFiles(await temporaryRoot());
  const path = files.path("etc/pstorage/cs.config");
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, "stor1 /disks/a b  metrics=127.0.0.1:9511\n");
  await files.addService({ kind: "cs", clusterName: "stor1", directory: "/disks/c" });
  expect(await files.services("cs")).toEqual([
    { kind: "cs", clusterName: "stor1", directory: "/disks/a b", metrics: "127.0.0.1:9511" },
    { kind: "cs", clusterName: "stor1", directory: "/disks/c" },
  ]);
});

test("a host without a location is in room 0, row 0, rack 0", async () => {
  const files = new HostFiles(await temporaryRoot());
  expect(await files.location()).toBe("0.0.0");
  await mkdir(files.path("etc/pstorage"), { recursive: true });
  await writeFile(files.path("etc/pstorage/location"), "1.2.3\n");
  expect(await files.location()).toBe("1.2.3");
  await writeFile(files.path("etc/pstorage/location"), "attic\n");
  await expect(files.location()).rejects.toThrow("ROOM.ROW.RACK");
});

test("a cluster name is what the original allows, so it is never a path", () => {
  for (const name of ["a", "My-cluster_2", "x".repeat(63)]) expect(checkedClusterName(name)).toBe(name);
  for (const name of ["", "x".repeat(64), "a/b", "..", "a b", "ä", "a\n"]) {
    expect(() => checkedClusterName(name), name).toThrow("no cluster name");
  }
});
