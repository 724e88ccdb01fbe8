import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ClusterDirectory, type CommandResult } from "./harness.js";
import { type Machine, Machines, noMachines } from "./ordeal/machines.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";

/** Three machines with nothing but the programs become a mounted cluster, by the commands of docs/operating/set-up.md. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const CHECKOUT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const PASSWORD = "four random words here";
/** From nothing to a mounted cluster with files in it. */
const MINUTES_MAX = 5;
const why = noMachines();
if (why !== undefined) process.stderr.write(`skipped: ${why}\n`);

let directory: ClusterDirectory;
let machines: Machines;
const transcript: string[] = [];

beforeAll(async () => {
  if (why !== undefined) return;
  directory = await ClusterDirectory.make();
  machines = new Machines(directory.path, 3);
});

afterAll(async () => {
  if (why !== undefined) return;
  process.stderr.write(`${transcript.join("\n")}\n`);
  for (const machine of machines.list) await machine.run("umount", ["-l", join(machine.root, "mnt")]);
  await directory.remove(machines.list.map(({ root }) => root));
  machines.remove();
});

/** The lines of the first `sh` block under a heading of the guide. */
function guide(heading: string): string[] {
  const text = readFileSync(join(CHECKOUT, "docs/operating/set-up.md"), "utf8");
  const [, after = ""] = text.split(`\n## ${heading}\n`);
  const [, block] = /```sh\n(.*?)```/s.exec(after) ?? [];
  if (block === undefined) throw new Error(`the guide has no commands under "${heading}"`);
  return block.trim().split("\n");
}

/** Types a line of the guide on a machine, as the person who reads it would: with its own address and directories. */
async function type(machine: Machine, line: string): Promise<CommandResult> {
  const [program = "", ...args] = line.split(" ").map((word, index, words) => {
    if (words[index - 1] === "-a") return machine.address;
    return words[index - 1] === "-r" ? join(machine.root, word) : word;
  });
  // Nobody sits at a terminal: the password comes from standard input.
  const asks = args.includes("auth-node");
  const given = args
    .map((word) => (word === "-p" && args.includes("make-mds") ? "-P" : word))
    .concat(asks ? ["-P"] : []);
  const result = await machine.run(program, given, given.includes("-P") ? PASSWORD : "");
  transcript.push(
    `${machine.address}# ${[program, ...given].join(" ")}`,
    result.output.trim(),
    result.errors.trim(),
  );
  expect(result.status, transcript.slice(-3).join("\n")).toBe(0);
  return result;
}

async function until(machine: Machine, isSo: (status: ClusterJson) => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const { output, status } = await machine.run("pstorage", ["-c", "stor1", "stat", "--json"]);
    if (status === 0 && isSo(JSON.parse(output))) return;
    if (Date.now() > end) throw new Error(`not so in time: ${output}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

interface ClusterJson {
  readonly health: string;
  readonly mdsServers: readonly { readonly status: string }[];
  readonly chunkServers: readonly { readonly status: string }[];
}

describe.skipIf(why !== undefined)("three machines", () => {
  test(`become a mounted cluster by the guide, in under ${MINUTES_MAX} minutes`, async () => {
    const began = Date.now();
    const [first, ...others] = machines.list;
    if (first === undefined) throw new Error("no machine");
    for (const { root } of machines.list) await mkdir(join(root, "disks/sdb"), { recursive: true });
    for (const line of guide("The first host")) await type(first, line);
    for (const [index, machine] of others.entries()) {
      for (const line of guide("Every other host")) await type(machine, line);
      const isThere = ({ status }: { readonly status: string }): boolean =>
        ["avail", "active"].includes(status);
      await until(first, ({ mdsServers, chunkServers }) =>
        [mdsServers, chunkServers].every((list) => list.filter(isThere).length === index + 2),
      );
    }
    for (const line of guide("How many copies")) await type(first, line);
    const [last] = others.slice(-1);
    if (last === undefined) throw new Error("no last machine");
    const mountPoint = join(last.root, "mnt");
    await mkdir(mountPoint);
    await type(last, `pstorage-mount -c stor1 ${mountPoint}`);
    expect((await last.run("cp", ["-r", join(CHECKOUT, "docs"), mountPoint])).status).toBe(0);
    expect((await last.run("diff", ["-r", join(CHECKOUT, "docs"), join(mountPoint, "docs")])).output).toBe(
      "",
    );
    await until(first, ({ health }) => health === "healthy");
    const minutes = (Date.now() - began) / 60_000;
    transcript.push(`(${(minutes * 60).toFixed(0)} s)`);
    expect(minutes).toBeLessThan(MINUTES_MAX);
  });

  test("a machine that knows only the name of the cluster finds it on the network", async () => {
    const [, machine] = machines.list;
    if (machine === undefined) throw new Error("no machine");
    const stranger = join(machine.root, "stranger");
    await mkdir(stranger);
    const asStranger = (args: string[], input = ""): Promise<CommandResult> =>
      machine.run(
        "env",
        [`PSTORAGE_ROOT=${stranger}`, process.execPath, join(CHECKOUT, "bin/pstorage.js"), ...args],
        input,
      );
    const { output } = await asStranger(["discover", "--json"]);
    expect(JSON.parse(output)).toEqual([
      {
        cluster: "stor1",
        foundBy: "mDNS",
        mds: ["10.37.130.1:2510", "10.37.130.2:2510", "10.37.130.3:2510"],
      },
    ]);
    expect(await asStranger(["-c", "stor1", "auth-node", "-P"], PASSWORD)).toMatchObject({ status: 0 });
    expect((await asStranger(["-c", "stor1", "stat"])).output).toContain("Cluster 'stor1': healthy");
    const none = await asStranger(["-c", "other", "discover", "-t", "1"]);
    expect(none.status).toBe(1);
    expect(none.errors).toContain('nothing of cluster "other" found');
  });
});
