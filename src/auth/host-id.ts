import { failureOf, fromUtf8, storageError, toHex, toUtf8 } from "../base/index.js";
import type { Disk, Random } from "../io/index.js";
import { isHostId } from "./enrollment-messages.js";

/**
 * The id of this host, 16 hex digits in `etc/pstorage/host_id` under `PSTORAGE_ROOT`; made on first use. It is no
 * secret. It names the host in certificates and is its failure domain, so images that are cloned must not contain it.
 */
export async function ensureHostId(disk: Disk, root: string, random: Random): Promise<string> {
  const directory = `${root.replace(/\/+$/, "")}/etc/pstorage`;
  const path = `${directory}/host_id`;
  const existing = await readHostId(disk, path);
  if (existing !== undefined) return existing;
  await disk.makeDirectory(directory, "auth.host-id.mkdir");
  await disk.replaceFile(path, toUtf8(`${toHex(random.bytes(8))}\n`), "auth.host-id.write", 0o644);
  // Read back: if two commands did this at the same time, the file decides.
  const written = await readHostId(disk, path);
  if (written === undefined) throw storageError("io_error", `${path} vanished`);
  return written;
}

async function readHostId(disk: Disk, path: string): Promise<string | undefined> {
  try {
    return parseHostId(await disk.readFile(path, "auth.host-id.read"), path);
  } catch (error) {
    if (failureOf(error)?.code === "not_found") return undefined;
    throw error;
  }
}

function parseHostId(bytes: Uint8Array, path: string): string {
  const text = bytes.length > 64 ? "" : fromUtf8(bytes).trim().toLowerCase();
  if (!isHostId(text))
    throw storageError("malformed", `${path} must hold 16 hex digits; remove it to get a new id`);
  return text;
}
