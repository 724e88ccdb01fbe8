import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MountLab, mountObstacle } from "./harness.js";
import { type Place, Stage } from "./stage.js";

export interface OpenStage {
  readonly stage: Stage;
  close(): Promise<void>;
}

/** The reference and, where it can be, the mount of a small cluster. */
export async function posixStage(): Promise<OpenStage> {
  const reference = await makeReference();
  const mounted = await makeMount();
  const places: Place[] = [];
  if (reference !== undefined) places.push({ name: "reference", path: reference.path });
  if (mounted !== undefined) places.push({ name: "mount", path: mounted.path });
  const stage = new Stage(places);
  return {
    stage,
    close: async () => {
      await stage.close();
      await mounted?.close();
      await reference?.close();
    },
  };
}

/** `PSTORAGE_TEST_MOUNT` names a mount that is there; `none` leaves the reference alone. */
async function makeMount(): Promise<Reference | undefined> {
  const given = process.env["PSTORAGE_TEST_MOUNT"];
  if (given === "none" || (given === undefined && mountObstacle() !== undefined)) return undefined;
  const lab = given === undefined ? await MountLab.start() : undefined;
  const path = await mkdtemp(join(given ?? lab?.path() ?? "", "posix-"));
  await chmod(path, 0o755);
  return {
    path,
    close: async () => {
      await rm(path, { recursive: true, force: true });
      await lab?.close();
    },
  };
}

interface Reference {
  readonly path: string;
  close(): Promise<void>;
}

/** A directory of ext4: of the temporary directory's file system, or of an image. */
async function makeReference(): Promise<Reference | undefined> {
  const directory = await mkdtemp(join(tmpdir(), "pstorage-ext4-"));
  await chmod(directory, 0o755);
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  const { stdout } = spawnSync("stat", ["-f", "-c", "%T", directory], { encoding: "utf8" });
  if (/^ext/.test(stdout)) return { path: directory, close: remove };
  const image = `${directory}.img`;
  const commands = [
    ["truncate", "-s", "256M", image],
    ["mkfs.ext4", "-q", image],
    ["mount", "-o", "loop", image, directory],
  ] as const;
  for (const [program, ...args] of commands) {
    const { status, error } = spawnSync(program, args, { encoding: "utf8" });
    if (status === 0) continue;
    console.warn(`no ext4 as a reference: ${program} failed (${error?.message ?? status})`);
    await remove();
    await rm(image, { force: true });
    return undefined;
  }
  return {
    path: directory,
    close: async () => {
      spawnSync("umount", ["-l", directory]);
      await remove();
      await rm(image, { force: true });
    },
  };
}
