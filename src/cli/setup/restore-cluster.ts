import { X509Certificate } from "node:crypto";
import { rm } from "node:fs/promises";
import {
  type ClusterSecrets,
  credentialPath,
  decodeClusterSecrets,
  ensureHostId,
  generateHostKey,
  type HostCredential,
  issueHostCertificate,
  loadCredential,
  makeCredential,
  ROLES,
  saveCredential,
} from "../../auth/index.js";
import { failureOf, storageError } from "../../base/index.js";
import { beginFromBackup, type KnownCluster, loadBackup } from "../../mds/recovered-repository.js";
import { refuseExisting } from "../../mds/repository.js";
import type { BackupReader } from "../backup/backup-file.js";
import { directoryExists, type Host, removeRepository, requireFreePorts } from "../host.js";
import { checkedClusterName } from "../host-files.js";
import { formatTime } from "../output.js";
import { Undo } from "../undo.js";
import { probeGroup, refuseWhileDecided } from "./group-probe.js";

/** What `restore` is told. */
export interface Restoration {
  readonly clusterName: string;
  /** `IP:PORT` of the new MDS, the lower port. */
  readonly address: string;
  /** Absolute. */
  readonly directory: string;
  /** Although a majority of the group may be there. */
  readonly isForced: boolean;
}

/** What is made of a new MDS before it is a repository. */
const PARTS = ["identity.json", "recovery.json", "raft", "state", "logs"];

/**
 * Makes the first metadata server of a new group out of a backup. A damaged backup, one of another cluster, or a group that is still
 * there leave nothing behind. A host that is no member of the cluster becomes one: the backup has the keys.
 */
export async function restoreCluster(
  host: Host,
  restoration: Restoration,
  { header, bytes }: BackupReader,
): Promise<{ readonly mdsId: number }> {
  const { files, world } = host;
  const { address, directory, isForced } = restoration;
  const clusterName = checkedClusterName(restoration.clusterName);
  if (header.clusterName !== clusterName) {
    throw storageError(
      "wrong_cluster",
      `this is a backup of the cluster "${header.clusterName}", not of "${clusterName}"; say -c ${header.clusterName}, or take another`,
    );
  }
  const present = await presentCredential(host, clusterName);
  if (present !== undefined && present.clusterId !== header.clusterId) {
    throw storageError(
      "wrong_cluster",
      `this host belongs to another cluster of the name "${clusterName}" than the backup; take another host`,
    );
  }
  const existedBefore = await directoryExists(host, directory);
  await refuseExisting(world.disk, directory);
  await requireFreePorts(address);
  const hostId = await ensureHostId(world.disk, files.root, world.random);
  return await Undo.around(async (undo) => {
    undo.add(() => removeRepository(directory, existedBefore, PARTS));
    const known = await loadBackup(world.disk, directory, header, bytes);
    const credential = present ?? issueTo(host, hostId, known);
    if (!isForced) await refuseLiving(host, credential, known, restoration);
    if (present === undefined) {
      undo.add(() => rm(credentialPath(files.root, clusterName), { force: true }));
      await saveCredential(world.disk, files.root, clusterName, credential);
    }
    const { mdsId } = await beginFromBackup(world.disk, directory, known, {
      hostId,
      address,
      source: `a backup of ${formatTime(header.wallMs)}`,
      wallMs: world.clock.wallMs(),
    });
    undo.add(() => files.removeService("mds", directory));
    await files.addService({ kind: "mds", clusterName, directory });
    await files.addBootstrapAddress(clusterName, address);
    return { mdsId };
  });
}

async function presentCredential(
  { files, world }: Host,
  clusterName: string,
): Promise<HostCredential | undefined> {
  try {
    return await loadCredential(world.disk, files.root, clusterName);
  } catch (error) {
    if (failureOf(error)?.code === "not_found") return undefined;
    throw error;
  }
}

/** Whoever has the keys of the cluster need not prove its password. */
function issueTo({ world }: Host, hostId: string, { cluster }: KnownCluster): HostCredential {
  const secrets: ClusterSecrets = decodeClusterSecrets(cluster.secrets);
  const context = { nowMs: world.clock.wallMs(), random: world.random };
  const { privateKeyPem, publicKey } = generateHostKey();
  const { certificate } = issueHostCertificate(secrets, { hostId, roles: ROLES, publicKey }, context);
  const caCertificate = new Uint8Array(new X509Certificate(secrets.caCertificatePem).raw);
  return makeCredential(privateKeyPem, { caCertificate, hostCertificate: certificate }, context.nowMs);
}

async function refuseLiving(
  host: Host,
  credential: HostCredential,
  { voters }: KnownCluster,
  { clusterName, address }: Restoration,
): Promise<void> {
  const known = voters.map((server) => server.address);
  const addresses = new Set([...known, ...(await host.files.bootstrapAddresses(clusterName))]);
  addresses.delete(address);
  const findings = await probeGroup(host, credential, [...addresses]);
  const advice =
    "If you know better, --force restores nevertheless, and what was done since the backup is lost";
  refuseWhileDecided(findings, { memberCount: voters.length, ownCount: 0, advice });
}
