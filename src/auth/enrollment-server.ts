import { storageError, toHex } from "../base/index.js";
import type { Clock, Random } from "../io/index.js";
import { type IssuedCertificate, issueHostCertificate } from "./authority.js";
import type { ClusterSecrets } from "./cluster-secrets.js";
import {
  checkFinish,
  checkStart,
  ENROLLMENT_SIZES,
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
import { checkPossession } from "./host-key.js";
import { equalSecrets } from "./keyed-hash.js";
import { answerPakeLogin, type PakeAnswer } from "./pake.js";
import { certificateDer } from "./peer-verifier.js";
import type { RateLimiter } from "./rate-limiter.js";

/** A host that does not come back within this time starts again. Its own work takes half a second. */
const HANDSHAKE_TTL_MS = 30_000;
/** More than the rate limiter lets live at one time. Beyond it, `busy`. */
const HANDSHAKE_COUNT_MAX = 256;

export interface EnrollmentServerOptions {
  /** The secrets in the replicated state; undefined while this MDS does not know them. */
  readonly secrets: () => ClusterSecrets | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly limiter: RateLimiter;
  /** Told of every certificate before it is sent, for the event log. */
  readonly onIssued?: (issued: IssuedCertificate, peerAddress: string) => void;
  /**
   * Told, at a later start, of every handshake that nobody finished: what a wrong password looks like from here. For
   * the log.
   */
  readonly onAbandoned?: (peerAddress: string) => void;
}

interface Handshake {
  readonly pake: PakeAnswer;
  readonly transcript: Uint8Array;
  readonly clusterId: string;
  readonly peerAddress: string;
  readonly expiresAtMs: number;
}

/**
 * The MDS's side of enrolment: whoever proves the cluster password gets a certificate for its key.
 *
 * A handshake lives in the memory of one MDS, is good for one `finish`, right or wrong, and expires. Guessing a
 * password costs at least one `start`, so that is where attempts are counted.
 */
export class EnrollmentServer {
  readonly #options: EnrollmentServerOptions;
  /** By handshake id in hex, oldest first. */
  readonly #handshakes = new Map<string, Handshake>();

  constructor(options: EnrollmentServerOptions) {
    this.#options = options;
  }

  /** Throws `rate_limited`, `busy`, `malformed`, `unsupported` or `unavailable`. `peerAddress` is `IP:PORT`. */
  async start(message: EnrollStart, peerAddress: string): Promise<EnrollChallenge> {
    const { clock, limiter, random } = this.#options;
    const nowMs = clock.monotonicMs();
    if (!limiter.take(peerAddress, nowMs)) {
      throw storageError("rate_limited", "too many attempts to authenticate; try again in a minute");
    }
    checkStart(message);
    const secrets = this.#secrets();
    const pake = await answerPakeLogin(secrets, message.pakeRequest);
    this.#makeRoom(nowMs);
    const handshakeId = random.bytes(ENROLLMENT_SIZES.handshakeId);
    const { clusterId } = secrets;
    const challenge: EnrollChallenge = { handshakeId, clusterId, pakeResponse: pake.response };
    const transcript = hashTranscript(message, challenge);
    const expiresAtMs = nowMs + HANDSHAKE_TTL_MS;
    this.#handshakes.set(toHex(handshakeId), { pake, transcript, clusterId, peerAddress, expiresAtMs });
    return challenge;
  }

  /** Throws `unauthenticated`, `malformed` or `unavailable`; the handshake is over either way. */
  finish(message: EnrollFinish, peerAddress: string): EnrollResult {
    checkFinish(message);
    const handshake = this.#takeHandshake(message.handshakeId);
    const secrets = this.#secrets();
    if (secrets.clusterId !== handshake.clusterId) throw noHandshake();
    const { sessionKey } = handshake.pake.finish(message.pakeProof);
    const keys = deriveEnrollmentKeys(handshake.transcript, sessionKey);
    checkRequest(keys, message);
    this.#options.limiter.refund(peerAddress);
    const issued = this.#issue(secrets, message);
    this.#options.onIssued?.(issued, peerAddress);
    const certificates = {
      caCertificate: certificateDer(secrets.caCertificatePem),
      hostCertificate: issued.certificate,
    };
    return { ...certificates, mac: resultMac(keys, message.mac, certificates) };
  }

  #issue(secrets: ClusterSecrets, { hostId, roles, publicKey }: EnrollFinish): IssuedCertificate {
    const { clock, random } = this.#options;
    return issueHostCertificate(secrets, { hostId, roles, publicKey }, { nowMs: clock.wallMs(), random });
  }

  #secrets(): ClusterSecrets {
    const secrets = this.#options.secrets();
    if (secrets === undefined) throw storageError("unavailable", "this MDS has not joined its cluster yet");
    return secrets;
  }

  #makeRoom(nowMs: number): void {
    for (const [id, { expiresAtMs, peerAddress }] of this.#handshakes) {
      if (expiresAtMs > nowMs) break;
      this.#handshakes.delete(id);
      this.#options.onAbandoned?.(peerAddress);
    }
    if (this.#handshakes.size >= HANDSHAKE_COUNT_MAX) {
      throw storageError("busy", "too many hosts authenticate at the same time");
    }
  }

  #takeHandshake(handshakeId: Uint8Array): Handshake {
    const id = toHex(handshakeId);
    const handshake = this.#handshakes.get(id);
    this.#handshakes.delete(id);
    if (handshake === undefined || handshake.expiresAtMs <= this.#options.clock.monotonicMs())
      throw noHandshake();
    return handshake;
  }
}

/** The proof of the password was right; now, is this what its owner asked for? */
function checkRequest(keys: EnrollmentKeys, message: EnrollFinish): void {
  if (!equalSecrets(requestMac(keys, message), message.mac)) {
    throw storageError("unauthenticated", "the enrolment was tampered with on its way");
  }
  checkPossession(message.publicKey, possessionContext(keys.transcript, message), message.possession);
}

function noHandshake(): Error {
  return storageError("unauthenticated", "this enrolment has expired or is over; start again");
}
