import { storageError } from "../../base/index.js";
import { beginFromSurvivor, type KnownCluster, readSurvivor } from "../../mds/recovered-repository.js";
import { loadMdsIdentity } from "../../mds/repository.js";
import type { Host } from "../host.js";
import { localServices } from "../service-control.js";
import { probeGroup, refuseWhileDecided } from "./group-probe.js";
import { ownCredential } from "./own-credential.js";

/** What `make-mds --recover` is told. */
export interface Recovery {
  readonly clusterName: string;
  /** The survivor's repository, absolute. */
  readonly directory: string;
  /** Although a majority of the group may be there. */
  readonly isForced: boolean;
  /** Only looks. */
  readonly isDry: boolean;
}

/** What was found, and made of it. */
export interface Recovered {
  /** Of the survivor as it was. */
  readonly survivorId: number;
  readonly last: KnownCluster["last"];
  /** What the others answered. */
  readonly lines: readonly string[];
  /** The one member of the new group; undefined: nothing was done. */
  readonly made: { readonly mdsId: number; readonly address: string } | undefined;
}

/**
 * Makes the repository of one survivor that of a new group of one. Refused while a majority of the old group is there; a group that
 * lost its leader for a moment only must not be split.
 */
export async function recoverCluster(host: Host, recovery: Recovery): Promise<Recovered> {
  const { clusterName, directory, isForced, isDry } = recovery;
  const { disk, clock } = host.world;
  const identity = await loadMdsIdentity(disk, directory);
  if (identity.clusterName !== clusterName) {
    throw storageError(
      "wrong_cluster",
      `${directory} is a repository of "${identity.clusterName}", not of "${clusterName}"; say -c ${identity.clusterName}`,
    );
  }
  await refuseRunning(host, directory);
  const credential = await ownCredential(host, clusterName);
  if (credential.clusterId !== identity.clusterId) {
    throw storageError(
      "wrong_cluster",
      `the credential of this host is of another cluster than ${directory}; do it on a host of that one`,
    );
  }
  const known = await readSurvivor(disk, directory);
  const addresses = [
    ...new Set([
      ...known.voters.map(({ address }) => address),
      ...(await host.files.bootstrapAddresses(clusterName)),
    ]),
  ].filter((address) => address !== identity.address);
  const findings = await probeGroup(host, credential, addresses);
  if (!isForced) {
    refuseWhileDecided(findings, {
      memberCount: known.voters.length,
      ownCount: 1,
      advice: "If you know better, --force recovers nevertheless, and what the others know is lost",
    });
  }
  const found = { survivorId: identity.mdsId, last: known.last, lines: findings.lines };
  if (isDry) return { ...found, made: undefined };
  const source = `the state of MDS#${identity.mdsId}, up to entry ${known.last.index} of the log`;
  const { mdsId, address } = await beginFromSurvivor(disk, directory, { source, wallMs: clock.wallMs() });
  await host.files.addService({ kind: "mds", clusterName, directory });
  await host.files.addBootstrapAddress(clusterName, address);
  return { ...found, made: { mdsId, address } };
}

async function refuseRunning({ files }: Host, directory: string): Promise<void> {
  const service = (await localServices(files, "mds")).find((known) => known.directory === directory);
  if (service?.pid === undefined) return;
  throw storageError(
    "refused",
    `the MDS in ${directory} is running (pid ${service.pid}); stop it first: pstorage-mdsd stop ${directory}`,
  );
}
