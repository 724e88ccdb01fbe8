import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { Host } from "../host.js";
import { type Finding, fail, ok, warn } from "./finding.js";

/** Addresses of a host by its name; none if nobody knows it. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** As programs of this machine find hosts: /etc/hosts, then DNS. */
const machineLookup: Lookup = async (name) =>
  (await lookup(name, { all: true }).catch(() => [])).map(({ address }) => address);

/** Whether the names by which this host finds metadata servers lead to addresses: those in bs.list, and those of SRV records. */
export async function nameFindings(
  { files, search }: Host,
  clusterName: string,
  find: Lookup = machineLookup,
): Promise<Finding[]> {
  const listed = hostsOf(await files.bootstrapAddresses(clusterName));
  const recorded = hostsOf(await search.dns(clusterName));
  const names = [...new Set([...listed, ...recorded])].filter((name) => isIP(name) === 0);
  const unknown = new Set<string>();
  for (const name of names) if ((await find(name)).length === 0) unknown.add(name);
  const findings: Finding[] = [];
  const lacking = (from: readonly string[]): string[] => from.filter((name) => unknown.has(name)).sort();
  const path = files.bootstrapFile(clusterName);
  for (const name of lacking(listed)) {
    const text = `nobody knows the host ${name} that bs.list names`;
    const remedy = `getent hosts ${name} tells when it is mended: in DNS, in /etc/hosts, or by its IP in ${path}`;
    findings.push(
      listed.every((each) => unknown.has(each)) ? fail("names", text, remedy) : warn("names", text, remedy),
    );
  }
  for (const name of lacking(recorded)) {
    const text = `the SRV records of _pstorage._tcp.${clusterName} name ${name}, which has no address`;
    findings.push(
      warn("names", text, `getent hosts ${name} tells when it is mended, in the zone of the SRV records`),
    );
  }
  if (names.length > 0 && findings.length === 0)
    findings.push(ok("names", `${names.sort().join(", ")}: all known`));
  return findings;
}

/** `HOST:PORT`, an IPv6 address in brackets. */
function hostsOf(addresses: readonly string[]): string[] {
  const hosts = addresses.map((address) =>
    address.slice(0, address.lastIndexOf(":")).replace(/^\[|\]$/g, ""),
  );
  return [...new Set(hosts)];
}
