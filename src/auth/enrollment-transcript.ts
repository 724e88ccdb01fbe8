/**
 * What the two ends of an enrolment sign, and with which keys. Everything that was said goes into the keys, so a
 * man in the middle who changes one bit of one message makes them differ, and cannot compute either.
 */

import type { EnrollChallenge, EnrollFinish, EnrollResult, EnrollStart } from "./enrollment-messages.js";
import { deriveKey, joinFields, keyedHash, sha256 } from "./keyed-hash.js";
import { formatRoles, type Role } from "./role.js";

const NAME = "pstorage enrolment 1";

export interface EnrollmentKeys {
  /** Hash of the first two messages. */
  readonly transcript: Uint8Array;
  /** Signs what the host asks for. */
  readonly requestKey: Uint8Array;
  /** Signs what the MDS answers. */
  readonly resultKey: Uint8Array;
}

/** Hash of the first two messages. */
export function hashTranscript(start: EnrollStart, challenge: EnrollChallenge): Uint8Array {
  const { handshakeId, clusterId, pakeResponse } = challenge;
  return sha256(
    joinFields(NAME, String(start.version), start.pakeRequest, handshakeId, clusterId, pakeResponse),
  );
}

/** Keys that only the two ends of this very exchange can derive. */
export function deriveEnrollmentKeys(transcript: Uint8Array, sessionKey: Uint8Array): EnrollmentKeys {
  return {
    transcript,
    requestKey: deriveKey(sessionKey, transcript, `${NAME} request`),
    resultKey: deriveKey(sessionKey, transcript, `${NAME} result`),
  };
}

/** What the host signs with its new private key. */
export function possessionContext(
  transcript: Uint8Array,
  subject: { readonly hostId: string; readonly roles: readonly Role[] },
): Uint8Array {
  return joinFields(`${NAME} possession`, transcript, subject.hostId, formatRoles(subject.roles));
}

/** `EnrollFinish.mac`. */
export function requestMac(keys: EnrollmentKeys, finish: Omit<EnrollFinish, "mac">): Uint8Array {
  const { handshakeId, pakeProof, hostId, roles, publicKey, possession } = finish;
  return keyedHash(
    keys.requestKey,
    joinFields(handshakeId, pakeProof, hostId, formatRoles(roles), publicKey, possession),
  );
}

/** `EnrollResult.mac`. It covers the request's, so a result belongs to one request. */
export function resultMac(
  keys: EnrollmentKeys,
  finishMac: Uint8Array,
  result: Omit<EnrollResult, "mac">,
): Uint8Array {
  return keyedHash(keys.resultKey, joinFields(finishMac, result.caCertificate, result.hostCertificate));
}
