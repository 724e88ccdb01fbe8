import { failureOf, fromUtf8, storageError } from "../base/index.js";
import type { Disk } from "../io/index.js";

/** `room.row.rack` of this host; `0.0.0` unless etc/pstorage/location says otherwise. */
export async function hostLocation(disk: Disk, root: string): Promise<string> {
  const path = `${withoutSlash(root)}/etc/pstorage/location`;
  const text = ((await readIfThere(disk, path)) ?? "0.0.0").trim();
  if (/^\d{1,5}(\.\d{1,5}){2}$/.test(text)) return text;
  throw storageError("invalid", `${path} must hold three numbers: ROOM.ROW.RACK`);
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
