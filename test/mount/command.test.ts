import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { mountLab, unmountLab } from "../../src/cli/lab/lab-mount.js";
import { runProgram } from "../cluster/harness.js";
import { PATIENCE_MS, TEST_MS } from "../cluster/ordeal/patience.js";
import { type Finished, finished, MountLab, mountObstacle, pause } from "./harness.js";

/**
 * `pstorage-mount` and the helper of mount(8) as their callers know them: what is printed, what /proc/mounts says, when
 * they return, how a mount ends.
 */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const BIN = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "bin");

interface Line {
  readonly source: string;
  readonly type: string;
  readonly options: readonly string[];
}

let lab: MountLab;
let directory = "";
let mountPoint = "";

/** What /proc/mounts says of the mount point. */
function shown(path = mountPoint): Line | undefined {
  const lines = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  const found = lines.findLast((fields) => fields[1] === path);
  if (found === undefined) return undefined;
  return { source: found[0] ?? "", type: found[2] ?? "", options: (found[3] ?? "").split(",") };
}

/** Runs a program in bin/, or a link to one, as a user would. */
async function run(program: string, ...args: string[]): Promise<Finished> {
  const child = spawn(process.execPath, [program.includes("/") ? program : join(BIN, program), ...args], {
    env: { ...process.env, ...lab.cluster.lab.env(1), PSTORAGE_NAME: "" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return finished(child);
}

const mount = (...args: string[]): Promise<Finished> =>
  run("pstorage-mount.js", "-c", "lab", mountPoint, ...args);

const DONE: Finished = { status: 0, stdout: "", stderr: "" };

/** Exit status 1 and one line. */
async function expectRefusal(result: Promise<Finished>, sentence: string | RegExp): Promise<void> {
  const { status, stdout, stderr } = await result;
  expect(stderr).toMatch(sentence);
  expect(stderr).toMatch(/^pstorage-mount: [^\n]+\n$/);
  expect([status, stdout]).toEqual([1, ""]);
}

const umount = (...args: string[]): Promise<Finished> =>
  finished(spawn("umount", [...args, mountPoint], { stdio: ["ignore", "pipe", "pipe"] }));

/** The daemon behind the mount point. */
function daemon(): number {
  const { stdout } = spawnSync("pgrep", ["-f", `pstorage-mountd.*"directory":"${mountPoint}"`], {
    encoding: "utf8",
  });
  return Number(stdout.trim().split("\n")[0] ?? "0");
}

async function until(truth: () => boolean, what: string, timeoutMs = PATIENCE_MS): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!truth()) {
    if (Date.now() > end) throw new Error(`it did not come true that ${what}`);
    await pause(50);
  }
}

/** What the kernel says of a mount whose daemon is gone. */
function deathOf(path: string): string {
  try {
    readdirSync(path);
    return "";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "";
  }
}

const isGone = (pid: number): boolean =>
  !existsSync(`/proc/${pid}/cmdline`) || readFileSync(`/proc/${pid}/cmdline`, "utf8") === "";

/** Lets user 1 read the file, by a list of `user::rw-,user:1:r--,group::---,mask::r--,other::---`. */
function setAcl(path: string): string {
  const entries = [
    [1, 6],
    [2, 4, 1],
    [4, 0],
    [16, 4],
    [32, 0],
  ];
  const program = `
import os, struct, sys, errno
entries = ${JSON.stringify(entries)}
value = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", e[0], e[1], (e + [-1])[2]) for e in entries)
try:
    os.setxattr(sys.argv[1], "system.posix_acl_access", value)
    print("set")
except OSError as error:
    print(errno.errorcode[error.errno].replace("ENOTSUP", "EOPNOTSUPP"))
`;
  return spawnSync("python3", ["-c", program, path], { encoding: "utf8" }).stdout.trim();
}

describe.skipIf(mountObstacle() !== undefined)("pstorage-mount", () => {
  beforeAll(async () => {
    lab = await MountLab.start({ mdsCount: 1, csCount: 3, mounts: [] });
    directory = lab.directory;
    mountPoint = join(directory, "mnt");
    await mkdir(mountPoint);
  });

  afterEach(async () => {
    const pid = daemon();
    if (shown() !== undefined) spawnSync("umount", ["-l", mountPoint]);
    if (pid > 0) await until(() => isGone(pid), "the daemon ends");
  });

  afterAll(() => lab?.close());

  test("returns when it is mounted, with options before or after the mount point", async () => {
    expect(await run("pstorage-mount.js", "-v", mountPoint, "-c", "lab")).toEqual(DONE);
    expect(shown()).toMatchObject({ source: "pstorage://lab", type: "fuse.pstorage" });
    expect(shown()?.options).toEqual(expect.arrayContaining(["rw", "default_permissions", "allow_other"]));
    await writeFile(join(mountPoint, "file"), "contents");
    expect(await umount()).toEqual(DONE);
    expect(await readdir(mountPoint)).toEqual([]);

    const log = join(lab.cluster.lab.root(1), "var/log/pstorage/lab/pstorage-mount.log.gz");
    expect(gunzipSync(await readFile(log)).toString()).toContain('"msg":"mounted"');
  });

  test("under its other name it shows the other name", async () => {
    const program = join(directory, "vstorage-mount");
    symlinkSync(join(BIN, "pstorage-mount.js"), program);
    expect(await run(program, "-c", "lab", "-l", "/dev/null", mountPoint)).toEqual(DONE);
    expect(shown()).toMatchObject({ source: "vstorage://lab", type: "fuse.vstorage" });
  });

  test("options of mount(8) are the kernel's, and the owner of the root is as one likes", async () => {
    const options = "ro,nosuid,nodev,noexec,noatime,fsname=other";
    expect(await mount("-u", "daemon", "-g", "12", "-m", "0750", "-o", options)).toEqual(DONE);
    expect(shown()?.source).toBe("other");
    expect(shown()?.options).toEqual(expect.arrayContaining(["ro", "nosuid", "nodev", "noexec", "noatime"]));
    const { mode, uid, gid } = await stat(mountPoint);
    expect([mode & 0o7777, uid, gid]).toEqual([0o750, 1, 12]);
    await expect(writeFile(join(mountPoint, "new"), "")).rejects.toMatchObject({ code: "EROFS" });
  });

  test("what cannot be is refused in one line", async () => {
    await expectRefusal(mount("-o", "ro,sorcery"), 'the option "sorcery" is not known');
    await expectRefusal(mount("-u", "no-such-user"), 'there is no user "no-such-user"');
    await expectRefusal(mount("-m", "0999"), "the mode is octal digits");
    await expectRefusal(mount("-R", "500"), "give -C FILE too");
    await expectRefusal(mount("--sorcery"), "unknown option");
    await expectRefusal(run("pstorage-mount.js", mountPoint), "which cluster");
    await expectRefusal(
      run("pstorage-mount.js", "-c", "nowhere", mountPoint),
      "pstorage -c nowhere auth-node",
    );
    await expectRefusal(
      run("pstorage-mount.js", "-c", "lab", join(directory, "none")),
      "none does not exist; make it with mkdir",
    );
    await writeFile(join(directory, "file"), "");
    await expectRefusal(
      run("pstorage-mount.js", "-c", "lab", join(directory, "file")),
      "file is not a directory; choose one",
    );
    expect(shown()).toBeUndefined();
  });

  test("a mount point is used once", async () => {
    expect(await mount()).toEqual(DONE);
    await expectRefusal(mount(), /pstorage:\/\/lab is mounted on .* already/);
  });

  test("after kill -9 of the daemon the mount point is dead until it is mounted again", async () => {
    expect(await mount()).toEqual(DONE);
    await writeFile(join(mountPoint, "kept"), "kept", { flush: true });
    process.kill(daemon(), "SIGKILL");
    await until(() => deathOf(mountPoint) === "ENOTCONN", "the mount point is dead");

    expect(await mount()).toEqual(DONE);
    expect(await readFile(join(mountPoint, "kept"), "utf8")).toBe("kept");
  });

  test("SIGTERM unmounts, and whoever still uses it is cut off after a while", async () => {
    expect(await mount()).toEqual(DONE);
    const user = spawn("sleep", ["10000"], { cwd: mountPoint });
    const pid = daemon();
    process.kill(pid, "SIGTERM");
    await until(() => shown() === undefined, "it is out of sight");
    await until(() => isGone(pid), "the daemon ends");
    user.kill();
  });

  test("in the foreground it stays until it is unmounted, and says how it ended", async () => {
    const child = spawn(process.execPath, [join(BIN, "pstorage-mount.js"), "-f", "-c", "lab", mountPoint], {
      env: { ...process.env, ...lab.cluster.lab.env(1) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = finished(child);
    await until(() => shown() !== undefined, "it is mounted");
    child.kill("SIGTERM");
    const { status, stderr } = await ended;
    expect(status).toBe(0);
    expect(stderr).toContain('"msg":"mounted"');
    expect(shown()).toBeUndefined();
  });

  test("mount(8) calls the helper with a source and options of fstab", async () => {
    const options = "rw,nosuid,_netdev,nofail,x-systemd.automount";
    expect(await run("mount.fuse.pstorage.js", "pstorage://lab", mountPoint, "-o", options)).toEqual(DONE);
    expect(shown()).toMatchObject({ source: "pstorage://lab", type: "fuse.pstorage" });
    expect(shown()?.options).toContain("nosuid");
    await umount();
    const { status, stderr } = await run(
      "mount.fuse.pstorage.js",
      "pstorage://lab",
      mountPoint,
      "-o",
      "sorcery",
    );
    expect([status, stderr]).toEqual([32, 'mount.fuse.pstorage: the option "sorcery" is not known\n']);
  });

  test("mount -o remount changes the flags, and leaves the rest", async () => {
    expect(await mount("-o", "nosuid,fsname=other")).toEqual(DONE);
    const remount = (flags: string) =>
      run("mount.fuse.pstorage.js", "other", mountPoint, "-o", `rw,nosuid,user_id=0,remount,${flags}`);
    expect(await remount("ro")).toEqual(DONE);
    expect(shown()).toMatchObject({ source: "other", type: "fuse.pstorage" });
    expect(shown()?.options).toEqual(expect.arrayContaining(["ro", "nosuid"]));
    await expect(writeFile(join(mountPoint, "new"), "")).rejects.toMatchObject({ code: "EROFS" });
    expect(await remount("rw,noatime")).toEqual(DONE);
    expect(shown()?.options).toEqual(expect.arrayContaining(["rw", "noatime"]));
    await writeFile(join(mountPoint, "new"), "contents");
    await umount();
    const { status, stderr } = await remount("ro");
    expect(status).toBe(32);
    expect(stderr).toMatch(/^mount\.fuse\.pstorage: [^\n]+\n$/);
  });

  test("with noacl the permission bits alone decide", async () => {
    const daemonReads = (path: string): number | null =>
      spawnSync("cat", [path], { uid: 1, gid: 1, stdio: "ignore" }).status;
    const file = join(mountPoint, "listed");
    expect(await mount()).toEqual(DONE);
    await writeFile(file, "contents", { mode: 0o600 });
    expect(setAcl(file)).toBe("set");
    expect(daemonReads(file)).toBe(0);
    await umount();
    await until(() => daemon() === 0, "the daemon ends");

    expect(await mount("-o", "noacl")).toEqual(DONE);
    expect((await stat(file)).mode & 0o777).toBe(0o640);
    expect(daemonReads(file)).toBe(1);
    expect(setAcl(file)).toBe("EOPNOTSUPP");
    expect(await readFile(file, "utf8")).toBe("contents");
    await umount();
    await until(() => daemon() === 0, "the daemon ends");

    expect(await mount()).toEqual(DONE);
    expect(daemonReads(file)).toBe(0);
  });

  test("a lab mounts itself, and unmounts in order", async () => {
    const path = join(directory, "lab-mount");
    expect(await mountLab(lab.cluster.lab, path)).toBe(path);
    expect(shown(path)).toMatchObject({ source: "pstorage://lab", type: "fuse.pstorage" });
    expect(await unmountLab(lab.cluster.lab)).toBe(path);
    expect(shown(path)).toBeUndefined();
    expect(await unmountLab(lab.cluster.lab)).toBeUndefined();
  });

  test("commands take a path on the mount, which tells the cluster", async () => {
    expect(await mount()).toEqual(DONE);
    await mkdir(join(mountPoint, "images"));
    const root = lab.cluster.lab.root(1);
    const pstorage = (...args: string[]) => runProgram("pstorage", args, { root, cluster: "" });
    const images = join(mountPoint, "images");
    expect((await pstorage("set-attr", images, "replicas=2:1")).status).toBe(0);
    const { output } = await pstorage("get-attr", images);
    expect(output).toContain("Path: 'pstorage://lab/images'");
    expect(output).toContain("replicas=2:1");
    await writeFile(join(images, "disk"), "x");
    expect((await pstorage("revoke", join(images, "disk"))).status).toBe(0);
    const { errors } = await pstorage("-c", "other", "get-attr", images);
    expect(errors).toContain('lies on a mount of "lab", not of "other"');
  });

  test("while the cluster is gone operations wait, can be interrupted, and umount works", async () => {
    expect(await mount()).toEqual(DONE);
    await writeFile(join(mountPoint, "file"), "contents");
    const services = await lab.cluster.lab.services();
    const daemons = services.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
    for (const pid of daemons) process.kill(pid, "SIGSTOP");
    try {
      for (const line of [
        "mkdir DIR/new",
        "cat DIR/file",
        "mv DIR/file DIR/other",
        "df DIR",
        "flock DIR/file true",
      ]) {
        const [program = "", ...args] = line.replaceAll("DIR", mountPoint).split(" ");
        const child = spawn(program, args, { stdio: "ignore" });
        const ended = new Promise((resolve) => child.once("exit", (_, signal) => resolve(signal)));
        const state = (): string | undefined => readFileSync(`/proc/${child.pid}/stat`, "utf8").split(" ")[2];
        await until(() => state() === "S", `it sleeps: ${line}`);
        await pause(1500);
        expect(`${line}: ${state()}`).toBe(`${line}: S`);
        child.kill("SIGTERM");
        expect(await ended).toBe("SIGTERM");
      }
      const child = spawn("ls", ["-l", mountPoint], { stdio: "ignore" });
      const ended = new Promise((resolve) => child.once("exit", resolve));
      await pause(1500);
      expect(child.exitCode).toBeNull();
      expect((await umount("-f")).status).toBeOneOf([0, 32]);
      expect(await ended).not.toBe(0);
    } finally {
      for (const pid of daemons) process.kill(pid, "SIGCONT");
    }
  });
});
