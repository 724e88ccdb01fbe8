import { type HostCredential, loadCredential } from "../../auth/index.js";
import { failureOf, storageError } from "../../base/index.js";
import type { Host } from "../host.js";

/** The credential `auth-node` left on this host. Throws `unauthenticated` if it was never run. */
export async function ownCredential({ files, world }: Host, clusterName: string): Promise<HostCredential> {
  try {
    return await loadCredential(world.disk, files.root, clusterName);
  } catch (error) {
    if (failureOf(error)?.code !== "not_found") throw error;
    throw storageError(
      "unauthenticated",
      `this host is no member of "${clusterName}"; run pstorage -c ${clusterName} auth-node`,
    );
  }
}
