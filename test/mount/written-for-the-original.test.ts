import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { mkdir, readFile, statfs, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { freeMdsAddress } from "../../src/cli/lab/lab-plan.js";
import { ClusterDirectory } from "../cluster/harness.js";
import { TEST_MS } from "../cluster/ordeal/patience.js";
import { say } from "../cluster/ordeal/seed.js";
import { type Finished, finished, MountLab, mountObstacle } from "./harness.js";

/**
 * Programs that were written for Parallels Cloud Storage and Virtuozzo Storage, by their own code where Debian has them, by the
 * calls they make otherwise: OpenStack's os-brick, the storage driver of Kubernetes, the HEAT template, devstack.
 */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const HERE = dirname(fileURLToPath(import.meta.url));
const CHECKOUT = dirname(dirname(HERE));
const obstacle = mountObstacle();
let lab: MountLab;
/** Where the programs are, under the names that package.json gives them. */
let programs = "";

describe.skipIf(obstacle !== undefined)("programs written for the original", () => {
  beforeAll(async () => {
    lab = await MountLab.start({ mdsCount: 1, csCount: 2, mounts: [] });
    programs = join(lab.directory, "programs");
    mkdirSync(programs);
    for (const [name, path] of Object.entries(packageJson.bin))
      symlinkSync(join(CHECKOUT, path), join(programs, name));
  });
  afterAll(() => lab?.close());

  /** Runs a line of the shell on a host of its own that knows nothing of the cluster. */
  async function shell(root: string, script: string, prefix: readonly string[] = []): Promise<Finished> {
    const env = { ...process.env, PSTORAGE_ROOT: root, PATH: `${programs}:${process.env["PATH"]}` };
    const [program = "", ...args] = [...prefix, "sh", "-ec", script];
    return await finished(spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] }));
  }

  const password = async (): Promise<string> =>
    (await readFile(join(lab.cluster.lab.directory, "password"), "utf8")).trim();

  test("os-brick lets the host in, mounts a share, and makes a volume", async () => {
    if (spawnSync("/usr/bin/python3", ["-c", "import os_brick"]).status !== 0) {
      say("skipped: python3-os-brick is not installed");
      return;
    }
    const root = join(lab.directory, "brick");
    await mkdir(join(root, "etc/pstorage/clusters"), { recursive: true });
    for (const name of ["upper", "work"]) await mkdir(join(root, name));
    const [mds = ""] = lab.cluster.lab.mdsAddresses;
    const share = `${mds}:/lab:${await password()}`;
    // It writes below /etc/pstorage: on a host of its own that is a directory of its own.
    const script = [
      `mount -t overlay -o lowerdir=/etc,upperdir=${root}/upper,workdir=${root}/work overlay /etc`,
      "mkdir -p /etc/pstorage",
      `mount --bind ${root}/etc/pstorage /etc/pstorage`,
      `/usr/bin/python3 ${join(HERE, "os-brick.py")} '${share}' ${root}/mnt`,
    ].join("\n");
    const { status, stdout, stderr } = await shell(root, script, [
      "unshare",
      "--mount",
      "--propagation",
      "private",
    ]);
    expect(stderr).not.toContain("Traceback");
    expect([status, stdout.trim()]).toEqual([0, "volume made"]);
    const list = await readFile(join(root, "etc/pstorage/clusters/lab/bs_list"), "utf8");
    expect(list.trim()).toBe(mds);
  });

  test("the Kubernetes driver mounts, sets what a volume shall be, and revokes dead leases", async () => {
    const root = join(lab.directory, "kubernetes");
    const point = join(root, "mnt");
    await mkdir(join(root, "etc/pstorage/clusters/lab"), { recursive: true });
    await mkdir(point);
    await writeFile(join(root, "etc/pstorage/clusters/lab/bs.list"), `${lab.cluster.lab.mdsAddresses[0]}\n`);
    const calls = [
      `printf '%s' '${await password()}' | vstorage -c lab auth-node -P`,
      `vstorage-mount -c lab ${point} -l /dev/null`,
      `mkdir ${point}/volume`,
      `vstorage set-attr -R ${point}/volume replicas=2`,
      `vstorage set-attr -R ${point}/volume tier=0`,
      `vstorage set-attr -R ${point}/volume failure-domain=host`,
      `vstorage revoke -R ${point}/volume`,
    ].join("\n");
    try {
      expect(await shell(root, calls)).toMatchObject({ status: 0, stderr: "" });
      const line = readFileSync("/proc/mounts", "utf8")
        .split("\n")
        .find((each) => each.includes(` ${point} `));
      expect(line?.split(" ").slice(0, 3)).toEqual(["vstorage://lab", point, "fuse.vstorage"]);
      // FUSE_SUPER_MAGIC of linux/magic.h.
      expect((await statfs(point)).type).toBe(0x65735546);
      const { stdout } = await shell(root, `vstorage get-attr ${point}/volume`);
      expect(stdout).toContain("replicas=2:1");
    } finally {
      await shell(root, `umount ${point} || umount -l ${point}`);
    }
  });

  test("the HEAT template makes the cluster where nobody lets it in, and joins it where somebody does", async () => {
    const directory = await ClusterDirectory.make();
    const [first, second] = [join(directory.path, "1"), join(directory.path, "2")];
    try {
      const address = await freeMdsAddress([]);
      const list = `mkdir -p "$PSTORAGE_ROOT/etc/pstorage/clusters/heat"; echo ${address} > "$PSTORAGE_ROOT/etc/pstorage/clusters/heat/bs.list"`;
      const join_ = (root: string): string =>
        `echo secret-of-heat | vstorage -c heat auth-node -P || echo secret-of-heat | vstorage -c heat make-mds -I -a ${address} -r ${root}/heat-mds -P`;
      const made = await shell(
        first,
        `${list}\n${join_(first)}\nvstorage-mdsd start\nvstorage list-services -M | grep -q ${first}/heat-mds`,
      );
      expect(made.status, made.stderr).toBe(0);
      const joined = await shell(second, `${list}\n${join_(second)}`);
      expect(joined).toMatchObject({ status: 0, stderr: "" });
      expect(joined.stdout).toContain("is authenticated for cluster heat");
      // As devstack goes on, on one host.
      const stored = await shell(
        first,
        `vstorage -c heat make-cs -r ${first}/heat-cs\nvstorage-csd start\nvstorage list-services | grep -q ${first}/heat-cs\nvstorage -q -c heat stat | head -1`,
      );
      expect(stored).toMatchObject({ status: 0, stderr: "" });
      expect(stored.stdout).toContain("Cluster 'heat': healthy");
    } finally {
      await directory.remove([first, second]);
    }
  });
});
