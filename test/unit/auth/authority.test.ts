import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "vitest";
import { createAuthority } from "../../../src/auth/authority.js";
import {
  generateHostKey,
  HOST_LIFE_MS,
  needsRenewal,
  PeerVerifier,
  provePossession,
  renewalContext,
  renewHostCertificate,
} from "../../../src/auth/index.js";
import {
  CLUSTER,
  credentialFrom,
  DAY_MS,
  failureCode,
  HOST,
  NOW_MS,
  testCredential,
  testRandom,
} from "./fixtures.js";

test("a host certificate names cluster, host and roles and may not sign others", () => {
  const { credential, hostCertificate } = testCredential({ roles: ["mds", "cs"] });
  const certificate = new X509Certificate(hostCertificate);

  assert.equal(
    certificate.subjectAltName,
    `DNS:${CLUSTER}.pstorage, URI:pstorage://${CLUSTER}/host/${HOST}?roles=cs+mds`,
  );
  assert.equal(certificate.ca, false);
  assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  assert.equal(certificate.checkHost(`${CLUSTER}.pstorage`), `${CLUSTER}.pstorage`);
  assert.deepEqual(credential.roles, ["cs", "mds"]);
});

test("no two certificates have the same serial number", () => {
  const random = testRandom();
  const authority = createAuthority(CLUSTER, { nowMs: NOW_MS, random });
  const serials = Array.from({ length: 20 }, () => {
    const { privateKeyPem, publicKey } = generateHostKey();
    const peer = new PeerVerifier(authority.caCertificatePem).identify(
      credentialFrom(authority, ["client"]).hostCertificate,
      NOW_MS,
    );
    const possession = provePossession(privateKeyPem, renewalContext(CLUSTER, HOST));
    return renewHostCertificate(authority, peer, { publicKey, possession }, { nowMs: NOW_MS, random }).serial;
  });

  assert.equal(new Set(serials).size, 20);
});

test("a renewed certificate has the same host and roles, the new key, and a later end", () => {
  const issuedAtMs = NOW_MS - 8 * 365 * DAY_MS;
  const { authority, credential } = testCredential({ roles: ["cs"], issuedAtMs });
  const { privateKeyPem, publicKey } = generateHostKey();
  const possession = provePossession(privateKeyPem, renewalContext(CLUSTER, HOST));
  const context = { nowMs: NOW_MS, random: testRandom() };

  const renewed = renewHostCertificate(authority, credential.certificate, { publicKey, possession }, context);
  const peer = new PeerVerifier(authority.caCertificatePem).identify(renewed.certificate, NOW_MS);

  assert.deepEqual([peer.hostId, peer.roles, peer.publicKey], [HOST, ["cs"], publicKey]);
  assert.equal(peer.notAfterMs, Math.floor((NOW_MS + HOST_LIFE_MS) / 1000) * 1000);
  assert.equal(needsRenewal(credential.certificate, NOW_MS), true);
  assert.equal(needsRenewal(peer, NOW_MS), false);
});

test("a certificate is not renewed after its end, nor for a key its host does not have", async () => {
  const { authority, credential } = testCredential();
  const mine = generateHostKey();
  const stranger = generateHostKey();
  const possession = provePossession(mine.privateKeyPem, renewalContext(CLUSTER, HOST));
  const renew = (publicKey: Uint8Array, nowMs: number) =>
    failureCode(() =>
      renewHostCertificate(
        authority,
        credential.certificate,
        { publicKey, possession },
        { nowMs, random: testRandom() },
      ),
    );

  assert.equal(await renew(mine.publicKey, credential.certificate.notAfterMs), "unauthenticated");
  assert.equal(await renew(stranger.publicKey, NOW_MS), "malformed");
});

test("no host certificate outlives its authority", () => {
  const createdAtMs = NOW_MS - 35 * 365 * DAY_MS;
  const authority = createAuthority(CLUSTER, { nowMs: createdAtMs, random: testRandom() });

  const { credential } = credentialFrom(authority, ["client"], NOW_MS);

  assert.equal(
    credential.certificate.notAfterMs,
    Date.parse(new X509Certificate(authority.caCertificatePem).validTo),
  );
});
