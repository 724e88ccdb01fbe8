import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { advise, type HostPlan, type Place } from "../../../../src/cli/advice/advise.js";
import { mountCommand } from "../../../../src/cli/mount/mount-program.js";
import { runCommand } from "../fake-terminal.js";
import { temporaryRoot } from "../temporary-root.js";

const GIB = 2 ** 30;

function place(directory: string, more: Partial<Place> = {}): Place {
  return {
    directory,
    device: directory,
    totalBytes: 100 * GIB,
    freeBytes: 80 * GIB,
    isRotating: true,
    isRoot: false,
    ...more,
  };
}

function plan(more: Partial<HostPlan>): HostPlan {
  return {
    clusterName: "stor1",
    chunkServers: [],
    ssd: undefined,
    mountPoint: undefined,
    wantsJournals: false,
    ...more,
  };
}

test("every disk gets a chunk server, a fast one a higher tier", () => {
  const chunkServers = [place("/disks/sdb/cs"), place("/disks/nvme0/cs", { isRotating: false })];
  expect(advise(plan({ chunkServers }))).toEqual([
    "pstorage -c stor1 make-cs -r /disks/sdb/cs",
    "pstorage -c stor1 make-cs -r /disks/nvme0/cs -t 2",
  ]);
});

test("the read cache takes what the SSD has free, less a tenth of the SSD", () => {
  const ssd = place("/ssd", { isRotating: false });
  const [line = ""] = advise(plan({ ssd, mountPoint: "/mnt/stor1" }));
  expect(line).toBe("pstorage-mount -c stor1 -C /ssd/stor1-cache -R 71680 /mnt/stor1");
  expect(() =>
    mountCommand("pstorage-mount").parse(line.split(" ").slice(1), { from: "user" }),
  ).not.toThrow();
});

test("an SSD that is nearly full gets no cache", () => {
  const ssd = place("/ssd", { freeBytes: 10.5 * GIB });
  expect(advise(plan({ ssd, mountPoint: "/mnt/stor1" }))).toEqual([
    "# /ssd has too little room for a read cache: 512 MB beside a reserve.",
    "pstorage-mount -c stor1 /mnt/stor1",
  ]);
});

test("what is unwise is said before the command", () => {
  const shared = { device: "8:1" };
  const chunkServers = [place("/a/cs", shared), place("/b/cs", shared), place("/cs", { isRoot: true })];
  const ssd = place("/ssd", { device: "/cs" });
  const lines = advise(plan({ chunkServers, ssd, mountPoint: "/it's here", wantsJournals: true }));
  expect(lines).toEqual([
    "pstorage -c stor1 make-cs -r /a/cs",
    "# /b/cs is on the same disk as /a/cs: one chunk server a disk is enough.",
    "pstorage -c stor1 make-cs -r /b/cs",
    "# /cs is on the disk of the system: a chunk server fills it; better give it one of its own.",
    "# /cs is on the SSD of the read cache: both will be slower, and the cache gets less.",
    "pstorage -c stor1 make-cs -r /cs",
    "# Write journals on an SSD are not supported yet: it can serve reads only.",
    "# /ssd is on a rotating disk: a read cache there gains nothing.",
    "pstorage-mount -c stor1 -C /ssd/stor1-cache -R 71680 '/it'\\''s here'",
  ]);
});

test("the command looks at the disks of this host, and does nothing", async () => {
  const root = await temporaryRoot();
  const line = ["-c", "stor1", "advise-configuration", "--cs", join(root, "new/cs"), "-m", "/mnt/stor1"];
  const { status, output, errors } = await runCommand(line);
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  expect(output).toMatch(new RegExp(`^pstorage -c stor1 make-cs -r ${root}/new/cs( -t 2)?$`, "m"));
  expect(output).toContain("pstorage-mount -c stor1 /mnt/stor1\n");
});

test("it says what is missing", async () => {
  const root = await temporaryRoot();
  await writeFile(join(root, "file"), "");
  for (const [words, sentence] of [
    [[], "give --cs DIR for each disk"],
    [["--cs", "/x", "--ssd", "/y"], "give -m MOUNT too"],
    [["--cs", join(root, "file")], `${root}/file is not a directory`],
    [["--cs", join(root, "file/cs")], "ENOTDIR"],
  ] as const) {
    const { status, errors } = await runCommand(["-c", "stor1", "advise-configuration", ...words]);
    expect(status).toBe(1);
    expect(errors).toContain(sentence);
  }
});
