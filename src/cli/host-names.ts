import { Resolver } from "node:dns/promises";
import { readText } from "./host-files.js";

/** Nobody waits longer for names. */
const WAIT_MS = 300;

/** Names for the IP addresses of a cluster: from /etc/hosts, else from the DNS if it answers at once. Asks once for each. */
export class HostNames {
  readonly #names = new Map<string, string>();
  readonly #asked = new Set<string>();
  readonly #resolver = new Resolver({ timeout: WAIT_MS, tries: 1 });
  #isRead = false;

  /** Learns the names of addresses `IP:PORT`; what cannot be found is shown as it is. */
  async learn(addresses: readonly string[]): Promise<void> {
    if (!this.#isRead) {
      this.#isRead = true;
      for (const [ip, name] of hostsIn((await readText("/etc/hosts")) ?? "")) this.#names.set(ip, name);
    }
    const ips = [...new Set(addresses.map((address) => splitAddress(address).ip))];
    const missing = ips.filter((ip) => ip !== "" && !this.#names.has(ip) && !this.#asked.has(ip));
    await Promise.all(missing.map((ip) => this.#ask(ip)));
  }

  /** `NAME:PORT`, or the address itself. */
  show(address: string): string {
    const { ip, port } = splitAddress(address);
    const name = this.#names.get(ip);
    return name === undefined ? address : `${name}${port}`;
  }

  async #ask(ip: string): Promise<void> {
    this.#asked.add(ip);
    const late = setTimeout(() => this.#resolver.cancel(), WAIT_MS);
    try {
      const [name] = await this.#resolver.reverse(ip);
      if (name !== undefined) this.#names.set(ip, name);
    } catch {
      // Without a name the number is shown.
    } finally {
      clearTimeout(late);
    }
  }
}

/** The first name of each address of a hosts file. */
export function hostsIn(text: string): Map<string, string> {
  const names = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [ip, name] = line.replace(/#.*$/, "").trim().split(/\s+/);
    if (ip !== undefined && name !== undefined && !names.has(ip)) names.set(ip, name);
  }
  return names;
}

function splitAddress(address: string): { readonly ip: string; readonly port: string } {
  const [, bracketed, plain, port = ""] = /^(?:\[([^\]]+)\]|([^:]+))(:\d+)?$/.exec(address) ?? [];
  return { ip: bracketed ?? plain ?? "", port };
}
