import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { storageError } from "../../base/index.js";
import {
  isDeadMount,
  MOUNT_TYPES,
  type MountConfig,
  type MountOptions,
  mountAt,
  mountTable,
  parseMegabytes,
  parseMode,
  parseMountOptions,
  unmount,
} from "../../mount/index.js";
import type { Host } from "../host.js";
import { checkedClusterName } from "../host-files.js";
import { ownCredential } from "../setup/own-credential.js";
import { findGroup, findUser } from "./accounts.js";

/** What a command line or a line of fstab asks for. */
export interface MountWish {
  readonly clusterName: string;
  /** The mount point as it was written. */
  readonly directory: string;
  /** `pstorage` or `vstorage`: what /proc/mounts says. */
  readonly brand: "pstorage" | "vstorage";
  readonly options: readonly string[];
  readonly bootstrap?: string | undefined;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  readonly mode?: string | undefined;
  readonly log?: string | undefined;
  readonly cacheFile?: string | undefined;
  readonly cacheMegabytes?: string | undefined;
  readonly isVerbose: boolean;
  /** Nobody waits for a daemon: its log goes to standard error unless a file was named. */
  readonly isForeground: boolean;
}

/**
 * Checks all that can be checked before anything is started, and frees the mount point of a mount whose daemon is gone.
 * Throws what is wrong in one line.
 */
export async function planMount(host: Host, wish: MountWish): Promise<MountConfig> {
  const clusterName = checkedClusterName(wish.clusterName);
  const options = parseMountOptions(wish.options);
  const [user, group] = [wish.user ?? options.user, wish.group ?? options.group];
  const mode = wish.mode ?? options.mode;
  const cacheFile = wish.cacheFile ?? options.cacheFile;
  const cacheMegabytes = parseMegabytes(wish.cacheMegabytes) ?? options.cacheMegabytes;
  if (cacheFile === undefined && cacheMegabytes !== undefined) {
    throw storageError("invalid", "a size of the read cache without a file for it: give -C FILE too");
  }
  await ownCredential(host, clusterName);
  const directory = await freeMountPoint(wish.directory);
  return {
    clusterName,
    root: resolve(host.files.root),
    bootstrap: wish.bootstrap,
    directory,
    type: `fuse.${wish.brand}`,
    source: options.sourceName ?? `${wish.brand}://${clusterName}`,
    kernelOptions: options.kernel,
    isReadOnly: options.isReadOnly,
    noatime: options.noatime,
    hasAcls: options.hasAcls,
    answersEarly: !options.isSynchronous,
    uid: user === undefined ? undefined : await findUser(user),
    gid: group === undefined ? undefined : await findGroup(group),
    mode: mode === undefined ? undefined : parseMode(mode),
    cacheFile: cacheFile === undefined ? undefined : resolve(cacheFile),
    cacheMegabytes,
    metrics: options.metrics,
    log: logFile(host, clusterName, wish, options),
    logLevel: wish.isVerbose ? "debug" : "info",
  };
}

/** The mount point, absolute and without symbolic links; a dead mount there is taken away, a living one refused. */
async function freeMountPoint(text: string): Promise<string> {
  const written = resolve(text);
  if (await isDeadMount(written)) await clearDeadMount(written);
  let directory: string;
  try {
    directory = await realpath(written);
    if (!(await stat(directory)).isDirectory())
      throw storageError("not_directory", `${text} is not a directory; choose one`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT")
      throw storageError("not_found", `${text} does not exist; make it with mkdir`, error);
    if (code === "ENOTDIR")
      throw storageError("not_directory", `${text} is not a directory; choose one`, error);
    if (code === "EACCES")
      throw storageError("access_denied", `${text} may not be looked at; do it as root`, error);
    throw error;
  }
  const present = mountAt(await mountTable(), directory);
  if (present !== undefined && MOUNT_TYPES.includes(present.type)) {
    throw storageError(
      "exists",
      `${present.source} is mounted on ${text} already; umount ${text} takes it away`,
    );
  }
  return directory;
}

/** Whoever still has files open there has lost them long ago. */
async function clearDeadMount(written: string): Promise<void> {
  const directory = join(await realpath(dirname(written)), basename(written));
  const present = mountAt(await mountTable(), directory);
  if (present === undefined || !MOUNT_TYPES.includes(present.type)) {
    throw storageError(
      "busy",
      `${directory} is the mount point of something that does not answer; unmount it first`,
    );
  }
  if (!(await unmount(directory, "lazy"))) {
    throw storageError(
      "busy",
      `${directory} is a dead mount that cannot be unmounted; umount -l ${directory}`,
    );
  }
}

function logFile(host: Host, clusterName: string, wish: MountWish, options: MountOptions): string {
  const named = wish.log ?? options.log;
  if (named !== undefined) return resolve(named);
  if (wish.isForeground) return "stderr";
  return host.files.path("var/log/pstorage", clusterName, "pstorage-mount.log.gz");
}
