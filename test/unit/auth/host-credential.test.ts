import assert from "node:assert/strict";
import { test } from "vitest";
import {
  credentialPath,
  decodeCredential,
  encodeCredential,
  ensureHostId,
  loadCredential,
  saveCredential,
} from "../../../src/auth/index.js";
import { fromUtf8, toUtf8 } from "../../../src/base/index.js";
import {
  CLUSTER,
  DAY_MS,
  failureCode,
  HOST,
  memoryDisk,
  NOW_MS,
  testCredential,
  testRandom,
} from "./fixtures.js";

const PATH = "/root/etc/pstorage/clusters/stor1/auth_digest.key";

test("a credential comes back from disk as it was saved, readable by its owner only", async () => {
  const { credential } = testCredential({ roles: ["cs", "client"] });
  const { disk, files, directories } = memoryDisk();

  await saveCredential(disk, "/root", "stor1", credential);
  const loaded = await loadCredential(disk, "/root", "stor1");

  assert.deepEqual(loaded, credential);
  assert.equal(files.get(PATH)?.mode, 0o600);
  assert.equal(directories.get("/root/etc/pstorage/clusters/stor1"), 0o700);
});

test("the root directory may be given with or without a slash at its end", () => {
  assert.equal(credentialPath("/", "stor1"), "/etc/pstorage/clusters/stor1/auth_digest.key");
  assert.equal(credentialPath("/root/", "stor1"), PATH);
  assert.equal(credentialPath("/root", "stor1"), PATH);
});

test("a name that is no cluster name leads to no path", async () => {
  for (const name of ["", "..", "a/b", "a b", "é", "x".repeat(64), "a\n"]) {
    assert.equal(await failureCode(() => credentialPath("/", name)), "invalid", name);
  }
});

test("a host that was never authenticated has no credential", async () => {
  const { disk } = memoryDisk();

  assert.equal(await failureCode(() => loadCredential(disk, "/root", "stor1")), "not_found");
});

test("a credential whose certificate has expired can still be read", () => {
  const { credential } = testCredential({ issuedAtMs: NOW_MS - 20 * 365 * DAY_MS });

  const read = decodeCredential(encodeCredential(credential));

  assert(read.certificate.notAfterMs < NOW_MS);
});

test("a credential made of parts that do not belong together is refused", async () => {
  const { credential } = testCredential();
  const { credential: other } = testCredential();
  const mixtures = [
    { ...credential, keyPem: other.keyPem },
    { ...credential, certPem: other.certPem },
    { ...credential, caPem: other.caPem },
    { ...credential, certPem: credential.caPem },
    { ...credential, caPem: credential.certPem },
    { ...credential, hostId: "ffffffffffffffff" },
    { ...credential, clusterId: CLUSTER.replace("3", "4") },
  ];

  for (const mixture of mixtures) {
    assert.equal(await failureCode(() => decodeCredential(encodeCredential(mixture))), "malformed");
  }
});

test("the host id is made once and kept", async () => {
  const { disk, files } = memoryDisk();

  const made = await ensureHostId(disk, "/root", testRandom());
  const kept = await ensureHostId(disk, "/root", testRandom(2));

  assert.match(made, /^[0-9a-f]{16}$/);
  assert.equal(kept, made);
  assert.equal(fromUtf8(files.get("/root/etc/pstorage/host_id")?.bytes ?? new Uint8Array()), `${made}\n`);
});

test("a host id written by hand is taken as it is, and a damaged one is not replaced", async () => {
  const { disk } = memoryDisk();
  const path = "/root/etc/pstorage/host_id";

  await disk.replaceFile(path, toUtf8(` ${HOST.toUpperCase()}`), "test");
  const byHand = await ensureHostId(disk, "/root", testRandom());
  await disk.replaceFile(path, toUtf8("0123"), "test");
  const damaged = await failureCode(() => ensureHostId(disk, "/root", testRandom()));

  assert.equal(byHand, HOST);
  assert.equal(damaged, "malformed");
});
