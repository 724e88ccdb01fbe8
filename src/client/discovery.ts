import { failureOf, fromUtf8, storageError } from "../base/index.js";
import type { Disk } from "../io/index.js";
import { parseBootstrapList } from "./core/bootstrap-list.js";

/** How to find a cluster's metadata servers. */
export interface DiscoveryOptions {
  readonly cluster: string;
  /** `PSTORAGE_ROOT`. */
  readonly root: string;
  /** What `-b` says: `IP[:PORT]`, separated by commas or newlines. Comes before the lists on disk. */
  readonly bootstrap?: string | undefined;
}

/** The second is a misspelling of the original's tools that is out in the world. */
const LIST_NAMES = ["bs.list", "bs_list"];

/**
 * Client addresses of the cluster's metadata servers: those given, else those of `etc/pstorage/clusters/NAME/bs.list`.
 * Fails with `not_found` if nothing names any.
 */
export async function discoverMds(disk: Disk, options: DiscoveryOptions): Promise<string[]> {
  const { cluster, bootstrap } = options;
  if (!/^[A-Za-z0-9_-]{1,63}$/.test(cluster)) {
    throw storageError("invalid", "a cluster name is 1 to 63 of the characters a-z A-Z 0-9 - _");
  }
  if (bootstrap !== undefined) {
    const given = parseBootstrapList(bootstrap);
    if (given.length > 0) return given;
  }
  const folder = `${options.root.replace(/\/+$/, "")}/etc/pstorage/clusters/${cluster}`;
  for (const name of LIST_NAMES) {
    const found = await readList(disk, `${folder}/${name}`);
    if (found.length > 0) return found;
  }
  throw storageError(
    "not_found",
    `no MDS of cluster ${cluster} is known: give -b, or write ${folder}/bs.list`,
  );
}

async function readList(disk: Disk, path: string): Promise<string[]> {
  try {
    return parseBootstrapList(fromUtf8(await disk.readFile(path, "client.bs-list.read")));
  } catch (error) {
    if (failureOf(error)?.code === "not_found") return [];
    throw error;
  }
}
