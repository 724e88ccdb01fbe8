import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
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
 * Programs that were written for Parallels Cloud Storage and Virtuozzo Storage, by their own code where Debian has them
 * (python3-os-brick, python3-cinder, python3-nova), by the calls they make otherwise: OpenStack's os-brick, Cinder and Nova, libvirt,
 * the storage driver of Kubernetes, the HEAT template, devstack, the entry script of the container image.
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

  /** The same where /etc/pstorage and /var/log are a host's own, under the names that are in programs. What is mounted is unmounted. */
  async function onHost(root: string, script: string, ...namespaces: string[]): Promise<Finished> {
    for (const name of ["etc/pstorage/clusters", "var/log", "upper", "work"])
      await mkdir(join(root, name), { recursive: true });
    const lines = [
      `mount -t overlay -o lowerdir=/etc,upperdir=${root}/upper,workdir=${root}/work overlay /etc`,
      "mkdir -p /etc/pstorage",
      "ln -s pstorage /etc/vstorage",
      `mount --bind ${root}/etc/pstorage /etc/pstorage`,
      `mount --bind ${root}/var/log /var/log`,
      "trap 'umount -a -l -t fuse.pstorage,fuse.vstorage' EXIT",
      script,
    ];
    return await shell(root, lines.join("\n"), [
      "unshare",
      "--mount",
      "--propagation",
      "private",
      ...namespaces,
    ]);
  }

  /** What a program in Python says, with that share of our cluster; undefined if Debian's package of it is not here. */
  async function python(
    module: string,
    script: string,
    ...args: string[]
  ): Promise<{ readonly root: string; readonly said: string } | undefined> {
    if (spawnSync("/usr/bin/python3", ["-c", `import ${module}`]).status !== 0) {
      say(`skipped: python3-${module.replace("_", "-")} is not installed`);
      return undefined;
    }
    const root = join(lab.directory, module);
    const words = [join(HERE, script), ...args].map((word) => `'${word}'`).join(" ");
    const { status, stdout, stderr } = await onHost(root, `/usr/bin/python3 ${words}`);
    expect(stderr).not.toContain("Traceback");
    expect(status, stderr).toBe(0);
    return { root, said: stdout.trim() };
  }

  const mdsAddress = (): string => lab.cluster.lab.mdsAddresses[0] ?? "";
  const share = async (): Promise<string> => `${mdsAddress()}:/lab:${await password()}`;

  test("os-brick lets the host in, mounts a share, and makes a volume", async () => {
    const done = await python("os_brick", "os-brick.py", await share(), join(lab.directory, "os_brick/mnt"));
    if (done === undefined) return;
    expect(done.said).toBe("volume made");
    const list = await readFile(join(done.root, "etc/pstorage/clusters/lab/bs_list"), "utf8");
    expect(list.trim()).toBe(mdsAddress());
  });

  test("Cinder's driver makes, snapshots, copies, extends and removes volumes", async () => {
    const config = join(lab.directory, "vzstorage_shares");
    await writeFile(config, `${await share()} ["-v"]\n`);
    const done = await python("cinder", "cinder-driver.py", config, join(lab.directory, "cinder/mnt"));
    if (done === undefined) return;
    expect(done.said).toBe("volumes made");
    expect(existsSync(join(done.root, "var/log/vstorage/lab/cinder.log.gz"))).toBe(true);
  });

  test("Nova's driver attaches volumes, owned and cached as its options say", async () => {
    const directory = join(lab.directory, "nova");
    const done = await python(
      "nova",
      "nova-driver.py",
      await share(),
      join(directory, "mnt"),
      "daemon",
      "disk",
      join(directory, "cache-of-%(cluster_name)s"),
    );
    if (done === undefined) return;
    expect(done.said).toBe("volume attached");
    expect(existsSync(join(done.root, "var/log/vstorage/lab/nova.log.gz"))).toBe(true);
  });

  test("what os-brick calls lets the host in and mounts, whoever calls it", async () => {
    const root = join(lab.directory, "brick-calls");
    const point = join(root, "mnt");
    const calls = [
      `mkdir -p ${root}/tmp ${point} && echo ${mdsAddress()} > ${root}/tmp/bs_list`,
      `cp -rf ${root}/tmp /etc/pstorage/clusters/lab`,
      "chown -R root:root /etc/pstorage/clusters/lab",
      // No newline behind it.
      `printf %s '${await password()}' | pstorage -c lab auth-node -P`,
      `pstorage-mount -c lab -v ${point}`,
      `mount | grep -q 'pstorage://lab on ${point} type fuse.pstorage'`,
      `echo kept > ${point}/by-os-brick && cat ${point}/by-os-brick`,
    ].join("\n");
    const { status, stdout, stderr } = await onHost(root, calls);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/kept\n$/);
  });

  test("a storage pool of libvirt is mounted with the options behind, seen in /proc/mounts, and unmounted", async () => {
    const root = join(lab.directory, "libvirt");
    const pool = join(root, "pool");
    const seen = `awk '$1 == "vstorage://lab" && $2 == "${pool}"' /proc/mounts`;
    const calls = [
      `echo ${mdsAddress()} > /etc/vstorage/clusters/lab.list`,
      `mkdir -p ${pool} /etc/vstorage/clusters/lab && mv /etc/vstorage/clusters/lab.list /etc/vstorage/clusters/lab/bs.list`,
      `echo '${await password()}' | vstorage -c lab auth-node -P > ${root}/said`,
      `test -z "$(${seen})"`,
      `vstorage-mount -c lab ${pool} -m 711 -g disk -u daemon`,
      seen,
      `stat -c '%U %G %a' ${pool}`,
      `truncate -s 1G ${pool}/volume.img && stat -c %s ${pool}/volume.img`,
      `umount ${pool}`,
      `test -z "$(${seen})"`,
    ].join("\n");
    const { status, stdout, stderr } = await onHost(root, calls);
    expect([status, stderr]).toEqual([0, ""]);
    const [mounted = "", owner, size] = stdout.trim().split("\n");
    expect(mounted.split(" ").slice(0, 3)).toEqual(["vstorage://lab", pool, "fuse.vstorage"]);
    expect([owner, size]).toEqual(["daemon disk 711", String(2 ** 30)]);
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
    } finally {
      await directory.remove([first, second]);
    }
  });

  test("devstack makes a cluster of one host at the usual port, and takes it down", async () => {
    const root = join(lab.directory, "devstack");
    const data = join(root, "vzstorage");
    const calls = [
      "ip link set lo up",
      `mkdir ${data}`,
      `echo PASSWORD | vstorage -c dev make-mds -I -a 127.0.0.1 -r ${data}/dev-mds -P`,
      "vstorage-mdsd start",
      "echo 127.0.0.1 | tee /etc/vstorage/clusters/dev/bs.list",
      `vstorage -c dev make-cs -r ${data}/dev-cs`,
      "vstorage-csd start",
      `mkdir ${root}/mnt && vstorage-mount -c dev ${root}/mnt`,
      `echo contents > ${root}/mnt/file && cat ${root}/mnt/file`,
      "vstorage -q -c dev stat | head -1",
      "cat /proc/mounts | awk '/^vstorage\\:\\/\\// {print $1}' | xargs -r -n 1 umount",
      "vstorage-mdsd stop",
      "vstorage-csd stop",
      `rm -rf /etc/vstorage/clusters/* ${data}`,
    ].join("\n");
    const { status, stdout, stderr } = await onHost(root, calls, "--net");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("\ncontents\nCluster 'dev': healthy\n");
    expect(stdout).toMatch(/MDS#1 .* stopped\n.*CS#1025 .* stopped\n$/);
  });

  test("the entry script of the container image makes each role once, and starts it with -u", async () => {
    const root = join(lab.directory, "container");
    const all = join(root, "var/lib/vstorage");
    const idOfHost = "cut -d - -f 1-3 /proc/sys/kernel/random/uuid | tr -d - > /etc/vstorage/host_id";
    const authenticate = "echo passw0rd | vstorage -c vstorage auth-node -b 127.0.0.1 -P";
    const start = (role: "mds" | "cs", make: readonly string[]): string =>
      `(${[`if ! [ -d ${all}/${role} ]; then`, ...make, "fi", idOfHost, `exec ${role}d -r ${all}/${role} -u root`].join("\n")}) & ${role}=$!`;
    const mds = start("mds", [
      `echo passw0rd | vstorage -c vstorage make-mds -I -a 127.0.0.1 -r ${all}/mds -P`,
    ]);
    const cs = start("cs", [
      authenticate,
      `vstorage -c vstorage make-cs -r ${all}/cs -a 127.0.0.1:12510 -b 127.0.0.1`,
    ]);
    const wait = (what: string): string => `for left in $(seq 40); do ${what} && break; sleep 0.3; done`;
    const isUp = "vstorage -q -c vstorage stat 2> /dev/null | grep -q '^ *1025 active'";
    const calls = [
      "ip link set lo up",
      `mkdir -p ${all}`,
      mds,
      wait(`${authenticate} > /dev/null 2>&1`),
      cs,
      wait(isUp),
      "vstorage -q -c vstorage stat -n | grep -A 1 CSID",
      "kill $cs; wait $cs",
      // Again, with another id of the host: what the script does at every start.
      cs,
      wait(isUp),
      `mkdir ${root}/mnt; vstorage-mount -c vstorage ${root}/mnt; echo contents > ${root}/mnt/file; cat ${root}/mnt/file; umount ${root}/mnt`,
      "kill $cs; wait $cs",
      "kill $mds; wait $mds",
    ].join("\n");
    const { status, stdout, stderr } = await onHost(root, calls, "--net");
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/1025 .* 127\.0\.0\.1/);
    expect(stdout).toMatch(/contents\n$/);
  });
});
