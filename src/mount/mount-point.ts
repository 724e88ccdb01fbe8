import { spawn } from "node:child_process";
import { readFile, stat, writeFile } from "node:fs/promises";
import { storageError } from "../base/index.js";
import { deviceAt, type MountedEntry, parseMountTable } from "./mount-table.js";

/** How mount(8) and umount(8) are called. Inheritable descriptors are numbered from 3. */
interface CommandResult {
  readonly status: number;
  readonly errors: string;
}

export interface MountRequest {
  /** What /proc/mounts shows as the device. */
  readonly source: string;
  readonly type: string;
  /** Absolute and canonical. */
  readonly directory: string;
  /** Options of mount(8) and of the kernel's FUSE, without the descriptor. */
  readonly options: readonly string[];
  /** Of the open /dev/fuse. */
  readonly fd: number;
}

/** Mounts. Throws `not_permitted` for an ordinary user, `invalid` with what mount(8) said. */
export async function mountFuse({ source, type, directory, options, fd }: MountRequest): Promise<void> {
  const all = [...options, "fd=3", "rootmode=40000", "user_id=0", "group_id=0"].join(",");
  // -i: not through mount.fuse.pstorage, which would call us.
  await callMount(["-i", "-t", type, "-o", all, "--", source, directory], fd);
}

/** Sets flags of a mount that is there. Throws as `mountFuse` does. */
export async function remount(directory: string, flags: readonly string[]): Promise<void> {
  await callMount(["-i", "-o", ["remount", ...flags].join(","), "--", directory], undefined);
}

async function callMount(args: readonly string[], fd: number | undefined): Promise<void> {
  const { status, errors } = await run("mount", args, fd);
  if (status === 0) return;
  if (/must be superuser|only root|permission denied|not permitted/i.test(errors)) {
    throw storageError("not_permitted", `only root may mount here (${errors})`);
  }
  throw storageError("invalid", errors === "" ? `mount(8) failed with status ${status}` : errors);
}

/** False, and nothing has changed, if it is in use. A lazy one takes it out of sight at once. */
export async function unmount(directory: string, mode: "plain" | "lazy"): Promise<boolean> {
  const args = mode === "lazy" ? ["-i", "-l", "--", directory] : ["-i", "--", directory];
  const { status, errors } = await run("umount", args, undefined);
  return status === 0 || /not mounted|no mount point/i.test(errors);
}

/**
 * Lets the kernel read ahead further than the 128 KiB that it offers every FUSE file system; more cannot be asked for by
 * the protocol. False where this may not be set.
 */
export async function setReadahead(directory: string, readaheadBytes: number): Promise<boolean> {
  const device = deviceAt(await readFile("/proc/self/mountinfo", "utf8"), directory);
  if (device === undefined) return false;
  try {
    await writeFile(`/sys/class/bdi/${device}/read_ahead_kb`, `${readaheadBytes / 1024}\n`);
    return true;
  } catch {
    // Containers have /sys read-only.
    return false;
  }
}

/** Everything that is mounted, as this process sees it. */
export async function mountTable(): Promise<MountedEntry[]> {
  return parseMountTable(await readFile("/proc/self/mounts", "utf8"));
}

/** Whether a mount at that directory is one whose daemon is gone ("Transport endpoint is not connected"). */
export async function isDeadMount(directory: string): Promise<boolean> {
  try {
    await stat(directory);
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOTCONN" || code === "ECONNABORTED";
  }
}

function run(program: string, args: readonly string[], fd: number | undefined): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: "/",
      env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin", LC_ALL: "C" },
      stdio: ["ignore", "ignore", "pipe", ...(fd === undefined ? [] : [fd])],
    });
    let errors = "";
    child.stderr?.on("data", (bytes: Buffer) => {
      errors += bytes.toString();
    });
    child.on("error", (error) => {
      reject(storageError("unsupported", `${program}(8) cannot be run: ${error.message}`, error));
    });
    child.on("close", (status) => {
      resolve({ status: status ?? 1, errors: errors.trim().replace(/\s*\n\s*/g, "; ") });
    });
  });
}
