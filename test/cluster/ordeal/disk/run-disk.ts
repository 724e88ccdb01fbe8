/**
 * `run-disk.ts DIRECTORY MOUNTPOINT SEED`: shows what is in DIRECTORY/live at the mount point as a disk that may fail. Reads
 * commands (`DiskCommand`, one a line) from standard input and answers each with a line; ends with its standard input.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Prng } from "../../../../src/base/index.js";
import { DevFuse } from "../../../../src/mount/dev-fuse.js";
import { FuseConnection } from "../../../../src/mount/fuse-connection.js";
import { mountFuse, unmount } from "../../../../src/mount/mount-point.js";
import { noopLogger } from "../../../../src/telemetry/index.js";
import type { DiskCommand } from "./faults.js";
import { FaultyFileSystem } from "./faulty-file-system.js";

const [directory = "", mountPoint = "", seed = "0"] = process.argv.slice(2);
const WISHES = {
  flags: ["bigWrites", "maxPages", "asyncRead", "atomicTruncate", "parallelDirectoryOperations"],
  transferBytesMax: 1024 * 1024,
  readaheadBytesMax: 128 * 1024,
  backgroundMax: 64,
  congestionThreshold: 48,
} as const;

for (const path of [join(directory, "live"), join(directory, "graves")]) mkdirSync(path, { recursive: true });
const files = new FaultyFileSystem(
  join(directory, "live"),
  join(directory, "graves"),
  new Prng(Number(seed)),
);
let connection = await mounted();

async function mounted(): Promise<FuseConnection> {
  const device = DevFuse.open();
  const made = new FuseConnection(device, WISHES, noopLogger);
  const options = ["allow_other", "default_permissions"];
  const disk = { source: "faulty-disk", type: "fuse", directory: mountPoint, options, fd: device.fd };
  await mountFuse(disk);
  made.start(files);
  await made.agreed;
  return made;
}

async function carryOut(command: DiskCommand): Promise<void> {
  if (command.type === "faults") {
    files.faults = command.faults;
    return;
  }
  files.faults = {};
  // With the mount goes what the kernel has in memory. Whoever has files open still reads them no more.
  if (!(await unmount(mountPoint, "plain"))) {
    await unmount(mountPoint, "lazy");
    connection.close();
  }
  await connection.ended;
  await files.losePower();
  connection = await mounted();
}

process.stdout.write("mounted\n");
for await (const line of createInterface({ input: process.stdin })) {
  const answer = await carryOut(JSON.parse(line)).then(
    () => "done",
    (error: Error) => error.message.split("\n")[0],
  );
  process.stdout.write(`${answer}\n`);
}
files.faults = {};
await unmount(mountPoint, "lazy");
process.exit(0);
