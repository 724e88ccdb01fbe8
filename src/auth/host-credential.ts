import { fromUtf8, type StorageError, storageError, toUtf8 } from "../base/index.js";
import type { Disk } from "../io/index.js";
import { publicKeyOf } from "./host-key.js";
import { equalSecrets } from "./keyed-hash.js";
import { certificateDer, certificatePem, type PeerCertificate, PeerVerifier } from "./peer-verifier.js";
import type { Role } from "./role.js";

/** What a TLS endpoint of the cluster needs. */
export interface TlsMaterial {
  readonly clusterId: string;
  readonly caPem: string;
  readonly certPem: string;
  /** Secret. */
  readonly keyPem: string;
}

/** What makes this host one of the cluster's: its key and its certificate. Always consistent in itself. */
export interface HostCredential extends TlsMaterial {
  readonly hostId: string;
  readonly roles: readonly Role[];
  /** What the host certificate says. */
  readonly certificate: PeerCertificate;
}

const FORMAT = "pstorage-credential 1";
const SIZE_BYTES_MAX = 16 * 1024;
const PEM = "([A-Za-z0-9+/=\n]{1,6000})";
const FILE = new RegExp(
  [
    `^${FORMAT}\n`,
    "cluster ([0-9a-f-]{36})\n",
    "host ([0-9a-f]{16})\n",
    `(-----BEGIN PRIVATE KEY-----\n${PEM}-----END PRIVATE KEY-----\n)`,
    `(-----BEGIN CERTIFICATE-----\n${PEM}-----END CERTIFICATE-----\n)`,
    `(-----BEGIN CERTIFICATE-----\n${PEM}-----END CERTIFICATE-----\n)$`,
  ].join(""),
);

/** Puts together what enrolment returned. Throws `malformed` or `unauthenticated` if the parts do not fit. */
export function makeCredential(
  keyPem: string,
  certificates: { readonly caCertificate: Uint8Array; readonly hostCertificate: Uint8Array },
  nowMs: number,
): HostCredential {
  const caPem = certificatePem(certificates.caCertificate);
  const verifier = new PeerVerifier(caPem);
  const certificate = verifier.identify(certificates.hostCertificate, nowMs);
  const { clusterId, hostId, roles, publicKey } = certificate;
  if (!equalSecrets(publicKeyOf(keyPem), publicKey)) throw damaged("the key is not that of the certificate");
  return {
    clusterId,
    hostId,
    roles,
    certificate,
    caPem,
    keyPem,
    certPem: certificatePem(certificates.hostCertificate),
  };
}

/**
 * The file `auth_digest.key`: the format line, `cluster UUID`, `host ID`, then the host's private key, the host's
 * certificate and the authority's, each in PEM, each line ended by a newline.
 */
export function encodeCredential({ clusterId, hostId, keyPem, certPem, caPem }: HostCredential): Uint8Array {
  const parts = [keyPem, certPem, caPem].map((pem) => `${pem.trim()}\n`);
  return toUtf8(`${FORMAT}\ncluster ${clusterId}\nhost ${hostId}\n${parts.join("")}`);
}

/** Throws `malformed` unless all parts are there and fit together. An expired certificate is no failure here. */
export function decodeCredential(bytes: Uint8Array): HostCredential {
  const found = bytes.length > SIZE_BYTES_MAX ? null : FILE.exec(fromUtf8(bytes));
  const [, clusterId, hostId, keyPem, , certPem, , caPem] = found ?? [];
  if (keyPem === undefined || certPem === undefined || caPem === undefined)
    throw damaged("it is not in its format");
  const hostDer = certificateDer(certPem);
  const { notBeforeMs } = identifyOwn(caPem, hostDer);
  const credential = makeCredential(
    keyPem,
    { caCertificate: certificateDer(caPem), hostCertificate: hostDer },
    notBeforeMs,
  );
  if (credential.clusterId !== clusterId || credential.hostId !== hostId)
    throw damaged("its parts do not fit");
  return credential;
}

/** Where the credential for a cluster lies under `PSTORAGE_ROOT`. Throws `invalid` for what is no cluster name. */
export function credentialPath(root: string, clusterName: string): string {
  return `${clusterDirectory(root, clusterName)}/auth_digest.key`;
}

/** Writes the credential: the file 0600, its directory 0700. */
export async function saveCredential(
  disk: Disk,
  root: string,
  clusterName: string,
  credential: HostCredential,
): Promise<void> {
  const path = credentialPath(root, clusterName);
  await disk.makeDirectory(clustersDirectory(root), "auth.credential.mkdir");
  await disk.makeDirectory(clusterDirectory(root, clusterName), "auth.credential.mkdir", 0o700);
  await disk.replaceFile(path, encodeCredential(credential), "auth.credential.write", 0o600);
}

/** Throws `not_found` if this host was never authenticated, `malformed` if the file is damaged. */
export async function loadCredential(disk: Disk, root: string, clusterName: string): Promise<HostCredential> {
  return decodeCredential(await disk.readFile(credentialPath(root, clusterName), "auth.credential.read"));
}

function identifyOwn(caPem: string, hostDer: Uint8Array): PeerCertificate {
  try {
    return new PeerVerifier(caPem).identifyAtAnyTime(hostDer);
  } catch (error) {
    throw damaged("its certificates do not fit", error);
  }
}

function clustersDirectory(root: string): string {
  return `${root.replace(/\/+$/, "")}/etc/pstorage/clusters`;
}

function clusterDirectory(root: string, clusterName: string): string {
  if (!/^[A-Za-z0-9_-]{1,63}$/.test(clusterName)) {
    throw storageError("invalid", "a cluster name is 1 to 63 of the characters a-z A-Z 0-9 - _");
  }
  return `${clustersDirectory(root)}/${clusterName}`;
}

function damaged(why: string, cause?: unknown): StorageError {
  return storageError(
    "malformed",
    `the credential of this host is damaged (${why}); run auth-node again`,
    cause,
  );
}
