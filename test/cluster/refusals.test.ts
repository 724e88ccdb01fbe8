import { execFile } from "node:child_process";
import { copyFile, mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ClusterHarness, type CommandResult, runProgram } from "./harness.js";
import { ofAnotherCluster } from "./ordeal/papers.js";
import { TEST_MS } from "./ordeal/patience.js";

/** What commands refuse only after they have asked a cluster, or looked at what it has left on a host. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const BIN = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "bin");
let harness: ClusterHarness;

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 1, csCount: 1 });
  await mkdir(path("tree/below"), { recursive: true });
  expect((await harness.run(["fs", "put", "-r", path("tree"), "/tree"])).status).toBe(0);
});

afterAll(() => harness?.close());

const path = (name: string): string => join(harness.lab.directory, name);

/** Exit status 1 and one line; that the cluster was reached may stand before it. */
function expectRefusal({ status, output, errors }: CommandResult, sentence: string): void {
  expect(errors.trimEnd().split("\n")).toHaveLength(1);
  expect(errors).toContain(sentence);
  expect(output).toMatch(/^(connected to MDS#1\n)?$/);
  expect(status).toBe(1);
}

test("what there is not is named, with what shows what there is", async () => {
  expectRefusal(
    await harness.run(["scrub", "--cs", "1999"]),
    "there is no CS#1999; stat shows those that there are",
  );
  expectRefusal(
    await harness.run(["fs", "get", "/tree", path("copy")]),
    "/tree is a directory; -r copies it",
  );
  expectRefusal(
    await harness.run(["fs", "put", path("tree"), "/again"]),
    `${path("tree")} is a directory; -r copies it`,
  );
  expectRefusal(
    await harness.run(["fs", "put", "-r", "/", "/"]),
    "/ has no name; write the name of the copy after the target",
  );
  await expect(harness.lab.service("mds", 9)).rejects.toThrow("host 9 of the lab has no mds");
});

test("a password is asked for on a terminal alone", async () => {
  expectRefusal(
    await harness.run(["auth-node"], { input: "secret\n" }),
    "there is no terminal to ask for the password; use -P to read it from standard input",
  );
});

test("a metadata server is replaced by its number, in a directory of its own", async () => {
  expectRefusal(
    await harness.run(["make-mds", "--replace", "9", "-r", path("mds9")]),
    "there is no MDS#9 in the cluster; give the address of the new one with -a",
  );
  const repository = harness.lab.repository("mds", 1);
  expectRefusal(
    await harness.run(["make-mds", "--replace", "9", "-r", repository]),
    `${repository} is the repository of MDS#1 of lab; choose another directory`,
  );
});

test("a daemon that does not start says why, and nothing is left of it", async () => {
  const { lab } = harness;
  const identity = join(lab.repository("cs", 1), "identity.json");
  await lab.stopOne("cs", 1);
  await rename(identity, `${identity}.away`);
  try {
    await writeFile(identity, "{");
    const { status, errors } = await runProgram("pstorage-csd", ["start"], { root: lab.root(1) });
    expect(status).toBe(1);
    expect(errors).toMatch(/^pstorage-csd: .* did not start: .*identity\.json/);
  } finally {
    await rename(`${identity}.away`, identity);
  }
  await lab.startOne("cs", 1);
});

test("a report goes where it can be written", async () => {
  const env = { ...process.env, PSTORAGE_ROOT: harness.lab.root(1) };
  const file = path("nowhere/report.tgz");
  const program = join(BIN, "pstorage-make-report.js");
  const run = promisify(execFile)(process.execPath, [program, "-f", file, "lab"], { env });
  await expect(run).rejects.toMatchObject({
    code: 1,
    stderr: `pstorage-make-report: cannot write ${file}: ENOENT; choose another file with -f\n`,
  });
});

test("what is left of one cluster is not taken for that of another of its name", async () => {
  const { lab } = harness;
  const backup = path("backup");
  expect((await harness.run(["backup", backup])).status).toBe(0);
  await ofAnotherCluster(lab);
  // A host that was given the papers of another cluster under this one's name.
  const root = path("stranger");
  const papers = join(root, "etc/pstorage/clusters/lab");
  await mkdir(papers, { recursive: true });
  await copyFile(
    path("elsewhere/etc/pstorage/clusters/other/auth_digest.key"),
    join(papers, "auth_digest.key"),
  );
  const stranger = (...args: string[]): Promise<CommandResult> =>
    runProgram("pstorage", args, { root, cluster: "lab" });
  expectRefusal(
    await stranger("restore", backup, "-r", path("restored"), "-a", "127.0.0.1:19999"),
    'this host belongs to another cluster of the name "lab" than the backup; take another host',
  );
  expectRefusal(
    await runProgram("pstorage", ["restore", backup, "-r", path("restored"), "-a", "127.0.0.1:19999"], {
      root: path("fresh"),
      cluster: "third",
    }),
    'this is a backup of the cluster "lab", not of "third"; say -c lab, or take another',
  );
  await lab.stopOne("mds", 1);
  const repository = lab.repository("mds", 1);
  expectRefusal(
    await stranger("make-mds", "--recover", "-r", repository),
    `the credential of this host is of another cluster than ${repository}; do it on a host of that one`,
  );
  expectRefusal(
    await runProgram("pstorage", ["make-mds", "--recover", "-r", repository], { root, cluster: "third" }),
    `${repository} is a repository of "lab", not of "third"; say -c lab`,
  );
});
