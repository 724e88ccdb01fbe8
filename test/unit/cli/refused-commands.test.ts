import { spawn } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { sourcesAndTarget } from "../../../src/cli/files/targets.js";
import { runFlushProgram } from "../../../src/cli/flush-check/flush-program.js";
import { machineHost } from "../../../src/cli/host.js";
import { HostFiles } from "../../../src/cli/host-files.js";
import { findGroup, findUser } from "../../../src/cli/mount/accounts.js";
import { runMountProgram } from "../../../src/cli/mount/mount-program.js";
import { killService, reloadService, selectServices } from "../../../src/cli/service-control.js";
import { createChunkServer } from "../../../src/cli/setup/create-chunk-server.js";
import { replaceMds } from "../../../src/cli/setup/replace-mds.js";
import type { Admin } from "../../../src/client/index.js";
import { runCommand } from "./fake-terminal.js";
import { temporaryRoot } from "./temporary-root.js";

/** Port pairs that nobody listens on. */
const PORT = 21_000 + 4 * (process.pid % 500);

/** What commands refuse before they ask anybody. `ROOT` stands for a directory that is there, with a file `letter` in it. */
const REFUSED: readonly (readonly [string, string])[] = [
  [
    "-c c1 advise-configuration --cs ROOT/letter/below",
    "ROOT/letter/below cannot be looked at: ENOTDIR; name another",
  ],
  ["-c c1 set-attr -p / colour=red", '"colour=red" is no attribute: write NAME=VALUE with one of replicas'],
  ["-c c1 set-attr -p / replicas=2:3", "replicas=2:3: write N:M (N wanted, writers wait below M)"],
  ["-c c1 set-attr -p / encoding=5+2", "encoding: erasure coding is not supported yet"],
  ["-c c1 set-attr -p / chunk-size=1", "chunk-size=1: a multiple of 4096 bytes, 4K to 2G, for example 64M"],
  ["-c c1 make-mds -I -P -a mds1 -r ROOT/mds", '"mds1" is no address: give IP or IP:PORT, for example'],
  ["-c c1 set-attr -p / tier=9", "tier=9: it is 0 to 3"],
  ["-c c1 dashboard --listen 127.0.0.1:0", "the port is missing"],
  ["discover --timeout never", "--timeout never: give seconds, 0 to 60"],
  ["-c c1 restore ROOT/none -r ROOT/mds -a 127.0.0.1:19000", "ROOT/none cannot be read"],
  ["-c c1 make-cs -r ROOT/cs -t 9", "-t 9: a tier is 0 to 3"],
  ["-c c1 fs mkdir -m rwx /a", '"rwx" is no mode: write it in octal, for example 0750'],
  ["-c c1 make-mds --force -r ROOT/mds", "--force and --dry-run go with --recover"],
  ["-c c1 make-mds -I -P -r ROOT/mds", "the new server needs an address: give it with -a IP[:PORT]"],
  ["-c c1 make-mds -I -P -a 127.0.0.1:19000 -r ROOT/letter/mds", "ROOT/letter/mds cannot be used: "],
  ["-c c1 get-event --severity loud", "a severity is one of info, warn, err"],
  ["-c c1 get-event --system DISK", "the subsystems are MDS, JRN, CS, CLN; give some, separated by commas"],
  ["-c c1 get-event --since yesterday", '"yesterday" is no moment; give 30m, 2h, 1d, or YYYY-MM-DD HH:MM:SS'],
  ["stat", "which cluster? give -c NAME, or set PSTORAGE_NAME"],
  ["-c a/b stat", '"a/b" is no cluster name: use 1 to 63 of the characters a-z A-Z 0-9 - _'],
  ["-c c1 make-mds -I -P -a 127.0.0.1:19000 -r /", "the root directory is no place for a repository"],
  [
    "-c c1 make-cs -r ROOT/cs -j /ssd/j -s 9",
    "write journals (-j, -s) are not supported yet; make the chunk server",
  ],
  ["-c c1 make-mds --recover -I -r ROOT/mds", "--recover takes what the directory says: give it with -r"],
  ["-c c1 make-cs -r ROOT/cs -a 10.0.0.1:70000", '"10.0.0.1:70000": the port must be 0 to 65535'],
  ["-c c1 chunk-info letter", '"letter" is no chunk; file-info shows the chunks of a file'],
  ["-c c1 repair", "the cluster repairs by itself; repair --dry-run shows what it is about to do"],
  ["-c c1 scrub now", '"now" is neither start nor status; say one of them, or nothing'],
  ["-c c1 top", 'top needs a terminal; use "stat"'],
  [
    "-c c1 make-mds -I -P -a 127.0.0.1:19000 -r ROOT/mds --replace 1",
    "-I makes a new cluster: there is nothing to replace; leave one of them away",
  ],
  ["-c c1 rm-mds one", '"one" is no MDSID; stat shows them'],
];

test.each(REFUSED)("pstorage %s: %s", async (line, sentence) => {
  const root = await temporaryRoot();
  await writeFile(join(root, "letter"), "dear");
  const args = line.replaceAll("ROOT", root).split(" ");
  const { status, output, errors } = await runCommand(args, {
    input: "secret\n",
    env: { PSTORAGE_ROOT: root },
  });
  expect(errors).toContain(sentence.replaceAll("ROOT", root));
  expect(errors.trimEnd().split("\n")).toHaveLength(1);
  expect({ status, output }).toEqual({ status: 1, output: "" });
});

/** A program that reads its arguments and writes to standard error itself. */
async function said(program: () => Promise<void>, line: string): Promise<string> {
  const before = { argv: process.argv, exitCode: process.exitCode };
  const lines: string[] = [];
  const spies = [
    vi.spyOn(process.stderr, "write").mockImplementation((text) => lines.push(String(text)) > 0),
    vi.spyOn(process.stdout, "write").mockImplementation(() => true),
  ];
  try {
    process.argv = ["node", ...line.split(" ")];
    await program();
    expect(process.exitCode).toBe(1);
  } finally {
    process.argv = before.argv;
    process.exitCode = before.exitCode;
    for (const spy of spies) spy.mockRestore();
  }
  expect(lines.join("").trimEnd().split("\n")).toHaveLength(1);
  return lines.join("");
}

test.each([
  ["-s 127.0.0.1 -l", "say -l to be the server, or -s HOST -d DIR to be a client"],
  ["-s 127.0.0.1", "which disk? give a directory on it with -d DIR"],
  ["-s 127.0.0.1 -d /nowhere/at/all", "/nowhere/at/all is no directory; name one on the disk with -d"],
  ["-s 127.0.0.1 -d / -t none", "-t none: give a number from 1 to 1000"],
])("pstorage-hwflush-check %s: %s", async (line, sentence) => {
  expect(await said(runFlushProgram, `pstorage-hwflush-check ${line}`)).toContain(sentence);
});

test("pstorage-mount needs the name of a cluster", async () => {
  vi.stubEnv("PSTORAGE_NAME", "");
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await said(runMountProgram, "pstorage-mount /mnt")).toContain("which cluster? give -c NAME");
});

test("a copy or a move needs two names", () => {
  expect(() => sourcesAndTarget(["/only"])).toThrow("give SOURCE... and TARGET");
});

test("pstorage-mount needs a log that can be written", async () => {
  const root = await temporaryRoot();
  await writeFile(join(root, "letter"), "dear");
  await mkdir(join(root, "mnt"));
  const member = `-c c1 make-mds -I -P -a 127.0.0.1:${PORT + 2} -r ${root}/mds`;
  const made = await runCommand(member.split(" "), { input: "secret\n", env: { PSTORAGE_ROOT: root } });
  expect(made).toMatchObject({ status: 0, errors: "" });
  vi.stubEnv("PSTORAGE_ROOT", root);
  onTestFinished(() => void vi.unstubAllEnvs());
  const line = `pstorage-mount -c c1 -l ${root}/letter/log ${root}/mnt`;
  expect(await said(runMountProgram, line)).toContain(`the log ${root}/letter/log cannot be written: `);
});

test("a chunk server on a host that found the cluster without a list is told its address", async () => {
  const root = await temporaryRoot();
  const member = `-c c1 make-mds -I -P -a 127.0.0.1:${PORT} -r ${root}/mds`;
  const made = await runCommand(member.split(" "), { input: "secret\n", env: { PSTORAGE_ROOT: root } });
  expect(made).toMatchObject({ status: 0, errors: "" });
  const host = machineHost(root);
  await rm(host.files.bootstrapFile("c1"));
  const server = { clusterName: "c1", directory: join(root, "cs"), address: undefined, tier: 0 };
  await expect(createChunkServer(host, server, {} as Admin)).rejects.toThrow(
    "give the address of this host with -a IP",
  );
});

test("owners of a mount must be known to the machine", async () => {
  await expect(findUser("nobody in particular")).rejects.toThrow('there is no user "nobody in particular"');
  await expect(findGroup("no group at all")).rejects.toThrow('there is no group "no group at all"');
});

describe("services", () => {
  const stopped = { kind: "cs", clusterName: "c1", directory: "/disks/1", id: 1025, pid: undefined } as const;

  test("are named by cluster or directory, and run when they are signalled", async () => {
    expect(() => selectServices([stopped], "c2")).toThrow(
      'no repository of this host belongs to "c2"; see pstorage list-services',
    );
    expect(() => reloadService(stopped)).toThrow("is not running; pstorage-csd start starts it");
    await expect(killService(stopped, "SIGSTOP")).rejects.toThrow(
      "is not running; pstorage-csd start starts it",
    );
  });

  test("are on a host whose place is three numbers", async () => {
    const root = await temporaryRoot();
    await mkdir(join(root, "etc/pstorage"), { recursive: true });
    await writeFile(join(root, "etc/pstorage/location"), "upstairs\n");
    await expect(new HostFiles(root).location()).rejects.toThrow("must hold three numbers: ROOM.ROW.RACK");
  });
});

test("a metadata server that runs is neither recovered nor replaced where it is", async () => {
  const root = await temporaryRoot();
  const run = (line: string) =>
    runCommand(line.split(" "), { input: "secret\n", env: { PSTORAGE_ROOT: root } });
  const made = await run(`-c c1 make-mds -I -P -a 127.0.0.1:${PORT} -r ${root}/mds`);
  expect(made).toMatchObject({ status: 0, errors: "" });
  // What tells a daemon from any other process is that its directory is among its arguments.
  const daemon = spawn(process.execPath, ["-e", "setInterval(() => 0, 1000)", `${root}/mds`], {
    stdio: "ignore",
  });
  onTestFinished(() => void daemon.kill("SIGKILL"));
  await mkdir(join(root, "run/pstorage"), { recursive: true });
  await writeFile(join(root, "run/pstorage/mdsd.c1.1.pid"), `${daemon.pid}\n`);
  const sentence = `the MDS in ${root}/mds is running (pid ${daemon.pid}); stop it first: pstorage-mdsd stop ${root}/mds`;
  const { status, errors } = await run(`-c c1 make-mds --recover -r ${root}/mds`);
  expect(errors).toContain(sentence);
  expect(status).toBe(1);
  expect((await run(`-c c2 make-mds --recover -r ${root}/mds`)).errors).toContain("is a repository of");
  const lost = { clusterName: "c1", mdsId: 1, address: undefined, directory: `${root}/mds` };
  const nobody = {} as Parameters<typeof replaceMds>[2];
  await expect(replaceMds(machineHost(root), lost, nobody)).rejects.toThrow(sentence);
});
