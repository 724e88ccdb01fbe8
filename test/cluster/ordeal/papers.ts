import { join } from "node:path";
import { createAuthority } from "../../../src/auth/authority.js";
import {
  generateHostKey,
  type HostCredential,
  issueHostCertificate,
  loadCredential,
  makeCredential,
  ROLES,
} from "../../../src/auth/index.js";
import { certificateDer } from "../../../src/auth/peer-verifier.js";
import type { Lab } from "../../../src/cli/lab/lab.js";
import { freeMdsAddress } from "../../../src/cli/lab/lab-plan.js";
import { realWorld } from "../../../src/io/real/index.js";
import { runProgram } from "../harness.js";

/** The same host and cluster, signed by somebody who calls himself the authority of that cluster. */
export function forged({ clusterId, hostId }: HostCredential): HostCredential {
  const context = { nowMs: Date.now(), random: realWorld().random };
  const authority = createAuthority(clusterId, context);
  const { privateKeyPem, publicKey } = generateHostKey();
  const { certificate } = issueHostCertificate(authority, { hostId, roles: ROLES, publicKey }, context);
  const caCertificate = certificateDer(authority.caCertificatePem);
  return makeCredential(privateKeyPem, { caCertificate, hostCertificate: certificate }, Date.now());
}

/** Of a cluster that was made by the same command, on this very machine. */
export async function ofAnotherCluster(lab: Lab): Promise<HostCredential> {
  const root = join(lab.directory, "elsewhere");
  const address = await freeMdsAddress(lab.mdsAddresses);
  const args = ["make-mds", "-I", "-a", address, "-r", join(root, "mds"), "-P"];
  const made = await runProgram("pstorage", args, { root, cluster: "other", input: "another password\n" });
  if (made.status !== 0) throw new Error(made.errors);
  return await loadCredential(realWorld().disk, root, "other");
}
