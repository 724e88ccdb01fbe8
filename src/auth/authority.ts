/** The certificate authority of a cluster: made once, by `make-mds -I`; every MDS can issue from it. */

import { createPrivateKey } from "node:crypto";
import { assert, storageError, toHex, toUtf8 } from "../base/index.js";
import type { Random } from "../io/index.js";
import { makeAuthorityCertificate, makeHostCertificate, randomSerial } from "./certificate.js";
import { isClusterId, isHostId } from "./enrollment-messages.js";
import { checkPossession, exportPublicKey, generateHostKey, readPrivateKey } from "./host-key.js";
import { certificatePem, type PeerCertificate, readAuthority } from "./peer-verifier.js";
import type { Role } from "./role.js";

const DAY_MS = 24 * 3600 * 1000;
/** Hosts whose clocks are behind ours by less than this accept a new certificate at once. */
const BACKDATE_MS = DAY_MS;
/** As long as a cluster may live. */
const AUTHORITY_LIFE_MS = 40 * 365 * DAY_MS;
/** Longer than the hardware. Nothing stops working unless somebody forgets it for years. */
export const HOST_LIFE_MS = 10 * 365 * DAY_MS;

/** What issuing needs, part of `ClusterSecrets`. */
export interface Authority {
  /** PKCS#8 PEM. Secret. */
  readonly caKeyPem: string;
  readonly caCertificatePem: string;
}

/** What an issuer takes from the world: wall-clock time and entropy. */
export interface IssueContext {
  readonly nowMs: number;
  readonly random: Random;
}

export interface HostRequest {
  readonly hostId: string;
  readonly roles: readonly Role[];
  /** DER SubjectPublicKeyInfo of a P-256 key whose owner proved to have the private half. */
  readonly publicKey: Uint8Array;
}

export interface IssuedCertificate {
  /** DER. */
  readonly certificate: Uint8Array;
  readonly hostId: string;
  readonly roles: readonly Role[];
  /** Hex digits. */
  readonly serial: string;
  readonly notAfterMs: number;
}

/** A new authority of a new cluster. */
export function createAuthority(clusterId: string, { nowMs, random }: IssueContext): Authority {
  assert(isClusterId(clusterId), "a cluster id is a lower-case UUID");
  const { privateKeyPem, publicKey } = generateHostKey();
  const key = readPrivateKey(privateKeyPem);
  const validity = { notBeforeMs: nowMs - BACKDATE_MS, notAfterMs: nowMs + AUTHORITY_LIFE_MS };
  const der = makeAuthorityCertificate({ clusterId, key, publicKey }, validity, randomSerial(random));
  return { caKeyPem: privateKeyPem, caCertificatePem: certificatePem(der) };
}

/** A certificate for a host. The caller has checked that it may have one, and these roles. */
export function issueHostCertificate(
  authority: Authority,
  request: HostRequest,
  { nowMs, random }: IssueContext,
): IssuedCertificate {
  assert(isHostId(request.hostId), "a host id is 16 lower-case hex digits");
  const { clusterId, certificate: issuer } = readAuthority(authority.caCertificatePem);
  const issuerNotAfterMs = Date.parse(issuer.validTo);
  const notAfterMs = Math.min(nowMs + HOST_LIFE_MS, issuerNotAfterMs);
  const serial = randomSerial(random);
  const certificate = makeHostCertificate(
    { clusterId, key: createPrivateKey(authority.caKeyPem), publicKey: exportPublicKey(issuer.publicKey) },
    request,
    { notBeforeMs: nowMs - BACKDATE_MS, notAfterMs },
    serial,
  );
  const { hostId, roles } = request;
  return { certificate, hostId, roles, serial: toHex(serial), notAfterMs };
}

/** What a host signs with its new key to have its certificate renewed. */
export function renewalContext(clusterId: string, hostId: string): Uint8Array {
  return toUtf8(`pstorage renewal ${clusterId} ${hostId}`);
}

/**
 * A new certificate for the holder of a valid one: the same host and roles, another key if it likes. The peer was
 * identified on the very connection that carries the request.
 */
export function renewHostCertificate(
  authority: Authority,
  peer: PeerCertificate,
  request: { readonly publicKey: Uint8Array; readonly possession: Uint8Array },
  context: IssueContext,
): IssuedCertificate {
  if (context.nowMs >= peer.notAfterMs) throw storageError("unauthenticated", "the certificate has expired");
  checkPossession(request.publicKey, renewalContext(peer.clusterId, peer.hostId), request.possession);
  const { hostId, roles } = peer;
  return issueHostCertificate(authority, { hostId, roles, publicKey: request.publicKey }, context);
}

/** True in the last third of the certificate's life. */
export function needsRenewal(certificate: PeerCertificate, nowMs: number): boolean {
  const { notBeforeMs, notAfterMs } = certificate;
  return nowMs >= notAfterMs - (notAfterMs - notBeforeMs) / 3;
}
