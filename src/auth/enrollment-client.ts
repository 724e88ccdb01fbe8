import { storageError } from "../base/index.js";
import type { Clock } from "../io/index.js";
import {
  checkChallenge,
  checkResult,
  ENROLLMENT_VERSION,
  type EnrollChallenge,
  type EnrollFinish,
  type EnrollResult,
  type EnrollStart,
} from "./enrollment-messages.js";
import {
  deriveEnrollmentKeys,
  type EnrollmentKeys,
  hashTranscript,
  possessionContext,
  requestMac,
  resultMac,
} from "./enrollment-transcript.js";
import { type HostCredential, makeCredential } from "./host-credential.js";
import { generateHostKey, type HostKey, provePossession } from "./host-key.js";
import { equalSecrets } from "./keyed-hash.js";
import { startPakeLogin } from "./pake.js";
import type { Role } from "./role.js";

/** The two unary calls, both to the same MDS, over TLS whose certificate nobody can check yet. */
export interface EnrollmentCalls {
  start(message: EnrollStart): Promise<EnrollChallenge>;
  finish(message: EnrollFinish): Promise<EnrollResult>;
}

export interface EnrollmentRequest {
  readonly password: string;
  readonly hostId: string;
  readonly roles: readonly Role[];
  /** Set if this host already knows which cluster it wants: another one is refused with `wrong_cluster`. */
  readonly expectedClusterId?: string;
}

/**
 * Proves the cluster password to an MDS and returns this host's credential. Whoever sits on the connection learns
 * nothing from it, and whatever it changes is noticed: throws `unauthenticated` then, as for a wrong password.
 */
export async function enroll(
  request: EnrollmentRequest,
  calls: EnrollmentCalls,
  clock: Clock,
): Promise<HostCredential> {
  const login = await startPakeLogin(request.password);
  const start: EnrollStart = { version: ENROLLMENT_VERSION, pakeRequest: login.request };
  const challenge = await calls.start(start);
  checkChallenge(challenge);
  checkExpected(request, challenge);
  const { proof, sessionKey } = login.finish(challenge.pakeResponse);
  const keys = deriveEnrollmentKeys(hashTranscript(start, challenge), sessionKey);
  const hostKey = generateHostKey();
  const finish = makeFinish(keys, challenge, request, proof, hostKey);
  const result = await calls.finish(finish);
  checkResult(result);
  if (!equalSecrets(resultMac(keys, finish.mac, result), result.mac)) throw tampered();
  const credential = makeCredential(hostKey.privateKeyPem, result, clock.wallMs());
  const isAsAsked = credential.clusterId === challenge.clusterId && credential.hostId === request.hostId;
  if (!isAsAsked || !request.roles.every((role) => credential.roles.includes(role))) throw tampered();
  return credential;
}

function makeFinish(
  keys: EnrollmentKeys,
  { handshakeId }: EnrollChallenge,
  { hostId, roles }: EnrollmentRequest,
  pakeProof: Uint8Array,
  { privateKeyPem, publicKey }: HostKey,
): EnrollFinish {
  const possession = provePossession(privateKeyPem, possessionContext(keys.transcript, { hostId, roles }));
  const fields = { handshakeId, pakeProof, hostId, roles, publicKey, possession };
  return { ...fields, mac: requestMac(keys, fields) };
}

function checkExpected({ expectedClusterId }: EnrollmentRequest, { clusterId }: EnrollChallenge): void {
  if (expectedClusterId === undefined || expectedClusterId === clusterId) return;
  throw storageError("wrong_cluster", `the MDS belongs to cluster ${clusterId}, not to ${expectedClusterId}`);
}

function tampered(): Error {
  return storageError("unauthenticated", "the enrolment was tampered with on its way");
}
