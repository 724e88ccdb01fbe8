import { storageError } from "../../base/index.js";
import type { Admin } from "../../client/index.js";
import { createMdsRepository, refuseExisting } from "../../mds/repository.js";
import { directoryExists, type Host, removeRepository, requireFreePorts } from "../host.js";
import { Undo } from "../undo.js";
import { ownCredential } from "./own-credential.js";

/** What `make-mds` is told about a second or later MDS. */
export interface NewMds {
  readonly clusterName: string;
  /** `IP:PORT`, the lower port. */
  readonly address: string;
  /** Absolute. */
  readonly directory: string;
}

/** Takes this host's new MDS into the cluster, and makes its repository. It joins when it is started. */
export async function joinMds(host: Host, mds: NewMds, admin: Admin): Promise<{ readonly mdsId: number }> {
  const { files, world } = host;
  const { clusterName, address, directory } = mds;
  const existedBefore = await directoryExists(host, directory);
  await refuseExisting(world.disk, directory);
  await requireFreePorts(address);
  await refuseKnownAddress(address, admin);
  const { clusterId, hostId } = await ownCredential(host, clusterName);
  return await Undo.around(async (undo) => {
    const { mdsId, members, epoch } = await admin.addMds({ address, hostId });
    undo.add(async () => void (await admin.removeMds({ mdsId })));
    undo.add(() => removeRepository(directory, existedBefore, ["identity.json", "logs"]));
    await createMdsRepository(world.disk, directory, {
      formatVersion: 1,
      clusterId,
      clusterName,
      mdsId,
      hostId,
      address,
      isFirst: false,
      epoch,
      peers: members
        .filter((member) => member.mdsId !== mdsId)
        .map(({ mdsId: id, address: at }) => ({ mdsId: id, address: at })),
    });
    undo.add(() => files.removeService("mds", directory));
    await files.addService({ kind: "mds", clusterName, directory });
    // Any server that answers is enough to find the cluster: the more this host knows, the better.
    for (const member of members) await files.addBootstrapAddress(clusterName, member.address);
    await files.addBootstrapAddress(clusterName, address);
    return { mdsId };
  });
}

/**
 * A server that lost its repository must not come back under its old id: it has forgotten what it promised. It is
 * removed first, and gets a new one.
 */
async function refuseKnownAddress(address: string, admin: Admin): Promise<void> {
  const { mdsServers } = await admin.status();
  const known = mdsServers.find((server) => server.address === address);
  if (known === undefined) return;
  throw storageError(
    "exists",
    `MDS#${known.mdsId} of the cluster is at ${address} already; if it is lost, replace it: make-mds --replace ${known.mdsId}`,
  );
}
