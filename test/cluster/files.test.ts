import { execFileSync } from "node:child_process";
import { chmod, link, lstat, mkdir, open, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ClusterHarness, type CommandResult } from "./harness.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";

/** `fs put -r` and `fs get -r`: what goes in comes out, whatever it is. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

let cluster: ClusterHarness;
const MIB = 1 << 20;

const path = (...parts: string[]): string => join(cluster.lab.directory, "local", ...parts);

function fs(...args: string[]): Promise<CommandResult> {
  return cluster.run(["fs", ...args]);
}

async function expectDone(result: Promise<CommandResult>): Promise<string> {
  const { status, output, errors } = await result;
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  return output;
}

/** Everything about a tree that a copy must have, one line for each name. Names need not be text. */
function describeTree(root: string): string[] {
  const format = "%P\\t%y\\t%m\\t%s\\t%T@\\t%l\\t%i\\n";
  const found = execFileSync("find", [root, "-printf", format]).toString("latin1");
  const firstNames = new Map<string, string>();
  const lines = found.trimEnd().split("\n").sort();
  return lines.map((line) => {
    const [name = "", type = "", mode, sizeBytes, time = "", target, inode = ""] = line.split("\t");
    const twin = firstNames.get(inode) ?? name;
    firstNames.set(inode, twin);
    const isDirectory = type === "d";
    // The last digits of a time get lost on their way through node:fs.
    const wallMs = Math.round(Number(time) * 1000);
    return [name, type, mode, isDirectory ? "" : sizeBytes, wallMs, target, twin].join(" ");
  });
}

async function makeTree(): Promise<void> {
  await mkdir(path("tree/empty"), { recursive: true });
  await mkdir(path("tree/deep/er/and/deeper"), { recursive: true });
  await writeFile(path("tree/nothing"), "");
  await writeFile(path("tree/secret"), "x", { mode: 0o600 });
  await writeFile(path("tree/deep/er/program"), "#!/bin/sh\n");
  await chmod(path("tree/deep/er/program"), 0o4755);
  await writeFile(Buffer.from(`${path("tree")}/\xff\xfe not text`, "latin1"), "bytes");
  await symlink("deep/er/program", path("tree/link"));
  await symlink("/nowhere/at/all", path("tree/dangling"));
  await writeFile(path("tree/one"), "several names");
  await link(path("tree/one"), path("tree/deep/two"));
  await link(path("tree/one"), path("tree/empty/three"));
  await writeFile(path("tree/large"), Buffer.alloc(5 * MIB + 17, "large "));
  const sparse = await open(path("tree/sparse"), "w");
  await sparse.write("end", 40 * MIB);
  await sparse.truncate(64 * MIB);
  await sparse.close();
  await utimes(path("tree/secret"), 1, 2);
  await utimes(path("tree/deep"), 1_000_000_000, 1_000_000_001);
}

beforeAll(async () => {
  cluster = await ClusterHarness.start({ mdsCount: 1, csCount: 2 });
  await makeTree();
});

afterAll(() => cluster.close());

test("a tree comes back as it was: names, modes, times, links, holes", async () => {
  await expectDone(fs("put", "-r", path("tree"), "/tree"));
  await expectDone(fs("get", "-r", "/tree", path("copy")));
  expect(describeTree(path("copy"))).toEqual(describeTree(path("tree")));
  expect(execFileSync("diff", ["-r", "--no-dereference", path("tree"), path("copy")]).toString()).toBe("");
  expect((await lstat(path("copy/sparse"))).blocks * 512).toBeLessThan(8 * MIB);
});

test("holes take no space in the cluster", async () => {
  const json = JSON.parse(await expectDone(fs("du", "--json", "/tree/sparse"))) as [{ sizeBytes: number }];
  expect(json[0].sizeBytes).toBe(64 * MIB);
  const status = await cluster.lab.status(PATIENCE_MS);
  expect(status.filesystem.sizeBytes).toBeGreaterThan(64 * MIB);
});

test("repeating a put or a get gives the same result", async () => {
  await writeFile(path("tree/secret"), "changed and longer");
  await rm(path("tree/link"));
  await writeFile(path("tree/link"), "a file where a link was");
  await rm(path("tree/nothing"));
  await symlink("one", path("tree/nothing"));
  for (let round = 0; round < 2; round++) {
    await expectDone(fs("put", "-r", path("tree"), "/tree"));
    await expectDone(fs("get", "-r", "/tree", path("copy")));
    expect(describeTree(path("copy"))).toEqual(describeTree(path("tree")));
  }
});

test("what cannot be copied is named, and everything else is copied", async () => {
  await mkdir(path("mixed/blocked"), { recursive: true });
  await writeFile(path("mixed/good"), "good");
  execFileSync("mkfifo", [path("mixed/pipe")]);
  const put = await fs("put", "-r", path("mixed"), "/mixed");
  expect(put.status).toBe(1);
  expect(put.errors).toBe(`pstorage: ${path("mixed/pipe")}: a special file; it was not copied\n`);
  expect(await expectDone(fs("ls", "/mixed"))).toBe("blocked\ngood\n");
  await mkdir(path("clash/good"), { recursive: true });
  await writeFile(path("clash/blocked"), "a file where a directory is");
  const clash = await fs("put", "-r", path("clash"), "/mixed");
  expect(clash.status).toBe(1);
  expect(clash.errors).toContain("something else is in its place; remove it first\n");
  expect(clash.errors).toContain("a directory is in its place; remove it first\n");
  await writeFile(path("blocked"), "a file where a directory is");
  expect((await fs("put", path("blocked"), "/mixed/blocked", "/mixed")).status).toBe(1);
});

test("one source becomes the target, and goes into a directory or behind a slash", async () => {
  await writeFile(path("letter"), "dear");
  await expectDone(fs("mkdir", "/box"));
  await expectDone(fs("put", path("letter"), "/box"));
  await expectDone(fs("put", path("letter"), "/box/copy"));
  await expectDone(fs("put", path("letter"), path("tree/secret"), "/box/"));
  expect(await expectDone(fs("ls", "/box"))).toBe("copy\nletter\nsecret\n");
  await expectDone(fs("put", "-r", path("mixed/blocked"), "/box/"));
  expect(await expectDone(fs("ls", "/box"))).toBe("blocked\ncopy\nletter\nsecret\n");
  await mkdir(path("here"));
  await expectDone(fs("get", "/box/letter", path("here")));
  await expectDone(fs("get", "/box/letter", path("here/renamed")));
  expect((await readdir(path("here"))).sort()).toEqual(["letter", "renamed"]);
  expect(await expectDone(fs("get", "/box/letter", "-"))).toBe("dear");
  const refused = await fs("put", path("tree"), "/box");
  expect(refused).toMatchObject({ status: 1 });
  expect(refused.errors).toContain("is a directory; -r copies it");
});

test("trees are removed whole, and only with -r", async () => {
  const refused = await fs("rm", "/tree");
  expect(refused.errors).toBe("pstorage: /tree: the directory is not empty\n");
  await expectDone(fs("rm", "-r", "/tree", "/mixed"));
  expect(await expectDone(fs("ls", "/"))).toBe("box\n");
  await expectDone(fs("rm", "-f", "/tree"));
  expect((await fs("rm", "/tree")).status).toBe(1);
});
