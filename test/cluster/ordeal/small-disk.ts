import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file system of its own on a loop device, mounted where somebody wants it. `remove` must be called. */
export class SmallDisk {
  readonly mountPoint: string;
  readonly #folder: string;

  /** An ext4 of about so many MiB, without `lost+found`. */
  constructor(mountPoint: string, mebibytes: number) {
    this.mountPoint = mountPoint;
    this.#folder = mkdtempSync(join(tmpdir(), "pstorage-disk-"));
    const image = join(this.#folder, "disk");
    writeFileSync(image, "");
    truncateSync(image, mebibytes * 2 ** 20);
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", image);
    mkdirSync(mountPoint, { recursive: true });
    run("mount", "-o", "loop", image, mountPoint);
    rmdirSync(join(mountPoint, "lost+found"));
  }

  /** Also while somebody uses it. */
  remove(): void {
    run("umount", "-l", this.mountPoint);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Why there can be no small disks here; undefined if there can. */
export function whyNoSmallDisks(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "pstorage-mount-"));
  try {
    new SmallDisk(join(folder, "mnt"), 8).remove();
    return undefined;
  } catch (error) {
    return `no file system can be mounted on a loop device: ${String(error).split("\n")[0]}`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(program: string, ...args: string[]): void {
  const path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
  execFileSync(program, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, PATH: path } });
}
