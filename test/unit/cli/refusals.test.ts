import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type CommandResult, type FakeInput, runCommand } from "./fake-terminal.js";
import { temporaryRoot } from "./temporary-root.js";

/** A failed command: exit status 1, one line that begins with the program's name, nothing on standard output. */
function expectRefusal({ status, output, errors }: CommandResult, sentence: string): void {
  expect(errors).toContain(sentence);
  expect(errors.trimEnd().split("\n")).toHaveLength(1);
  expect(errors).toMatch(/^pstorage: /);
  expect(output).toBe("");
  expect(status).toBe(1);
}

async function host(): Promise<{
  root: string;
  run(line: string, input?: FakeInput): Promise<CommandResult>;
}> {
  const root = await temporaryRoot();
  const run = (line: string, input: FakeInput = {}): Promise<CommandResult> =>
    runCommand(line.split(" "), { input: "secret\n", ...input, env: { PSTORAGE_ROOT: root, ...input.env } });
  return { root, run };
}

/** A port pair that nobody listens on, far from those the kernel gives away. */
const PORT = 19_000 + 2 * (process.pid % 500);

test("a command needs the name of a cluster, from -c before or after it, or from the environment", async () => {
  const { run } = await host();
  expectRefusal(await run("stat"), "give -c NAME");
  expectRefusal(await run("-c c1 stat"), "run pstorage -c c1 auth-node");
  expectRefusal(await run("stat -c c1"), "run pstorage -c c1 auth-node");
  expectRefusal(await run("stat", { env: { PSTORAGE_NAME: "c1" } }), "run pstorage -c c1 auth-node");
  expectRefusal(await run("-c a/b stat"), '"a/b" is no cluster name');
});

test("unknown commands, options and missing arguments are one line each", async () => {
  const { run } = await host();
  expectRefusal(await run("frobnicate"), "unknown command 'frobnicate'");
  expectRefusal(await run("-c c1 stat --frobnicate"), "unknown option '--frobnicate'");
  expectRefusal(await run("-c c1 make-cs"), "required option '-r, --repository <dir>'");
  expectRefusal(await run("-c c1 rm-mds"), "missing required argument 'MDSID'");
});

test("help is on standard output, and no failure", async () => {
  const { run } = await host();
  for (const line of ["--help", "make-mds --help", "help fs", "fs put --help"]) {
    const { status, output, errors } = await run(line);
    expect({ status, errors }).toEqual({ status: 0, errors: "" });
    expect(output).toContain("Usage: pstorage");
  }
});

test("make-mds -I makes credential, bs.list, mds.config and repository, all of them private where they must be", async () => {
  const { root, run } = await host();
  const made = await run(`-c c1 make-mds -I -a 127.0.0.1:${PORT} -r ${root}/mds -P`);
  expect(made).toMatchObject({ status: 0, errors: "" });
  const folder = join(root, "etc/pstorage/clusters/c1");
  expect((await readdir(folder)).sort()).toEqual(["auth_digest.key", "bs.list"]);
  expect((await stat(join(folder, "auth_digest.key"))).mode & 0o777).toBe(0o600);
  expect((await stat(join(root, "mds"))).mode & 0o777).toBe(0o700);
  const listed = await run("list-services -M");
  expect(listed.output).toContain(`${root}/mds`);
  expect(listed.output).toMatch(/^MDS +1 stopped +- c1 /m);
});

test("genesis happens once", async () => {
  const { root, run } = await host();
  await run(`-c c1 make-mds -I -a 127.0.0.1:${PORT} -r ${root}/mds -P`);
  const again = `make-mds -I -a 127.0.0.1:${PORT}`;
  expectRefusal(await run(`-c c1 ${again} -r ${root}/mds2 -P`), 'belongs to a cluster "c1" already');
  expectRefusal(await run(`-c c2 ${again} -r ${root}/mds -P`), "already is a repository");
  expect(await readdir(join(root, "etc/pstorage/clusters"))).toEqual(["c1"]);
});

test("make-mds -I refuses a cluster that bs.list knows elsewhere, and takes one that lists only itself", async () => {
  const { root, run } = await host();
  await mkdir(join(root, "etc/pstorage/clusters/c1"), { recursive: true });
  const list = join(root, "etc/pstorage/clusters/c1/bs_list");
  await writeFile(list, "10.9.9.9\n");
  const line = `-c c1 make-mds -I -a 127.0.0.1:${PORT} -r ${root}/mds -P`;
  expectRefusal(await run(line), "bs.list knows a cluster");
  await writeFile(list, `127.0.0.1:${PORT}\n`);
  expect(await run(line)).toMatchObject({ status: 0 });
});

test("make-mds refuses directories that are in use, and leaves them as they are", async () => {
  const { root, run } = await host();
  await mkdir(join(root, "disk/lost+found"), { recursive: true });
  await mkdir(join(root, "used"), { recursive: true });
  await writeFile(join(root, "used/letter.txt"), "dear");
  const line = `-c c1 make-mds -I -a 127.0.0.1:${PORT} -P -r ${root}`;
  expectRefusal(await run(`${line}/disk`), "holds lost+found");
  expectRefusal(await run(`${line}/used`), "is not empty");
  expectRefusal(await run(`${line}/used/letter.txt`), "letter.txt");
  expect(await readdir(join(root, "used"))).toEqual(["letter.txt"]);
  expect(await readdir(root)).not.toContain("etc");
});

test("make-mds refuses addresses that cannot be served", async () => {
  const { root, run } = await host();
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => void server.close());
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const line = `-c c1 make-mds -I -r ${root}/mds -P -a`;
  expectRefusal(await run(`${line} 127.0.0.1:${port}`), `port ${port} of 127.0.0.1 is in use`);
  expectRefusal(await run(`${line} 127.0.0.1:${port - 1}`), `port ${port} of 127.0.0.1 is in use`);
  expectRefusal(await run(`${line} 192.0.2.1`), "192.0.2.1 is no address of this machine");
  expectRefusal(await run(`${line} 127.0.0.1:65535`), "the port must be 1 to 65534");
  expectRefusal(await run(`${line} mds1`), "is no address");
  expect(await readdir(root)).not.toContain("mds");
});

test("a new cluster needs a password, and an MDS that joins takes none", async () => {
  const { root, run } = await host();
  const line = `-c c1 make-mds -a 127.0.0.1:${PORT} -r ${root}/mds`;
  expectRefusal(await run(`${line} -I`), "a new cluster needs a password");
  expectRefusal(await run(`${line} -I -p -P`), "a new cluster needs a password");
  expectRefusal(await run(`${line} -I -P`, { input: "\n" }), "the cluster password is empty");
  expectRefusal(
    await run(`${line} -I -p`, { secrets: ["one", "two"] }),
    "the two passwords are not the same",
  );
  expectRefusal(await run(`${line} -P`), "only a new cluster (-I) is given a password");
  expectRefusal(await run(line), "run pstorage -c c1 auth-node");
  expectRefusal(await run(`${line} -I -P -b 127.0.0.1`), "nothing for -b to find");
});

test("auth-node fails at once where nobody answers, and keeps nothing", async () => {
  const { root, run } = await host();
  expectRefusal(await run("-c c1 auth-node -P"), "give one with -b IP");
  expectRefusal(await run(`-c c1 auth-node -P -b 127.0.0.1:${PORT}`), "no metadata server answers at");
  expectRefusal(await run("-c c1 auth-node -P -b nonsense/"), "is no address of an MDS");
  expectRefusal(await run("-c c1 auth-node -P", { input: "" }), "password is empty");
  expect(await readdir(join(root, "etc/pstorage"))).not.toContain("clusters");
});

test("what is not there yet says so", async () => {
  const { root, run } = await host();
  expectRefusal(await run(`-c c1 make-cs -r ${root}/cs -j /ssd/journal -s 1024`), "not supported yet");
  expectRefusal(await run("-c c1 set-attr -p / encoding=5+2"), "not supported yet");
});

test("paths on mounts, bad attributes and bad ids are refused before the cluster is asked", async () => {
  const { run } = await host();
  expectRefusal(await run("-c c1 get-attr /etc"), "is not on a mount of a cluster; use -p");
  expectRefusal(await run("-c c1 set-attr -p / replicas=2:3"), "replicas=2:3");
  expectRefusal(await run("-c c1 rm-cs abc"), '"abc" is no CSID');
  expectRefusal(await run("-c c1 rm-mds CS#1"), '"CS#1" is no MDSID');
  expectRefusal(
    await run("-c c1 set-config mds.wd.offline_tout"),
    "is not NAME=VALUE; get-config shows the names",
  );
  expectRefusal(await run("-c c1 rm-cs 1025 --cancel --wait"), "--cancel goes with neither");
  expectRefusal(await run("-c c1 get-event -n few"), '"few" is no number; give digits');
});

test("vstorage is the same program under its own name", async () => {
  const { status, errors } = await runCommand(["stat"], { programName: "vstorage" });
  expect(errors).toMatch(/^vstorage: /);
  expect(status).toBe(1);
});

test("a lab is opened only where there is one", async () => {
  const { root, run } = await host();
  expectRefusal(await run(`lab down --dir ${root}/lab`), "there is no lab in");
  expectRefusal(await run(`lab destroy --yes --dir ${root}/lab`), "there is no lab in");
  await mkdir(join(root, "lab/hosts"), { recursive: true });
  expectRefusal(await run(`lab up --dir ${root}/lab`), "no lab of this version");
  await writeFile(join(root, "lab/lab.json"), "{");
  expectRefusal(
    await run(`lab up --dir ${root}/lab`),
    "is damaged or of another version; see pstorage lab destroy",
  );
  const mdsAddresses = ["127.0.0.1:1", "127.0.0.1:3", "127.0.0.1:5"];
  const large = { formatVersion: 1, clusterName: "lab", mdsCount: 3, csCount: 3, mdsAddresses };
  await writeFile(join(root, "lab/lab.json"), JSON.stringify(large));
  const smaller = await run(`lab up --dir ${root}/lab --mds 1`);
  expectRefusal(smaller, "3 CS, and does not shrink by itself; use rm-mds and rm-cs, or lab destroy");
  const plan = { formatVersion: 1, clusterName: "lab", mdsCount: 0, csCount: 0, mdsAddresses: [] };
  await writeFile(join(root, "lab/lab.json"), JSON.stringify(plan));
  expectRefusal(await run(`lab destroy --dir ${root}/lab`), "there is no terminal to ask; say --yes");
  const refused = await run(`lab destroy --dir ${root}/lab`, { answers: ["n"] });
  expectRefusal(refused, "nothing was removed; y would have done it");
  expectRefusal(await run(`lab up --dir ${root}/other --mds 0`), "a lab has 1 to 9 MDS");
});
