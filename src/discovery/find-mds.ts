import { failureOf, fromUtf8, storageError } from "../base/index.js";
import type { Disk } from "../io/index.js";
import { type Dns, machineDns, mdsInDns } from "./dns.js";
import { parseMdsNames } from "./mds-address.js";
import { browseMds } from "./multicast.js";

/** How to find a cluster's metadata servers. */
export interface FindOptions {
  readonly cluster: string;
  /** `PSTORAGE_ROOT`. */
  readonly root: string;
  /** What `-b` says: `HOST[:PORT]`, separated by commas or newlines. Nobody else is asked then. */
  readonly bootstrap?: string | undefined;
}

/** Where metadata servers are looked for when no list names any. */
export interface Search {
  dns(clusterName: string): Promise<readonly string[]>;
  multicast(clusterName: string): Promise<readonly string[]>;
}

/** The second is a misspelling of the original's tools that is out in the world. */
const LIST_NAMES = ["bs.list", "bs_list"];
const MULTICAST_MS = 1500;

/**
 * Metadata servers of the cluster, `HOST:PORT` with the lower port: those given, else those of
 * `etc/pstorage/clusters/NAME/bs.list`, else those of DNS, else those that answer on the local network. Who they really are
 * is proven by their certificates. Fails with `not_found` if there are none.
 */
export async function findMds(disk: Disk, options: FindOptions, search: Search): Promise<string[]> {
  const { cluster, root, bootstrap } = options;
  if (!/^[A-Za-z0-9_-]{1,63}$/.test(cluster)) {
    throw storageError("invalid", "a cluster name is 1 to 63 of the characters a-z A-Z 0-9 - _");
  }
  const given = parseMdsNames(bootstrap ?? "");
  if (given.length > 0) return given;
  const folder = `${root.replace(/\/+$/, "")}/etc/pstorage/clusters/${cluster}`;
  const listed = await Promise.all(LIST_NAMES.map((name) => readList(disk, `${folder}/${name}`)));
  if (listed.flat().length > 0) return [...new Set(listed.flat())];
  const inDns = await search.dns(cluster);
  if (inDns.length > 0) return [...inDns];
  const near = await search.multicast(cluster);
  if (near.length > 0) return [...near];
  throw storageError(
    "not_found",
    `no MDS of cluster "${cluster}" is known: give one with -b IP, or write it to ${folder}/bs.list`,
  );
}

async function readList(disk: Disk, path: string): Promise<string[]> {
  try {
    return parseMdsNames(fromUtf8(await disk.readFile(path, "discovery.list.read")));
  } catch (error) {
    if (failureOf(error)?.code === "not_found") return [];
    throw error;
  }
}

/**
 * DNS and the local network, as far as `ways` (`PSTORAGE_DISCOVERY`: `dns`, `mdns`, both separated by a comma, or `none`; both
 * by default) has them.
 */
export function machineSearch(ways = "dns,mdns", dns: Dns = machineDns()): Search {
  const wanted = ways.split(",").map((way) => way.trim());
  return {
    dns: async (clusterName) => (wanted.includes("dns") ? await mdsInDns(dns, clusterName) : []),
    multicast: async (clusterName) => {
      if (!wanted.includes("mdns")) return [];
      return (await browseMds(clusterName, MULTICAST_MS)).map(({ address }) => address);
    },
  };
}
