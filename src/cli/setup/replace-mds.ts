import { failureOf, storageError } from "../../base/index.js";
import type { Admin } from "../../client/index.js";
import { loadMdsIdentity, type MdsIdentity, wipeMdsRepository } from "../../mds/repository.js";
import type { Host } from "../host.js";
import { requireFreePorts } from "../host.js";
import { localServices, retireLocalService } from "../service-control.js";
import { joinMds } from "./join-mds.js";

/** What `make-mds --replace` is told. */
export interface MdsReplacement {
  readonly clusterName: string;
  /** The member that was lost. */
  readonly mdsId: number;
  /** `IP:PORT` of the new one; undefined: where the lost one was. */
  readonly address: string | undefined;
  /** Absolute. May hold what is left of the lost one. */
  readonly directory: string;
}

/**
 * Takes a lost metadata server out of the group and makes a new one in its place. What is left of its repository is removed, but
 * only after the group has let it go, and only if it is no other's. Repeating it after a failure goes on where it ended.
 */
export async function replaceMds(
  host: Host,
  replacement: MdsReplacement,
  admin: Admin,
): Promise<{ readonly mdsId: number; readonly address: string }> {
  const { clusterName, mdsId, directory } = replacement;
  const left = await whatIsLeft(host, replacement);
  await refuseRunning(host, directory);
  const { mdsServers } = await admin.status();
  const member = mdsServers.find((server) => server.mdsId === mdsId);
  const address = replacement.address ?? member?.address ?? left?.address;
  if (address === undefined) {
    throw storageError(
      "not_found",
      `there is no MDS#${mdsId} in the cluster; give the address of the new one with -a`,
    );
  }
  await requireFreePorts(address);
  if (member !== undefined) await admin.removeMds({ mdsId });
  await retireLocalService(host.files, { kind: "mds", clusterName, id: mdsId });
  await wipeMdsRepository(host.world.disk, directory);
  const made = await joinMds(host, { clusterName, address, directory }, admin);
  return { mdsId: made.mdsId, address };
}

/** The identity in the directory, if it can be read. Throws if the directory is somebody else's. */
async function whatIsLeft(
  { world }: Host,
  { clusterName, mdsId, directory }: MdsReplacement,
): Promise<MdsIdentity | undefined> {
  const identity = await loadMdsIdentity(world.disk, directory).catch((error: unknown) => {
    // Lost or damaged: that may be why it is replaced.
    if (failureOf(error) === undefined) throw error;
    return undefined;
  });
  if (identity === undefined) return undefined;
  if (identity.clusterName === clusterName && identity.mdsId === mdsId) return identity;
  throw storageError(
    "exists",
    `${directory} is the repository of MDS#${identity.mdsId} of ${identity.clusterName}; choose another directory`,
  );
}

async function refuseRunning({ files }: Host, directory: string): Promise<void> {
  const service = (await localServices(files, "mds")).find((known) => known.directory === directory);
  if (service?.pid === undefined) return;
  throw storageError(
    "refused",
    `the MDS in ${directory} is running (pid ${service.pid}); stop it first: pstorage-mdsd stop ${directory}`,
  );
}
