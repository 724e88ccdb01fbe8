/**
 * The four messages of enrolment as plain values (`proto/enrollment.proto`), and their bounds.
 *
 * Everything here comes from a stranger. The check functions are called before a field is looked at in any
 * other way; they throw `malformed`.
 */

import { storageError } from "../base/index.js";
import { isRole, ROLES, type Role } from "./role.js";

/** The only version of the protocol so far. */
export const ENROLLMENT_VERSION = 1;

/** First message of the host: the blinded password. */
export interface EnrollStart {
  readonly version: number;
  /** OPAQUE KE1, 96 bytes. */
  readonly pakeRequest: Uint8Array;
}

/** The MDS's answer: only someone who knows the password can open what is in it. */
export interface EnrollChallenge {
  /** 16 random bytes that name this attempt. Good for one `EnrollFinish`. */
  readonly handshakeId: Uint8Array;
  readonly clusterId: string;
  /** OPAQUE KE2, 320 bytes. */
  readonly pakeResponse: Uint8Array;
}

/** The host proves the password and says what it wants a certificate for. */
export interface EnrollFinish {
  readonly handshakeId: Uint8Array;
  /** OPAQUE KE3, 64 bytes. */
  readonly pakeProof: Uint8Array;
  /** 16 lower-case hex digits. */
  readonly hostId: string;
  /** At least one, without repetition. The MAC covers them in the order of `ROLES`. */
  readonly roles: readonly Role[];
  /** P-256 key as DER SubjectPublicKeyInfo, 91 bytes. */
  readonly publicKey: Uint8Array;
  /** ECDSA over the transcript by that key: the host has the private half. At most 72 bytes. */
  readonly possession: Uint8Array;
  /** HMAC-SHA-256 of all the above under the key the password produced, 32 bytes. */
  readonly mac: Uint8Array;
}

/** The certificates, from someone who knows the password verifier. */
export interface EnrollResult {
  /** DER, at most 4096 bytes. */
  readonly caCertificate: Uint8Array;
  /** DER, at most 4096 bytes. */
  readonly hostCertificate: Uint8Array;
  /** HMAC-SHA-256 of both under the key the password produced, 32 bytes. */
  readonly mac: Uint8Array;
}

/** Sizes in bytes. */
export const ENROLLMENT_SIZES = {
  handshakeId: 16,
  pakeRequest: 96,
  pakeResponse: 320,
  pakeProof: 64,
  publicKey: 91,
  possessionMax: 72,
  mac: 32,
  certificateMax: 4096,
} as const;

const CLUSTER_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const HOST_ID = /^[0-9a-f]{16}$/;

/** A UUID in lower case, as `make-mds -I` makes it. */
export function isClusterId(text: unknown): text is string {
  return typeof text === "string" && text.length === 36 && CLUSTER_ID.test(text);
}

/** 16 lower-case hex digits. */
export function isHostId(text: unknown): text is string {
  return typeof text === "string" && text.length === 16 && HOST_ID.test(text);
}

export function checkStart(message: EnrollStart): void {
  if (message.version !== ENROLLMENT_VERSION) {
    throw storageError("unsupported", "this version of enrolment is not spoken here");
  }
  checkBytes(message.pakeRequest, ENROLLMENT_SIZES.pakeRequest, "pake_request");
}

export function checkChallenge(message: EnrollChallenge): void {
  checkBytes(message.handshakeId, ENROLLMENT_SIZES.handshakeId, "handshake_id");
  if (!isClusterId(message.clusterId)) throw malformed("cluster_id");
  checkBytes(message.pakeResponse, ENROLLMENT_SIZES.pakeResponse, "pake_response");
}

export function checkFinish(message: EnrollFinish): void {
  checkBytes(message.handshakeId, ENROLLMENT_SIZES.handshakeId, "handshake_id");
  checkBytes(message.pakeProof, ENROLLMENT_SIZES.pakeProof, "pake_proof");
  if (!isHostId(message.hostId)) throw malformed("host_id");
  checkRoles(message.roles);
  checkBytes(message.publicKey, ENROLLMENT_SIZES.publicKey, "public_key");
  checkBytesAtMost(message.possession, ENROLLMENT_SIZES.possessionMax, "possession");
  checkBytes(message.mac, ENROLLMENT_SIZES.mac, "mac");
}

export function checkResult(message: EnrollResult): void {
  checkBytesAtMost(message.caCertificate, ENROLLMENT_SIZES.certificateMax, "ca_certificate");
  checkBytesAtMost(message.hostCertificate, ENROLLMENT_SIZES.certificateMax, "host_certificate");
  checkBytes(message.mac, ENROLLMENT_SIZES.mac, "mac");
}

function checkRoles(roles: readonly string[]): void {
  if (!Array.isArray(roles) || roles.length === 0 || roles.length > ROLES.length) throw malformed("roles");
  const known = roles.every((role) => typeof role === "string" && isRole(role));
  if (!known || new Set(roles).size !== roles.length) throw malformed("roles");
}

function checkBytes(value: unknown, sizeBytes: number, field: string): void {
  if (!(value instanceof Uint8Array) || value.length !== sizeBytes) throw malformed(field);
}

function checkBytesAtMost(value: unknown, sizeBytesMax: number, field: string): void {
  const sizeBytes = value instanceof Uint8Array ? value.length : 0;
  if (sizeBytes === 0 || sizeBytes > sizeBytesMax) throw malformed(field);
}

function malformed(field: string): Error {
  return storageError("malformed", `enrolment message with a wrong ${field}`);
}
