import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { HostFiles } from "../../../../src/cli/host-files.js";
import { refreshUnits } from "../../../../src/cli/services/install.js";
import { escapedPath, mountFile } from "../../../../src/cli/services/unit-files.js";
import { runCommand } from "../fake-terminal.js";
import { temporaryRoot } from "../temporary-root.js";

/** A host with MDS#1 and CS#1025 of stor1. */
async function host(): Promise<{ root: string; files: HostFiles; units: string }> {
  const root = await temporaryRoot();
  const files = new HostFiles(root);
  for (const [kind, identity] of [
    ["mds", { mdsId: 1 }],
    ["cs", { csId: 1025 }],
  ] as const) {
    const directory = join(root, `${kind} of stor1`);
    await mkdir(directory);
    await writeFile(join(directory, "identity.json"), JSON.stringify(identity));
    await files.addService({ kind, clusterName: "stor1", directory });
  }
  return { root, files, units: join(root, "etc/systemd/system") };
}

const NAMES = [
  "pstorage-csd.stor1.1025.service",
  "pstorage-csd.target",
  "pstorage-mdsd.stor1.1.service",
  "pstorage-mdsd.target",
];

describe("install-services", () => {
  test("writes a unit for each server, and targets, once", async () => {
    const { root, units } = await host();
    const first = await runCommand(["install-services"], { env: { PSTORAGE_ROOT: root } });
    expect(first).toMatchObject({ status: 0, errors: "" });
    expect((await readdir(units)).sort()).toEqual(NAMES);
    const text = await readFile(join(units, "pstorage-csd.stor1.1025.service"), "utf8");
    expect(text).toContain(`RequiresMountsFor="${root}/cs of stor1"\n`);
    expect(text).toContain(`PIDFile=${root}/run/pstorage/csd.stor1.1025.pid\n`);
    expect(text).toContain(` start "${root}/cs of stor1"\n`);
    expect(text).toContain("WantedBy=pstorage-csd.target\nAlias=vstorage-csd.stor1.1025.service\n");
    const again = await runCommand(["install-services"], { env: { PSTORAGE_ROOT: root } });
    expect(again.output).toBe("nothing has changed\n");
  });

  test("follows what is made and removed, where it was used", async () => {
    const { root, files, units } = await host();
    await refreshUnits(files);
    await expect(readdir(units)).rejects.toThrow("ENOENT");
    await runCommand(["install-services"], { env: { PSTORAGE_ROOT: root } });
    await files.removeService("cs", join(root, "cs of stor1"));
    await refreshUnits(files);
    expect((await readdir(units)).sort()).toEqual(NAMES.slice(1));
  });

  test("has a mount unit under the name that systemd wants", async () => {
    const { root, units } = await host();
    const mounted = ["-c", "stor1", "install-services", "--mount", "/mnt/my-stor1"];
    expect((await runCommand(mounted, { env: { PSTORAGE_ROOT: root } })).status).toBe(0);
    const text = await readFile(join(units, "mnt-my\\x2dstor1.mount"), "utf8");
    expect(text).toContain("What=pstorage://stor1\nWhere=/mnt/my-stor1\nType=fuse.pstorage\n");
  });

  test("names paths as systemd-escape does", () => {
    for (const path of ["/", "/mnt/stor1", "//a//b/", "/.hidden/ä b", "/x_y:z.1-2"]) {
      const { status, stdout } = spawnSync("systemd-escape", ["--path", path], { encoding: "utf8" });
      if (status === 0) expect(escapedPath(path), path).toBe(stdout.trim());
    }
    expect(escapedPath("/mnt/a-b")).toBe("mnt-a\\x2db");
  });

  test("writes what systemd accepts", async () => {
    if (spawnSync("systemd-analyze", ["--version"]).status !== 0) {
      process.stderr.write("skipped: no systemd-analyze here\n");
      return;
    }
    const { root, units } = await host();
    await runCommand(["install-services"], { env: { PSTORAGE_ROOT: root } });
    const { name, text } = mountFile({ clusterName: "stor1", directory: "/mnt/stor1" });
    await writeFile(join(units, name), text);
    const paths = [...NAMES, name].map((unit) => join(units, unit));
    const { stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", ...paths], { encoding: "utf8" });
    expect(stderr.split("\n").filter((line) => line.includes(units))).toEqual([]);
  });
});
