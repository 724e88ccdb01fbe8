import { failureOf, fromUtf8, storageError } from "../base/index.js";
import type { Disk } from "../io/index.js";

/** What the daemon finds on its host, under `PSTORAGE_ROOT`, beside its repository. */

/** The lower port of an MDS when bs.list gives none. */
const MDS_PORT = 2510;

/**
 * Addresses where MDSs answer chunk servers, `HOST:PORT`, out of etc/pstorage/clusters/NAME/bs.list, which has
 * `HOST[:PORT]` a line with the lower port of the pair.
 */
export async function mdsAddresses(disk: Disk, root: string, clusterName: string): Promise<string[]> {
  const path = `${withoutSlash(root)}/etc/pstorage/clusters/${clusterName}/bs.list`;
  const text = (await readIfThere(disk, path)) ?? "";
  const addresses = text.split("\n").flatMap((line) => {
    const entry = line.replace(/#.*/, "").trim();
    return entry === "" ? [] : [chunkServerAddress(entry)];
  });
  if (addresses.length > 0) return [...new Set(addresses)];
  throw storageError("not_found", `${path} names no MDS: write the address of one into it, IP:PORT`);
}

/** `room.row.rack` of this host; `0.0.0` unless etc/pstorage/location says otherwise. */
export async function hostLocation(disk: Disk, root: string): Promise<string> {
  const path = `${withoutSlash(root)}/etc/pstorage/location`;
  const text = ((await readIfThere(disk, path)) ?? "0.0.0").trim();
  if (/^\d{1,5}(\.\d{1,5}){2}$/.test(text)) return text;
  throw storageError("invalid", `${path} must hold three numbers: ROOM.ROW.RACK`);
}

/** `HOST[:PORT]` with the lower port of an MDS to `HOST:PORT` with the upper one. */
function chunkServerAddress(entry: string): string {
  const [, bracketed, plain, port] = /^(?:(\[[^\]]+\])|([^:]+))(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const host = bracketed ?? plain ?? `[${entry}]`;
  return `${host}:${(port === undefined ? MDS_PORT : Number(port)) + 1}`;
}

async function readIfThere(disk: Disk, path: string): Promise<string | undefined> {
  try {
    return fromUtf8(await disk.readFile(path, "cs.config.read"));
  } catch (error) {
    if (failureOf(error)?.code === "not_found") return undefined;
    throw error;
  }
}

function withoutSlash(root: string): string {
  return root.replace(/\/+$/, "");
}
