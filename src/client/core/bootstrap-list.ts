import { storageError } from "../../base/index.js";

/** Where an MDS listens for its peers unless told otherwise; clients use the port after it. */
export const MDS_PORT_DEFAULT = 2510;

/**
 * The metadata servers named in a `bs.list` or after `-b`: one `IP[:PORT]` a line (or separated by commas), comments
 * after `#`. Throws `invalid` for what is no address.
 *
 * Returns the addresses clients connect to: the port after the one named.
 */
export function parseBootstrapList(text: string): string[] {
  const addresses: string[] = [];
  for (const line of text.split(/[\n,]/)) {
    const entry = line.replace(/#.*$/, "").trim();
    if (entry !== "") addresses.push(clientAddress(entry));
  }
  return [...new Set(addresses)];
}

function clientAddress(entry: string): string {
  const found = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?$/.exec(entry);
  const host = found?.[1];
  const port = found?.[2] === undefined ? MDS_PORT_DEFAULT : Number(found[2]);
  if (host === undefined || port < 1 || port > 65534) {
    throw storageError("invalid", `"${entry.slice(0, 80)}" is not an address of an MDS (IP[:PORT])`);
  }
  return `${host}:${port + 1}`;
}
