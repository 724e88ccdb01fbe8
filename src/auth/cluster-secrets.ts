import { fromUtf8, storageError, toUtf8 } from "../base/index.js";
import { type Authority, createAuthority, type IssueContext } from "./authority.js";
import { exportPublicKey, publicKeyOf } from "./host-key.js";
import { equalSecrets } from "./keyed-hash.js";
import { createPasswordVerifier, type PasswordVerifier } from "./pake.js";
import { readAuthority } from "./peer-verifier.js";

/**
 * What every MDS of a cluster knows and nobody else: who has it can issue any certificate, and can try passwords
 * offline at the price of one Argon2id each. Plain text values; kept in the replicated state, never logged.
 */
export interface ClusterSecrets extends Authority, PasswordVerifier {
  readonly clusterId: string;
}

const FORMAT = "pstorage-cluster-secrets 1";
const SIZE_BYTES_MAX = 16 * 1024;

/** The secrets of a new cluster. */
export async function createClusterSecrets(
  clusterId: string,
  password: string,
  context: IssueContext,
): Promise<ClusterSecrets> {
  return { clusterId, ...createAuthority(clusterId, context), ...(await createPasswordVerifier(password)) };
}

/** The same cluster under a new password. Certificates stay valid. */
export async function changePassword(secrets: ClusterSecrets, password: string): Promise<ClusterSecrets> {
  return { ...secrets, ...(await createPasswordVerifier(password)) };
}

/** As bytes for the replicated state and snapshots: a format line, then JSON. */
export function encodeClusterSecrets(secrets: ClusterSecrets): Uint8Array {
  const { clusterId, caKeyPem, caCertificatePem, passwordServerSetup, passwordVerifier } = secrets;
  const fields = { clusterId, caKeyPem, caCertificatePem, passwordServerSetup, passwordVerifier };
  return toUtf8(`${FORMAT}\n${JSON.stringify(fields)}\n`);
}

/** Throws `malformed` unless every field is there and the key is that of the certificate of that cluster. */
export function decodeClusterSecrets(bytes: Uint8Array): ClusterSecrets {
  const text = bytes.length > SIZE_BYTES_MAX ? "" : fromUtf8(bytes);
  if (!text.startsWith(`${FORMAT}\n`)) throw malformed();
  const fields = parseObject(text.slice(FORMAT.length));
  const secrets: ClusterSecrets = {
    clusterId: textField(fields, "clusterId"),
    caKeyPem: textField(fields, "caKeyPem"),
    caCertificatePem: textField(fields, "caCertificatePem"),
    passwordServerSetup: textField(fields, "passwordServerSetup"),
    passwordVerifier: textField(fields, "passwordVerifier"),
  };
  const { clusterId, certificate } = readAuthority(secrets.caCertificatePem);
  const isPair = equalSecrets(publicKeyOf(secrets.caKeyPem), exportPublicKey(certificate.publicKey));
  if (clusterId !== secrets.clusterId || !isPair) throw malformed();
  return secrets;
}

function parseObject(json: string): ReadonlyMap<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === "object" && value !== null) return new Map(Object.entries(value));
  } catch (error) {
    throw malformed(error);
  }
  throw malformed();
}

function textField(fields: ReadonlyMap<string, unknown>, name: keyof ClusterSecrets): string {
  const value = fields.get(name);
  if (typeof value !== "string" || value === "") throw malformed();
  return value;
}

function malformed(cause?: unknown): Error {
  return storageError("malformed", "the cluster secrets are damaged", cause);
}
