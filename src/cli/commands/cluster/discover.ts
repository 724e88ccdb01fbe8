import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import { browseMds, clustersInDns, machineDns, mdsInDns } from "../../../discovery/index.js";
import type { Invocation } from "../../invocation.js";
import { formatTable } from "../../output.js";

/** Metadata servers of one cluster, as one way of looking told them. */
interface Discovered {
  readonly cluster: string;
  /** `bs.list`, `DNS`, `mDNS`. */
  readonly foundBy: string;
  /** `HOST:PORT` with the lower port. */
  readonly mds: readonly string[];
}

interface DiscoverFlags {
  readonly timeout: string;
  readonly json?: boolean;
}

/** `discover`: which clusters there are, and who tells. */
export function defineDiscover(program: Command, invocation: Invocation): void {
  program
    .command("discover")
    .description(
      "list the clusters that this host can find: in its lists, in DNS and on the local network; with -c that one only, exit status 1 if nobody tells of it",
    )
    .option("-t, --timeout <seconds>", "how long to listen on the local network", "2")
    .option("--json", "print JSON")
    .action(async ({ timeout, json }: DiscoverFlags) => {
      const waitMs = Number(timeout) * 1000;
      if (!(waitMs >= 0 && waitMs <= 60_000)) {
        throw storageError("invalid", `--timeout ${timeout}: give seconds, 0 to 60`);
      }
      const wanted = invocation.givenClusterName;
      const ways = await Promise.all([inLists(invocation, wanted), inDns(wanted), onNetwork(wanted, waitMs)]);
      const found = ways.flat().sort((a, b) => a.cluster.localeCompare(b.cluster));
      if (json === true) invocation.printJson(found);
      else if (found.length > 0) {
        const columns = [{ title: "CLUSTER" }, { title: "FOUND BY" }, { title: "MDS" }];
        const rows = found.map(({ cluster, foundBy, mds }) => [cluster, foundBy, mds.join(", ")]);
        invocation.printLines(formatTable(columns, rows));
      }
      if (found.length > 0) return;
      const what = wanted === undefined ? "no cluster" : `nothing of cluster "${wanted}"`;
      invocation.complain(`${what} found in lists, DNS or on the local network; is an MDS running there?`);
    });
}

async function inLists({ host }: Invocation, wanted: string | undefined): Promise<Discovered[]> {
  const names = wanted === undefined ? await host.files.clusterNames() : [wanted];
  const found: Discovered[] = [];
  for (const cluster of names) {
    const mds = await host.files.bootstrapAddresses(cluster);
    if (mds.length > 0) found.push({ cluster, foundBy: "bs.list", mds });
  }
  return found;
}

async function inDns(wanted: string | undefined): Promise<Discovered[]> {
  const dns = machineDns();
  const names = wanted === undefined ? await clustersInDns(dns) : [wanted];
  const found: Discovered[] = [];
  for (const cluster of names) {
    const mds = await mdsInDns(dns, cluster);
    if (mds.length > 0 || wanted === undefined) found.push({ cluster, foundBy: "DNS", mds });
  }
  return found;
}

async function onNetwork(wanted: string | undefined, waitMs: number): Promise<Discovered[]> {
  const byCluster = new Map<string, string[]>();
  for (const { clusterName, address } of await browseMds(wanted, waitMs)) {
    byCluster.set(clusterName, [...(byCluster.get(clusterName) ?? []), address]);
  }
  return [...byCluster].map(([cluster, mds]) => ({ cluster, foundBy: "mDNS", mds }));
}
