import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { MOUNT_TYPES, mountAt, mountTable, unmount } from "../../mount/index.js";
import { readText, writeText } from "../host-files.js";
import { startMount } from "../mount/mount-daemon.js";
import { planMount } from "../mount/mount-plan.js";
import { isAlive } from "../service-control.js";
import type { Lab } from "./lab.js";

/** How long the mount daemon may take to unmount, and to give back what the cluster keeps for it. */
const GOODBYE_MS = 30_000;

/** Mounts the lab's cluster as host 1 sees it; the directory is made if it is missing. Resolves with its full path. */
export async function mountLab(lab: Lab, directory: string): Promise<string> {
  await unmountLab(lab);
  const path = resolve(directory);
  // A dead mount is there, but cannot be looked at; planMount clears it.
  await mkdir(path, { recursive: true }).catch(() => undefined);
  const config = await planMount(lab.host(1), {
    clusterName: lab.clusterName,
    directory: path,
    brand: "pstorage",
    options: [],
    isVerbose: false,
    isForeground: false,
  });
  const pid = await startMount(config);
  await writeText(recordPath(lab), `${pid} ${config.directory}\n`);
  return config.directory;
}

/** Unmounts what `mountLab` mounted, and waits until its daemon has taken its leave. Resolves with its path, if any. */
export async function unmountLab(lab: Lab): Promise<string | undefined> {
  const [, pid, directory] = /^(\d+) (.+)$/m.exec((await readText(recordPath(lab))) ?? "") ?? [];
  if (pid === undefined || directory === undefined) return undefined;
  if (await isMountDaemon(Number(pid))) process.kill(Number(pid), "SIGTERM");
  const deadline = performance.now() + GOODBYE_MS;
  while (isAlive(Number(pid)) && performance.now() < deadline) await sleep(50);
  const left = mountAt(await mountTable(), directory);
  if (left !== undefined && MOUNT_TYPES.includes(left.type)) await unmount(directory, "lazy");
  await rm(recordPath(lab), { force: true });
  return directory;
}

/** Process ids are used again. */
async function isMountDaemon(pid: number): Promise<boolean> {
  const commandLine = (await readText(`/proc/${pid}/cmdline`).catch(() => undefined)) ?? "";
  return isAlive(pid) && commandLine.includes("pstorage-mountd");
}

/** Process id of the mount daemon, and the mount point. */
const recordPath = (lab: Lab): string => join(lab.directory, "mount");
