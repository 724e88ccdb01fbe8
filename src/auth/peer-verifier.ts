import { X509Certificate } from "node:crypto";
import { type StorageError, storageError } from "../base/index.js";
import { authorityName, subjectUri, tlsServerName } from "./certificate.js";
import { isClusterId } from "./enrollment-messages.js";
import { parseRoles, type Role } from "./role.js";

/** Who is at the other end of a connection, as its certificate says. */
export interface PeerCertificate {
  readonly clusterId: string;
  readonly hostId: string;
  readonly roles: readonly Role[];
  /** Hex digits; unique in the cluster. */
  readonly serial: string;
  /** Moments of wall-clock time, in milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
}

/** The certificate of an authority, once it was found to be one. */
export interface AuthorityCertificate {
  readonly clusterId: string;
  readonly certificate: X509Certificate;
}

const CERTIFICATE_BYTES_MAX = 4096;
const SUBJECT =
  /^DNS:([0-9a-f-]{36})\.pstorage, URI:pstorage:\/\/([0-9a-f-]{36})\/host\/([0-9a-f]{16})\?roles=([a-z+]{1,32})$/;

/**
 * Tells who a peer is from the certificate it showed in the TLS handshake.
 *
 * It checks signature, validity and form itself, whatever the TLS library was configured to check: all it takes on
 * trust is that the peer has the private key, which no TLS handshake succeeds without.
 */
export class PeerVerifier {
  readonly #authority: AuthorityCertificate;

  /** Throws `malformed` if the PEM is not the certificate of a cluster's authority. */
  constructor(caCertificatePem: string) {
    this.#authority = readAuthority(caCertificatePem);
  }

  get clusterId(): string {
    return this.#authority.clusterId;
  }

  /**
   * Of the raw DER (`getPeerCertificate().raw`). Throws `unauthenticated` unless this cluster's authority issued it
   * and it is valid at `nowMs` (wall clock).
   */
  identify(der: Uint8Array, nowMs: number): PeerCertificate {
    const peer = this.identifyAtAnyTime(der);
    if (nowMs < peer.notBeforeMs) {
      throw storageError(
        "unauthenticated",
        "the certificate is not valid yet; compare the clocks of the two hosts",
      );
    }
    if (nowMs >= peer.notAfterMs) {
      throw storageError("unauthenticated", "the certificate has expired; run auth-node on its host again");
    }
    return peer;
  }

  /** The same without looking at the validity: for a credential of our own. */
  identifyAtAnyTime(der: Uint8Array): PeerCertificate {
    const certificate = readCertificate(der);
    const issuer = this.#authority.certificate;
    const isIssued = attempt(() => certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey));
    if (isIssued !== true) throw storageError("unauthenticated", "the certificate is not of this cluster");
    const peer = attempt(() => describe(certificate));
    if (peer === undefined || peer.clusterId !== this.clusterId) {
      throw storageError("unauthenticated", "the certificate is not one of a host");
    }
    return peer;
  }
}

/** The certificate of an authority: well-formed, self-signed, named as one. Throws `malformed` otherwise. */
export function readAuthority(source: string | Uint8Array): AuthorityCertificate {
  const certificate = readCertificate(source);
  const name = /^O=pstorage\nCN=pstorage cluster ([0-9a-f-]{36})$/.exec(certificate.subject)?.[1];
  const isOurs = isClusterId(name) && certificate.subject === `O=pstorage\nCN=${authorityName(name)}`;
  const isSelfSigned = attempt(
    () => certificate.ca && certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey),
  );
  if (!isOurs || isSelfSigned !== true) throw notACertificate();
  return { clusterId: name, certificate };
}

/** PEM text of the one certificate in `der`. */
export function certificatePem(der: Uint8Array): string {
  return readCertificate(der).toString();
}

/** DER of the one certificate in PEM text. */
export function certificateDer(pem: string): Uint8Array {
  return new Uint8Array(readCertificate(pem).raw);
}

function readCertificate(source: string | Uint8Array): X509Certificate {
  if (source.length === 0 || source.length > CERTIFICATE_BYTES_MAX) throw notACertificate();
  const certificate = attempt(() => new X509Certificate(source));
  if (certificate === undefined) throw notACertificate();
  // OpenSSL ignores what follows the certificate; we do not.
  if (typeof source !== "string" && !certificate.raw.equals(source)) throw notACertificate();
  return certificate;
}

function describe(certificate: X509Certificate): PeerCertificate | undefined {
  const found = SUBJECT.exec(certificate.subjectAltName ?? "");
  const [, dnsName = "", clusterId = "", hostId = "", rolesText = ""] = found ?? [];
  const roles = parseRoles(rolesText);
  if (!isClusterId(clusterId) || roles === undefined || certificate.ca) return undefined;
  const expected = `DNS:${tlsServerName(dnsName)}, URI:${subjectUri({ clusterId, hostId, roles })}`;
  if (dnsName !== clusterId || certificate.subjectAltName !== expected) return undefined;
  if (certificate.subject !== `O=pstorage\nCN=${hostId}`) return undefined;
  return {
    clusterId,
    hostId,
    roles,
    serial: certificate.serialNumber.toLowerCase(),
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    publicKey: new Uint8Array(certificate.publicKey.export({ type: "spki", format: "der" })),
  };
}

/** OpenSSL throws on garbage; to us that is one more way to say no. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function notACertificate(): StorageError {
  return storageError("malformed", "not a certificate of a cluster");
}
