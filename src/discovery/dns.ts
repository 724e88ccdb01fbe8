import { Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";

/** What is asked of the domain name system. Each answers with nothing where there is no such record. */
export interface Dns {
  resolveSrv(
    name: string,
  ): Promise<readonly { readonly name: string; readonly port: number; readonly priority: number }[]>;
  /** Strings of each record. */
  resolveTxt(name: string): Promise<readonly (readonly string[])[]>;
  /** Domains to look in, besides the root. */
  searchDomains(): Promise<readonly string[]>;
}

/** Of SRV records, as the original has them (RFC 2782). */
const SERVICE = "_pstorage._tcp";
/** TXT record with the names of clusters, separated by commas. */
const CLUSTERS = "pstorage_clusters";

/** MDSs of the cluster by its SRV records `_pstorage._tcp.CLUSTER`, `HOST:PORT` with the lower port, best priority first. */
export async function mdsInDns(dns: Dns, clusterName: string): Promise<string[]> {
  for (const suffix of await suffixes(dns)) {
    const records = await dns.resolveSrv(`${SERVICE}.${clusterName}${suffix}`);
    const sorted = [...records].sort((a, b) => a.priority - b.priority);
    if (sorted.length > 0) return sorted.map(({ name, port }) => `${name}:${port}`);
  }
  return [];
}

/** Names of clusters by the TXT records `pstorage_clusters`. */
export async function clustersInDns(dns: Dns): Promise<string[]> {
  const names = new Set<string>();
  for (const suffix of await suffixes(dns)) {
    for (const strings of await dns.resolveTxt(`${CLUSTERS}${suffix}`)) {
      for (const name of strings.flatMap((text) => text.split(","))) names.add(name.trim());
    }
  }
  return [...names].filter((name) => name !== "").sort();
}

async function suffixes(dns: Dns): Promise<string[]> {
  return [...(await dns.searchDomains()).map((domain) => `.${domain}`), ""];
}

const TIMEOUT_MS = 2000;
/** What a resolver fails with when there is nothing, or nobody to ask. */
const NOTHING = new Set([
  "ENOTFOUND",
  "ENODATA",
  "ETIMEOUT",
  "ECONNREFUSED",
  "ESERVFAIL",
  "EREFUSED",
  "EBADNAME",
]);

/** The resolver of this machine; `servers`: others, `IP[:PORT]`. */
export function machineDns(servers?: readonly string[]): Dns {
  const resolver = new Resolver({ timeout: TIMEOUT_MS, tries: 1 });
  if (servers !== undefined) resolver.setServers(servers);
  const orNothing = async <T>(answer: Promise<T[]>): Promise<T[]> => {
    try {
      return await answer;
    } catch (error) {
      if (NOTHING.has((error as NodeJS.ErrnoException).code ?? "")) return [];
      throw error;
    }
  };
  return {
    resolveSrv: (name) => orNothing(resolver.resolveSrv(name)),
    resolveTxt: (name) => orNothing(resolver.resolveTxt(name)),
    searchDomains: async () => searchDomains(await readFile("/etc/resolv.conf", "utf8").catch(() => "")),
  };
}

/** Of resolv.conf(5): the last `search` or `domain` line counts. */
export function searchDomains(text: string): string[] {
  let domains: string[] = [];
  for (const line of text.split("\n")) {
    const [, rest] = /^\s*(?:search|domain)\s+(.*)$/.exec(line) ?? [];
    if (rest !== undefined) domains = rest.split(/\s+/).filter((domain) => domain !== "" && domain !== ".");
  }
  return domains;
}
