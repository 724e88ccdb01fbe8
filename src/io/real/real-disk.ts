import { constants, readFileSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rmdir, statfs, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import type { Clock } from "../clock.js";
import type { Disk, DiskFile, DiskSpace } from "../disk.js";
import type { Kv } from "../kv.js";
import { errnoOf, storageErrorOf } from "./errno.js";
import { type CallWatch, Promptness } from "./promptness.js";
import { type DiskCalls, RealDiskFile } from "./real-disk-file.js";
import { RealKv } from "./real-kv.js";
import { ThreadTimes } from "./thread-times.js";

const BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id";

const FLAGS = {
  read: constants.O_RDONLY,
  "read-write": constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT,
} as const;

/** The file systems of this machine. Operation labels are for the simulator and change nothing here. */
export class RealDisk implements Disk {
  readonly #clock: Clock;
  readonly #shared: DiskCalls;
  readonly #bootId = readFileSync(BOOT_ID_PATH, "utf8").trim();
  /** Path -> the last replacement asked for, so that two of them never share the temporary file. */
  readonly #replacing = new Map<string, Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
    const nowMs = (): number => clock.monotonicMs();
    this.#shared = {
      reads: new Promptness(nowMs, diskReads()),
      writes: new Promptness(nowMs, new ThreadTimes()),
      heavyCount: 0,
    };
  }

  open(path: string, mode: "read" | "read-write" | "create", _label: string): Promise<DiskFile> {
    return mapped(`open ${path}`, async () => {
      const handle = await open(path, FLAGS[mode], 0o644);
      return new RealDiskFile(handle, path, mode !== "read", this.#shared);
    });
  }

  readFile(path: string, _label: string): Promise<Uint8Array> {
    return mapped(`read ${path}`, () => readFile(path));
  }

  replaceFile(path: string, bytes: Uint8Array, _label: string, mode = 0o644): Promise<void> {
    const earlier = this.#replacing.get(path) ?? Promise.resolve();
    // A failed replacement is its own caller's affair; the next one starts from scratch.
    const replaced = earlier.catch(() => undefined).then(() => replaceFile(path, bytes, mode));
    this.#replacing.set(path, replaced);
    const forget = (): void => {
      if (this.#replacing.get(path) === replaced) this.#replacing.delete(path);
    };
    replaced.then(forget, forget);
    return replaced;
  }

  makeDirectory(path: string, _label: string, mode = 0o777): Promise<void> {
    return mapped(`mkdir ${path}`, async () => {
      const topmost = await mkdir(path, { recursive: true, mode });
      if (topmost === undefined) return;
      for (let made = path; ; made = dirname(made)) {
        await syncDirectory(dirname(made));
        if (made === topmost || made === dirname(made)) return;
      }
    });
  }

  list(path: string, _label: string): Promise<string[]> {
    return mapped(`list ${path}`, async () => (await readdir(path)).sort());
  }

  remove(path: string, _label: string): Promise<void> {
    return mapped(`remove ${path}`, async () => {
      try {
        await unlink(path);
      } catch (error) {
        if (errnoOf(error) === "ENOENT") return;
        if (errnoOf(error) !== "EISDIR") throw error;
        await rmdir(path);
      }
    });
  }

  rename(from: string, to: string, _label: string): Promise<void> {
    return mapped(`rename ${from} to ${to}`, () => rename(from, to));
  }

  syncDirectory(path: string, _label: string): Promise<void> {
    return mapped(`sync ${path}`, () => syncDirectory(path));
  }

  space(path: string, _label: string): Promise<DiskSpace> {
    return mapped(`statfs ${path}`, async () => {
      const { blocks, bavail, bsize } = await statfs(path);
      // Network file systems claim to have what nobody can count.
      const bytes = (count: number): number => Math.min(Number.MAX_SAFE_INTEGER, count * bsize);
      return { totalBytes: bytes(blocks), freeBytes: bytes(bavail) };
    });
  }

  async openKv(path: string, label: string): Promise<Kv> {
    await this.makeDirectory(path, label);
    return await mapped(`open store ${path}`, () => RealKv.open(path, this.#clock));
  }

  bootId(): string {
    return this.#bootId;
  }
}

/** Blames the disk if this process had anything read from one since it was asked last: costs nothing where calls are prompt. */
function diskReads(): CallWatch {
  let known = 0;
  return {
    begin: () => undefined,
    blockedMs: (tookMs) => {
      const { fsRead } = process.resourceUsage();
      const isMore = fsRead > known;
      known = fsRead;
      return isMore ? tookMs : 0;
    },
  };
}

async function mapped<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw storageErrorOf(error, what);
  }
}

/** The order is what makes it atomic: content durable before the name points to it. */
function replaceFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const temporary = `${path}.tmp`;
  return mapped(`replace ${path}`, async () => {
    const handle = await open(temporary, "w", mode);
    try {
      // The file may be left from a crash, or the umask may have narrowed the mode.
      await handle.chmod(mode);
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  });
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
