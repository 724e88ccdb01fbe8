import { randomUUID, X509Certificate } from "node:crypto";
import { rm } from "node:fs/promises";
import {
  type ClusterSecrets,
  createClusterSecrets,
  credentialPath,
  encodeClusterSecrets,
  ensureHostId,
  generateHostKey,
  type HostCredential,
  issueHostCertificate,
  makeCredential,
  ROLES,
  saveCredential,
} from "../../auth/index.js";
import { storageError } from "../../base/index.js";
import { createMdsRepository, refuseExisting } from "../../mds/repository.js";
import { directoryExists, type Host, removeRepository, requireFreePorts } from "../host.js";
import { checkedClusterName, readText } from "../host-files.js";
import { Undo } from "../undo.js";

/** What `make-mds -I` is told. */
export interface NewCluster {
  readonly clusterName: string;
  /** `IP:PORT`, the lower port. */
  readonly address: string;
  /** Absolute. */
  readonly directory: string;
  readonly password: string;
}

/** MDSID of the first server of a cluster. */
export const FIRST_MDS_ID = 1;

/**
 * Makes a cluster: its identity, its secrets, the repository of its first MDS on this host, and this host's
 * credential. Genesis happens once: anything that is there of a cluster of that name is a refusal.
 */
export async function createCluster(
  host: Host,
  cluster: NewCluster,
): Promise<{ readonly clusterId: string }> {
  const { files, world } = host;
  const { address, directory } = cluster;
  const clusterName = checkedClusterName(cluster.clusterName);
  if (cluster.password === "") throw storageError("invalid", "the cluster password is empty; give one");
  await refuseKnownCluster(host, clusterName, address);
  const existedBefore = await directoryExists(host, directory);
  await refuseExisting(world.disk, directory);
  await requireFreePorts(address);
  const hostId = await ensureHostId(world.disk, files.root, world.random);
  const clusterId = randomUUID();
  const context = { nowMs: world.clock.wallMs(), random: world.random };
  const secrets = await createClusterSecrets(clusterId, cluster.password, context);
  return await Undo.around(async (undo) => {
    undo.add(() => removeRepository(directory, existedBefore, ["identity.json", "genesis.json", "logs"]));
    await createMdsRepository(
      world.disk,
      directory,
      {
        formatVersion: 1,
        clusterId,
        clusterName,
        mdsId: FIRST_MDS_ID,
        hostId,
        address,
        isFirst: true,
        peers: [],
      },
      { genesis: { secrets: Buffer.from(encodeClusterSecrets(secrets)).toString("base64") } },
    );
    undo.add(() => rm(credentialPath(files.root, clusterName), { force: true }));
    await saveCredential(world.disk, files.root, clusterName, issueTo(hostId, secrets, context));
    undo.add(() => files.removeBootstrapAddress(clusterName, address));
    await files.addBootstrapAddress(clusterName, address);
    undo.add(() => files.removeService("mds", directory));
    await files.addService({ kind: "mds", clusterName, directory });
    return { clusterId };
  });
}

/** The credential of the host that makes the cluster: nobody is there yet to enrol with. */
function issueTo(
  hostId: string,
  secrets: ClusterSecrets,
  context: Parameters<typeof issueHostCertificate>[2],
): HostCredential {
  const { privateKeyPem, publicKey } = generateHostKey();
  const { certificate } = issueHostCertificate(secrets, { hostId, roles: ROLES, publicKey }, context);
  const caCertificate = new Uint8Array(new X509Certificate(secrets.caCertificatePem).raw);
  return makeCredential(privateKeyPem, { caCertificate, hostCertificate: certificate }, context.nowMs);
}

async function refuseKnownCluster({ files }: Host, clusterName: string, address: string): Promise<void> {
  const advice = "choose another name (a name is never used again), or leave out -I to add an MDS to it";
  if ((await readText(credentialPath(files.root, clusterName))) !== undefined) {
    throw storageError("exists", `this host belongs to a cluster "${clusterName}" already; ${advice}`);
  }
  // A list that names nobody but the server that is being made is what careful people write beforehand.
  const others = (await files.bootstrapAddresses(clusterName)).filter((known) => known !== address);
  if (others.length > 0) {
    throw storageError(
      "exists",
      `bs.list knows a cluster "${clusterName}" at ${others.join(", ")}; ${advice}`,
    );
  }
  for (const kind of ["mds", "cs"] as const) {
    const service = (await files.services(kind)).find((known) => known.clusterName === clusterName);
    if (service !== undefined) {
      throw storageError(
        "exists",
        `${service.directory} belongs to a cluster "${clusterName}" already; ${advice}`,
      );
    }
  }
}
