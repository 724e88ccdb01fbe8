/** Who is who and who may do what: certificates, enrolment by password, credentials on disk, authorization. */
export {
  type Authority,
  HOST_LIFE_MS,
  type HostRequest,
  type IssueContext,
  type IssuedCertificate,
  issueHostCertificate,
  needsRenewal,
  renewalContext,
  renewHostCertificate,
} from "./authority.js";
export { type AuthorizationTable, authorize } from "./authorization.js";
export { tlsServerName } from "./certificate.js";
export {
  type ClusterSecrets,
  changePassword,
  createClusterSecrets,
  decodeClusterSecrets,
  encodeClusterSecrets,
} from "./cluster-secrets.js";
export { type EnrollmentCalls, type EnrollmentRequest, enroll } from "./enrollment-client.js";
export {
  checkChallenge,
  checkFinish,
  checkResult,
  checkStart,
  ENROLLMENT_SIZES,
  type EnrollChallenge,
  type EnrollFinish,
  type EnrollResult,
  type EnrollStart,
  isClusterId,
  isHostId,
} from "./enrollment-messages.js";
export { EnrollmentServer, type EnrollmentServerOptions } from "./enrollment-server.js";
export {
  credentialPath,
  decodeCredential,
  encodeCredential,
  type HostCredential,
  loadCredential,
  makeCredential,
  saveCredential,
  type TlsMaterial,
} from "./host-credential.js";
export { ensureHostId } from "./host-id.js";
export { generateHostKey, type HostKey, provePossession } from "./host-key.js";
export { deriveKey, equalSecrets, keyedHash, sha256, shortKeyedHash } from "./keyed-hash.js";
export { type PeerCertificate, PeerVerifier } from "./peer-verifier.js";
export { DEFAULT_RATE_LIMITS, RateLimiter, type RateLimits } from "./rate-limiter.js";
export { isRole, ROLES, type Role } from "./role.js";
