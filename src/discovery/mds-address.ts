import { storageError } from "../base/index.js";

/** The lower port of an MDS when none is given: other MDSs use it, clients and chunk servers the next one. */
export const MDS_PORT = 2510;

/** An MDS as people name it, `HOST[:PORT]` with the lower port, as `HOST:PORT`. Throws `invalid`. */
export function parseMdsName(text: string): string {
  const entry = text.trim();
  const found = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?$/.exec(entry);
  // An IPv6 address without a port needs no brackets.
  const host = found?.[1] ?? (/^[0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*$/.test(entry) ? `[${entry}]` : "");
  const port = found?.[2] === undefined ? MDS_PORT : Number(found[2]);
  // The next port is used too.
  if (host === "" || port < 1 || port > 65534) {
    throw storageError(
      "invalid",
      `"${entry.slice(0, 80)}" is no address of an MDS: give IP or IP:PORT, for example 10.37.130.1:2510`,
    );
  }
  return `${host}:${port}`;
}

/** What a bs.list or `-b` names, one a line or separated by commas, with comments after `#`; each once. Throws `invalid`. */
export function parseMdsNames(text: string): string[] {
  const lines = text.split("\n").map((line) => line.replace(/#.*$/, ""));
  const entries = lines.flatMap((line) => line.split(",")).map((entry) => entry.trim());
  return [...new Set(entries.filter((entry) => entry !== "").map(parseMdsName))];
}

/** `HOST:PORT` of an MDS to `HOST:PORT+1`, where it answers clients, chunk servers and hosts that enrol. */
export function clientAddressOf(mdsAddress: string): string {
  const colon = mdsAddress.lastIndexOf(":");
  return `${mdsAddress.slice(0, colon)}:${Number(mdsAddress.slice(colon + 1)) + 1}`;
}
