import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { storageError } from "../../../base/index.js";
import {
  clusterOfSource,
  MOUNT_TYPES,
  type MountedEntry,
  mountOf,
  mountTable,
} from "../../../mount/index.js";
import type { Invocation } from "../../invocation.js";

/** Something in a cluster that a command is about. */
export interface ClusterPath {
  readonly clusterName: string;
  /** From the root of the cluster. */
  readonly path: string;
}

/**
 * What a PATH of the command line means: with -p, from the root of the cluster; else a path of this machine that lies on
 * a mount, which also tells the cluster.
 */
export async function clusterPath(
  invocation: Invocation,
  path: string,
  isFromRoot: boolean | undefined,
): Promise<ClusterPath> {
  if (isFromRoot === true) return { clusterName: invocation.clusterName, path };
  const { mount, rest } = await onMount(path);
  const mounted = clusterOfSource(mount.source);
  const named = invocation.givenClusterName;
  if (mounted !== undefined && named !== undefined && named !== mounted) {
    throw storageError(
      "invalid",
      `${path} lies on a mount of "${mounted}", not of "${named}"; leave -c away`,
    );
  }
  return { clusterName: mounted ?? invocation.clusterName, path: rest };
}

interface PathOnMount {
  readonly mount: MountedEntry;
  /** Begins with a slash. */
  readonly rest: string;
}

/** Looks at the path as it is written first: a mount that hangs must not hold up `revoke`. */
async function onMount(path: string): Promise<PathOnMount> {
  const mounts = await mountTable();
  const written = resolve(path);
  const found = pathOn(mounts, written) ?? pathOn(mounts, await withoutLinks(written));
  if (found !== undefined) return found;
  throw storageError(
    "invalid",
    `${path} is not on a mount of a cluster; use -p with a path from the root of the cluster`,
  );
}

function pathOn(mounts: readonly MountedEntry[], path: string): PathOnMount | undefined {
  const mount = mountOf(mounts, path);
  if (mount === undefined || !MOUNT_TYPES.includes(mount.type)) return undefined;
  const rest = path.slice(mount.directory.length);
  return { mount, rest: rest === "" ? "/" : rest };
}

/** The last name stays: the commands are about a link itself. */
async function withoutLinks(path: string): Promise<string> {
  try {
    return join(await realpath(dirname(path)), basename(path));
  } catch {
    // It is not there: then it is not on a mount either, which is what will be said.
    return path;
  }
}
