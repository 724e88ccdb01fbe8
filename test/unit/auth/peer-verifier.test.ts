import assert from "node:assert/strict";
import { test } from "vitest";
import { createAuthority } from "../../../src/auth/authority.js";
import { makeHostCertificate, randomSerial } from "../../../src/auth/certificate.js";
import { exportPublicKey, publicKeyOf, readPrivateKey } from "../../../src/auth/host-key.js";
import {
  type Authority,
  generateHostKey,
  issueHostCertificate,
  PeerVerifier,
} from "../../../src/auth/index.js";
import { certificateDer, readAuthority } from "../../../src/auth/peer-verifier.js";
import {
  CLUSTER,
  DAY_MS,
  failureCode,
  HOST,
  NOW_MS,
  OTHER_CLUSTER,
  testCredential,
  testRandom,
} from "./fixtures.js";

const context = { nowMs: NOW_MS, random: testRandom(11) };

test("a certificate of the cluster says who its host is", () => {
  const { authority, hostCertificate } = testCredential({ roles: ["mds", "admin"] });

  const peer = new PeerVerifier(authority.caCertificatePem).identify(hostCertificate, NOW_MS);

  assert.deepEqual([peer.clusterId, peer.hostId, peer.roles], [CLUSTER, HOST, ["admin", "mds"]]);
});

test("a certificate is good from its first to before its last moment", async () => {
  const { authority, hostCertificate, credential } = testCredential();
  const verifier = new PeerVerifier(authority.caCertificatePem);
  const { notBeforeMs, notAfterMs } = credential.certificate;

  assert.equal(
    await failureCode(() => verifier.identify(hostCertificate, notBeforeMs - 1)),
    "unauthenticated",
  );
  assert.equal(verifier.identify(hostCertificate, notBeforeMs).hostId, HOST);
  assert.equal(verifier.identify(hostCertificate, notAfterMs - 1).hostId, HOST);
  assert.equal(await failureCode(() => verifier.identify(hostCertificate, notAfterMs)), "unauthenticated");
  assert.equal(notBeforeMs, Math.floor((NOW_MS - DAY_MS) / 1000) * 1000);
});

test("a certificate of another cluster is refused", async () => {
  const { authority } = testCredential();
  const foreign = testCredential({ clusterId: OTHER_CLUSTER });

  const verifier = new PeerVerifier(authority.caCertificatePem);

  assert.equal(
    await failureCode(() => verifier.identify(foreign.hostCertificate, NOW_MS)),
    "unauthenticated",
  );
});

test("a certificate of another authority that calls itself by the same cluster is refused", async () => {
  const { authority } = testCredential();
  const impostor = createAuthority(CLUSTER, { nowMs: NOW_MS, random: testRandom(5) });
  const { publicKey } = generateHostKey();
  const { certificate } = issueHostCertificate(
    impostor,
    { hostId: HOST, roles: ["admin"], publicKey },
    context,
  );

  const verifier = new PeerVerifier(authority.caCertificatePem);

  assert.equal(await failureCode(() => verifier.identify(certificate, NOW_MS)), "unauthenticated");
});

test("a certificate that this authority signed for another cluster's name is refused", async () => {
  const { authority } = testCredential();
  const certificate = misissued(authority, OTHER_CLUSTER, HOST);

  const verifier = new PeerVerifier(authority.caCertificatePem);

  assert.equal(await failureCode(() => verifier.identify(certificate, NOW_MS)), "unauthenticated");
});

test("a host id that smuggles in another name is refused", async () => {
  const { authority } = testCredential();
  const verifier = new PeerVerifier(authority.caCertificatePem);
  const names = ["x?roles=admin, URI:pstorage://y", "0123456789ABCDEF", `${HOST}/../..`, "", `${HOST}\n`];

  for (const hostId of names) {
    const certificate = misissued(authority, CLUSTER, hostId);
    assert.equal(await failureCode(() => verifier.identify(certificate, NOW_MS)), "unauthenticated", hostId);
  }
});

test("the authority's own certificate is not one of a host", async () => {
  const { authority } = testCredential();
  const verifier = new PeerVerifier(authority.caCertificatePem);

  const code = await failureCode(() => verifier.identify(certificateDer(authority.caCertificatePem), NOW_MS));

  assert.equal(code, "unauthenticated");
});

test("a host's certificate is not an authority", async () => {
  const { credential } = testCredential();

  assert.equal(await failureCode(() => new PeerVerifier(credential.certPem)), "malformed");
});

/** Signed by the authority's key, but with names it would never put there. */
function misissued(authority: Authority, clusterId: string, hostId: string): Uint8Array {
  const { certificate } = readAuthority(authority.caCertificatePem);
  const key = readPrivateKey(authority.caKeyPem);
  assert.deepEqual(publicKeyOf(authority.caKeyPem), exportPublicKey(certificate.publicKey));
  return makeHostCertificate(
    { clusterId, key, publicKey: publicKeyOf(authority.caKeyPem) },
    { hostId, roles: ["client"], publicKey: generateHostKey().publicKey },
    { notBeforeMs: NOW_MS - DAY_MS, notAfterMs: NOW_MS + DAY_MS },
    randomSerial(testRandom(6)),
  );
}
