import { execFile, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ClusterDirectory } from "./harness.js";
import { TEST_MS } from "./ordeal/patience.js";

/** What people install: nothing of the checkout is used but to make the packages. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const CHECKOUT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const run = promisify(execFile);
let directory: ClusterDirectory;
const roots: string[] = [];

beforeAll(async () => {
  directory = await ClusterDirectory.make();
});

afterAll(async () => {
  await directory.remove(roots);
});

/** Runs a whole small cluster by the programs of that directory, and stores a file in it. */
async function tryOut(programs: string): Promise<void> {
  const lab = await mkdtemp(join(directory.path, "lab-"));
  roots.push(join(lab, "hosts/1"));
  const call = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, PSTORAGE_ROOT: join(lab, "hosts/1"), PSTORAGE_NAME: "lab" };
    const { stdout } = await run(join(programs, "pstorage"), args, { env, cwd: "/" });
    return stdout;
  };
  expect(await call("--version")).toMatch(/^\d+\.\d+\.\d+\n$/);
  await call("lab", "up", "--mds", "1", "--cs", "1", "--dir", lab, "--detach");
  await call("fs", "put", join(CHECKOUT, "README.md"), "/README.md");
  expect(await call("-q", "fs", "cat", "/README.md")).toContain("# pstorage");
  await call("lab", "destroy", "--dir", lab, "--yes");
}

/** Every program says the same by --help and in its manual page, which it has under each of its names. */
async function expectPages(programs: string, pages: string): Promise<void> {
  for (const program of await readdir(programs)) {
    const text = await readFile(join(pages, `${program}.8`), "utf8");
    const other = /^\.so man8\/(.*)\n$/.exec(text)?.[1];
    const page = (other === undefined ? text : await readFile(join(pages, other), "utf8")).replaceAll(
      "\\-",
      "-",
    );
    const { stdout } = await run(join(programs, program), ["--help"]);
    const options = [...stdout.matchAll(/^ {2}(-\S.*?) {2,}/gm)].map((found) => found[1] ?? "");
    expect(options, program).toContain("-h, --help");
    const missing = options.filter((flags) => !/^-h,|^-V,/.test(flags) && !page.includes(`.B ${flags}\n`));
    expect(missing, program).toEqual([]);
  }
}

describe("an installed package works by itself", () => {
  test("from npm", async () => {
    const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", directory.path], {
      cwd: CHECKOUT,
    });
    // What the scripts of the package say comes first.
    const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf("[\n"))) as [{ filename: string }];
    const prefix = join(directory.path, "prefix");
    await run(
      "npm",
      ["install", "-g", "--prefix", prefix, "--no-audit", "--no-fund", join(directory.path, filename)],
      {
        cwd: tmpdir(),
      },
    );
    const programs = await readdir(join(prefix, "bin"));
    expect(programs).toContain("vstorage-make-report");
    await tryOut(join(prefix, "bin"));
  });

  test("from Debian's package", async () => {
    if (spawnSync("dpkg-deb", ["--version"]).status !== 0) {
      process.stderr.write("skipped: no dpkg-deb here\n");
      return;
    }
    const { stdout } = await run(process.execPath, [join(CHECKOUT, "scripts/deb.mjs"), directory.path]);
    const root = join(directory.path, "extracted");
    await mkdir(root);
    await run("dpkg-deb", ["-x", stdout.trim(), root]);
    expect(await readdir(join(root, "usr/sbin"))).toEqual(["mount.fuse.pstorage", "mount.fuse.vstorage"]);
    for (const path of ["etc", "var/log"])
      expect(await readdir(join(root, path))).toEqual(["pstorage", "vstorage"]);
    // Where scripts of the later product write, commands look.
    await mkdir(join(root, "etc/vstorage/clusters/stor1"));
    expect(await readdir(join(root, "etc/pstorage/clusters"))).toEqual(["stor1"]);
    await expectPages(join(root, "usr/bin"), join(root, "usr/share/man/man8"));
    await tryOut(join(root, "usr/bin"));
    await rm(root, { recursive: true });
  });
});
