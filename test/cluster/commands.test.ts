import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { freeMdsAddress } from "../../src/cli/lab/lab-plan.js";
import { ClusterDirectory, type CommandResult, runProgram } from "./harness.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";

/**
 * The original's set-up, command by command, on four hosts that are directories. The tests tell one story: each begins
 * where the one before ended.
 */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const CLUSTER = "story";
const PASSWORD = "four random words here";
let directory: ClusterDirectory;
const addresses: string[] = [];

const root = (host: number): string => join(directory.path, `host${host}`);
const allRoots = (): string[] => [1, 2, 3, 4].map(root);

/** `pstorage -c story ...` on a host. */
function run(host: number, line: string, input: string | Uint8Array = ""): Promise<CommandResult> {
  return runProgram("pstorage", ["-c", CLUSTER, ...line.split(" ")], { root: root(host), input });
}

function service(kind: "mds" | "cs", host: number, line: string): Promise<CommandResult> {
  return runProgram(`pstorage-${kind}d`, line.split(" "), { root: root(host) });
}

function expectDone(result: CommandResult): CommandResult {
  expect(result.errors).toBe("");
  expect(result.status).toBe(0);
  return result;
}

/** Exit status 1 and one line. Commands that reached the cluster may have said so before. */
function expectRefusal(result: CommandResult, sentence: string): void {
  expect(result.errors).toContain(sentence);
  expect(result.errors).toMatch(/^pstorage(-\w+)?: [^\n]+\n$/);
  expect(result.status).toBe(1);
}

/** Runs `look` until what it finds is so. */
async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await look())) {
    if (Date.now() > end) throw new Error(`it did not come true that ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

beforeAll(async () => {
  directory = await ClusterDirectory.make();
  while (addresses.length < 3) addresses.push(await freeMdsAddress(addresses));
  await Promise.all(allRoots().map((path) => mkdir(path)));
});

afterAll(() => directory.remove(allRoots()));

test("make-mds -I makes a cluster, pstorage-mdsd starts it, and stat answers", async () => {
  expectDone(await run(1, `make-mds -I -a ${addresses[0]} -r ${root(1)}/mds -P`, `${PASSWORD}\n`));
  expect(expectDone(await service("mds", 1, "start")).output).toContain("MDS#1 of story");
  const { output } = expectDone(await run(1, "stat"));
  expect(output.split("\n")[0]).toBe("connected to MDS#1");
  expect(output.split("\n")[1]).toBe(`Cluster '${CLUSTER}': unknown`);
});

test("with -q the first line of stat is the state, as scripts read it", async () => {
  const { output } = expectDone(await run(1, "-q stat"));
  expect(output.split("\n")[0]?.split(": ")[1]).toBe("unknown");
  expect(/^MDS nodes: .*of (\d+), /m.exec(output)?.[1]).toBe("1");
  expect(/^CS nodes: .*of (\d+) \(/m.exec(output)?.[1]).toBe("0");
});

test("auth-node refuses a wrong password and another cluster's name, and keeps nothing of them", async () => {
  expectRefusal(await run(2, `auth-node -P -b ${addresses[0]}`, "wrong"), "wrong cluster password");
  const other = ["-c", "other", "auth-node", "-P", "-b", addresses[0] ?? ""];
  const result = await runProgram("pstorage", other, { root: root(2), input: PASSWORD });
  expectRefusal(result, `belongs to the cluster "${CLUSTER}", not "other"`);
  expectRefusal(await run(2, "stat"), "run pstorage -c story auth-node");
});

test("auth-node lets a host in by -b, and again, and by the bs_list of os-brick", async () => {
  expectDone(await run(2, `auth-node -P -b ${addresses[0]}`, PASSWORD));
  expectDone(await run(2, "auth-node -P", PASSWORD));
  for (const host of [3, 4]) {
    await mkdir(join(root(host), "etc/pstorage/clusters", CLUSTER), { recursive: true });
    await writeFile(join(root(host), "etc/pstorage/clusters", CLUSTER, "bs_list"), `${addresses[0]}\n`);
    expectDone(await run(host, "auth-node -P", PASSWORD));
    expectDone(await run(host, "stat"));
  }
});

test("a second and a third MDS join, one after the other", async () => {
  for (const host of [2, 3]) {
    const made = expectDone(await run(host, `make-mds -a ${addresses[host - 1]} -r ${root(host)}/mds`));
    expect(made.output).toContain(`MDS#${host} at ${addresses[host - 1]} is made`);
    expectDone(await service("mds", host, "start"));
    await until(`MDS#${host} is available`, async () =>
      new RegExp(`^M? +${host} avail `, "m").test((await run(1, "-q stat")).output),
    );
  }
  const list = await readFile(join(root(2), "etc/pstorage/clusters", CLUSTER, "bs.list"), "utf8");
  expect(list.split("\n")).toEqual(expect.arrayContaining(addresses.slice(0, 2)));
});

test("make-mds refuses an address that the cluster knows, and a directory that is a repository", async () => {
  expectDone(await service("mds", 3, "stop"));
  expectRefusal(
    await run(3, `make-mds -a ${addresses[2]} -r ${root(3)}/other`),
    "replace it: make-mds --replace 3",
  );
  expectRefusal(await run(3, `make-mds -a ${addresses[2]} -r ${root(3)}/mds`), "already is a repository");
  expectDone(await service("mds", 3, "start"));
});

test("make-cs makes a chunk server on each disk, and refuses disks that are in use", async () => {
  await mkdir(join(root(1), "disk/lost+found"), { recursive: true });
  expectRefusal(await run(1, `make-cs -r ${root(1)}/disk`), "holds lost+found");
  for (const host of [1, 2, 3, 4]) {
    const made = expectDone(await run(host, `make-cs -r ${root(host)}/disk/cs -a 127.0.0.1`));
    expect(made.output).toContain(`CS#${1024 + host} is made`);
    expectDone(await service("cs", host, `start ${root(host)}/disk/cs`));
  }
  expectRefusal(await run(1, `make-cs -r ${root(1)}/disk/cs`), "already is a repository");
  await until("the cluster is healthy with four chunk servers", async () => {
    const { output } = await run(4, "-q stat");
    return (
      output.startsWith(`Cluster '${CLUSTER}': healthy`) && output.includes("CS nodes:  4 of 4 (4 avail")
    );
  });
});

test("list-services shows what runs where, and the path that scripts look for", async () => {
  const { output } = expectDone(await run(1, "list-services"));
  expect(output).toMatch(new RegExp(`^MDS +1 running +\\d+ story +${root(1)}/mds$`, "m"));
  expect(output).toMatch(new RegExp(`^CS +1025 running +\\d+ story +${root(1)}/disk/cs$`, "m"));
  expect((await run(1, "list-services -M")).output).not.toContain("CS ");
  expect((await run(1, "list-services -C")).output).not.toContain("MDS ");
});

test("the table of chunk servers has the host in its tenth column", async () => {
  const lines = (await run(1, "-q stat -n")).output.split("\n");
  const header = lines.findIndex((line) => line.trim().startsWith("CSID"));
  const row = lines[header + 1]?.trim().split(/ +/) ?? [];
  expect(row[0]).toBe("1025");
  expect(row[9]).toMatch(/^127\.0\.0\.1:\d+$/);
});

test("attributes are set and shown, of the whole tree too", async () => {
  expectDone(await run(1, "set-attr -p -R / replicas=3:2 failure-domain=host chunk-size=64M"));
  const { output } = expectDone(await run(2, "get-attr -p /"));
  expect(output).toContain(`Path: 'pstorage://${CLUSTER}/'\nAttributes:\n  directory\n`);
  for (const line of ["replicas=3:2", "failure-domain=host", "tier=0", "chunk-size=67108864"]) {
    expect(output).toContain(`\n  ${line}\n`);
  }
  expectRefusal(await run(1, "get-attr -p /nowhere"), "/nowhere: no such file or directory");
});

test("settings are changed for all, and unknown ones refused", async () => {
  expect(expectDone(await run(1, "set-config mds.wd.offline_tout=60000")).output).toContain(
    "mds.wd.offline_tout=60000",
  );
  expect(expectDone(await run(3, "get-config mds.wd.offline_tout")).output).toContain("=60000\n");
  expectRefusal(await run(1, "set-config mds.no_such_thing=1"), "mds.no_such_thing");
  expectRefusal(
    await run(1, "get-config mds.no_such_thing"),
    'there is no setting "mds.no_such_thing"; get-config lists them',
  );
  const listening = await run(1, "dashboard --listen 192.0.2.1:2512");
  expectRefusal(
    listening,
    "cannot listen at 192.0.2.1:2512: EADDRNOTAVAIL; choose another place with --listen",
  );
  expectRefusal(await run(1, "verify -p /"), "is a directory; verify takes a file");
});

test("files go in and out, by pipe too, and what fails is one line", async () => {
  const bytes = Uint8Array.from({ length: 3_000_001 }, (_, index) => (index * 31) >> 3);
  await writeFile(join(root(1), "original"), bytes);
  expectDone(await run(1, "fs mkdir -p /a/b"));
  expectDone(await run(1, `fs put ${root(1)}/original /a/b/`));
  expectDone(await run(2, `fs get /a/b/original ${root(2)}/copy`));
  expect(Buffer.compare(await readFile(join(root(2), "copy")), bytes)).toBe(0);
  expectDone(await run(3, "fs put - /a/letter", "dear reader\n"));
  expect(expectDone(await run(4, "fs cat /a/letter")).output).toBe("dear reader\n");
  expect(expectDone(await run(4, "fs ls /a")).output).toBe("b\nletter\n");
  expectDone(await run(1, "fs mv /a/letter /a/b"));
  expectDone(await run(1, "fs ln -s b/letter /a/link"));
  expect(expectDone(await run(1, "fs cat /a/link")).output).toBe("dear reader\n");
  expectRefusal(await run(1, "fs cat /a/letter"), "/a/letter: no such file or directory");
  expectRefusal(await run(1, "fs rm /a/b"), "/a/b: the directory is not empty");
  expectDone(await run(1, "fs rm /a/link"));
  expectDone(await run(1, "revoke -p -R /a"));
});

test("rm-cs releases a chunk server, and the data stay", async () => {
  const gone = expectDone(await run(4, "rm-cs --wait 1028"));
  expect(gone.output).toContain("Removing CS#1028 ...\ndone\n");
  expect(gone.output).toContain(`its directory ${root(4)}/disk/cs may be deleted`);
  expect((await run(4, "list-services")).output).not.toContain("CS ");
  expect((await run(1, "-q stat")).output).not.toMatch(/^ +1028 /m);
  expect(expectDone(await run(4, "fs cat /a/b/letter")).output).toBe("dear reader\n");
});

test("rm-cs refuses what would leave chunks without servers enough", async () => {
  expectDone(await run(1, "set-attr -p -R / replicas=3:3"));
  await until("the chunks have taken it over", async () =>
    (await run(1, "rm-cs 1027")).errors.includes("there are chunks that need 3 servers"),
  );
  expectRefusal(await run(1, "rm-cs 1027"), "there are chunks that need 3 servers");
  expectRefusal(await run(1, "rm-cs 4711"), "there is no CS#4711");
  expectRefusal(await run(1, "rm-cs --cancel 1027"), "CS#1027 is not being released");
  expectDone(await run(1, "set-attr -p -R / replicas=3:2"));
});

test("rm-mds refuses what would break the group, and takes out the one that is down", async () => {
  expectDone(await service("mds", 3, "stop"));
  await until("MDS#3 is unavailable", async () => /^ +3 unavail /m.test((await run(1, "-q stat")).output));
  expectRefusal(await run(1, "rm-mds 2"), "too few working");
  expectRefusal(await run(1, "rm-mds 9"), "there is no MDS#9");
  expectDone(await run(3, "rm-mds 3"));
  expect((await run(3, "list-services -M")).output).not.toContain(`${root(3)}/mds`);
  await until("two are left", async () => (await run(1, "-q stat")).output.includes("MDS nodes: 2 of 2"));
});

test("the event log tells the story, and its last line alone", async () => {
  const { output } = expectDone(await run(1, "get-event"));
  expect(output).toMatch(/^TIME +SYS +SEV +MESSAGE$/m);
  for (const text of ["Cluster story was created", "MDS#3", "CS#1028"]) expect(output).toContain(text);
  expect(
    expectDone(await run(1, "-q get-event -n 1"))
      .output.trimEnd()
      .split("\n"),
  ).toHaveLength(2);
  const json: unknown = JSON.parse((await run(1, "get-event --json -n 2")).output);
  expect(json).toHaveLength(2);
});

test("stat --json is JSON and nothing else", async () => {
  const { output } = expectDone(await run(1, "stat --json"));
  expect(JSON.parse(output)).toMatchObject({
    clusterName: CLUSTER,
    mdsServers: [{ mdsId: 1 }, { mdsId: 2 }],
  });
});

test("daemons are stopped, started and looked at by cluster and by directory", async () => {
  expect((await service("cs", 2, `status ${CLUSTER}`)).status).toBe(0);
  expect(expectDone(await service("cs", 2, `stop ${root(2)}/disk/cs`)).output).toContain("stopped");
  const idle = await service("cs", 2, "status");
  expect(idle).toMatchObject({ status: 3, output: expect.stringContaining("is stopped") });
  expectDone(await service("cs", 2, "restart"));
  expectDone(await service("cs", 2, "reload"));
  expectRefusal(await service("cs", 2, "status nowhere"), 'belongs to "nowhere"');
});

test("when nobody answers, a command says whom it asked and fails", async () => {
  for (const host of [1, 2]) expectDone(await service("mds", host, "stop"));
  expectRefusal(await run(1, "stat"), `no leading metadata server answers; asked ${addresses[0]}`);
});
