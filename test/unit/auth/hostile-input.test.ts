import assert from "node:assert/strict";
import { beforeAll, test, vi } from "vitest";
import {
  type ClusterSecrets,
  checkChallenge,
  checkFinish,
  checkResult,
  checkStart,
  decodeClusterSecrets,
  decodeCredential,
  type EnrollFinish,
  type EnrollmentCalls,
  encodeClusterSecrets,
  encodeCredential,
  enroll,
  PeerVerifier,
  RateLimiter,
} from "../../../src/auth/index.js";
import { parseRoles } from "../../../src/auth/role.js";
import { type Failure, failureOf, Prng, toUtf8 } from "../../../src/base/index.js";
import {
  ADDRESS,
  CLUSTER,
  HOST,
  NOW_MS,
  PASSWORD,
  testCredential,
  testSecrets,
  testServer,
} from "./fixtures.js";

// Everything that reads bytes of strangers, given bytes of strangers: it answers with a failure of the closed list.
// It never crashes, never hangs, never succeeds.

vi.mock("@serenity-kit/opaque", async (original) =>
  (await import("./cheap-opaque.js")).cheapOpaque(await original()),
);

const prng = new Prng(20240611);
const NO_LIMIT = {
  addressBurst: 1e9,
  addressRefillMs: 1,
  globalBurst: 1e9,
  globalRefillMs: 1,
  addressCountMax: 9,
};
const REQUEST = { password: PASSWORD, hostId: HOST, roles: ["client"] as const };
let secrets: ClusterSecrets;

beforeAll(async () => {
  secrets = await testSecrets();
});

/** Truncations, extensions, bit flips, transplants and pure noise: `count` of them, none equal to the original. */
function* damaged(original: Uint8Array, count: number): Generator<Uint8Array> {
  const ways = [
    () => original.subarray(0, prng.below(original.length)),
    () => Uint8Array.from([...original, ...prng.bytes(prng.between(1, 64))]),
    () => flipped(original, prng.below(original.length * 8)),
    () => replaced(original, prng.below(original.length), prng.bytes(prng.between(2, 32))),
    () => prng.bytes(original.length),
    () => prng.bytes(prng.below(300)),
  ];
  for (let i = 0; i < count; ) {
    const bytes = prng.pick(ways)();
    if (Buffer.from(bytes).equals(original)) continue;
    i += 1;
    yield bytes;
  }
}

function flipped(original: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(original);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

function replaced(original: Uint8Array, offset: number, piece: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(original);
  copy.set(piece.subarray(0, original.length - offset), offset);
  return copy;
}

/** The failure; anything else that is thrown, and success, fail the test. */
async function failureFrom(run: () => unknown): Promise<Failure> {
  try {
    await run();
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    return failure;
  }
  throw new assert.AssertionError({ message: "hostile input was accepted" });
}

test("a damaged host certificate never identifies anybody", async () => {
  const { authority, hostCertificate } = testCredential();
  const verifier = new PeerVerifier(authority.caCertificatePem);

  for (const der of damaged(hostCertificate, 1500)) await failureFrom(() => verifier.identify(der, NOW_MS));
  for (let bit = 0; bit < hostCertificate.length * 8; bit += 3) {
    await failureFrom(() => verifier.identify(flipped(hostCertificate, bit), NOW_MS));
  }
});

test("a certificate of a megabyte is refused without being read", async () => {
  const { authority } = testCredential();
  const verifier = new PeerVerifier(authority.caCertificatePem);

  assert.equal((await failureFrom(() => verifier.identify(prng.bytes(1 << 20), NOW_MS))).code, "malformed");
});

test("damaged cluster secrets are never taken for others", async () => {
  const bytes = encodeClusterSecrets(secrets);

  assert.deepEqual(decodeClusterSecrets(bytes), secrets);
  for (const piece of damaged(bytes, 500)) {
    const result = decodedOrFailure(() => decodeClusterSecrets(piece));
    if (result !== undefined) assert.equal(result.clusterId, CLUSTER);
    if (result !== undefined) assert.equal(result.caKeyPem.length, secrets.caKeyPem.length);
  }
  for (const text of ["", "{}", "pstorage-cluster-secrets 1\n[]", "pstorage-cluster-secrets 1\nnull"]) {
    await failureFrom(() => decodeClusterSecrets(toUtf8(text)));
  }
});

test("a damaged credential file is refused or, where only its spelling changed, gives the same credential", () => {
  const { credential } = testCredential();
  const bytes = encodeCredential(credential);

  for (const piece of damaged(bytes, 1000)) {
    const result = decodedOrFailure(() => decodeCredential(piece));
    if (result !== undefined) assert.deepEqual(result.certificate, credential.certificate);
  }
});

test("roles have exactly one spelling", () => {
  assert.deepEqual(parseRoles("client+cs"), ["client", "cs"]);
  for (const text of ["", "+", "cs+client", "cs+cs", "root", "cs+", " cs", "CS", "cs,mds", "x".repeat(99)]) {
    assert.equal(parseRoles(text), undefined, text);
  }
});

test("messages with fields of wrong sizes or types are malformed", async () => {
  const bytes = (count: number) => prng.bytes(count);
  const wrong: (() => void)[] = [
    () => checkStart({ version: 1, pakeRequest: bytes(95) }),
    () => checkStart({ version: 1, pakeRequest: bytes(1 << 20) }),
    () => checkChallenge({ handshakeId: bytes(15), clusterId: CLUSTER, pakeResponse: bytes(320) }),
    () => checkChallenge({ handshakeId: bytes(16), clusterId: `${CLUSTER}x`, pakeResponse: bytes(320) }),
    () => checkChallenge({ handshakeId: bytes(16), clusterId: CLUSTER, pakeResponse: bytes(319) }),
    () => checkFinish({ ...goodFinish(), handshakeId: bytes(17) }),
    () => checkFinish({ ...goodFinish(), pakeProof: bytes(63) }),
    () => checkFinish({ ...goodFinish(), hostId: HOST.toUpperCase() }),
    () => checkFinish({ ...goodFinish(), hostId: `${HOST}\n` }),
    () => checkFinish({ ...goodFinish(), roles: [] }),
    () => checkFinish({ ...goodFinish(), roles: ["cs", "cs"] }),
    () => checkFinish({ ...goodFinish(), publicKey: bytes(92) }),
    () => checkFinish({ ...goodFinish(), possession: bytes(73) }),
    () => checkFinish({ ...goodFinish(), possession: bytes(0) }),
    () => checkFinish({ ...goodFinish(), mac: bytes(31) }),
    () => checkResult({ caCertificate: bytes(4097), hostCertificate: bytes(1), mac: bytes(32) }),
    () => checkResult({ caCertificate: bytes(1), hostCertificate: bytes(0), mac: bytes(32) }),
    () => checkResult({ caCertificate: bytes(1), hostCertificate: bytes(1), mac: bytes(33) }),
  ];

  checkFinish(goodFinish());
  for (const check of wrong) assert.equal((await failureFrom(check)).code, "malformed", String(check));
  const old = await failureFrom(() => checkStart({ version: 2, pakeRequest: bytes(96) }));
  assert.equal(old.code, "unsupported");
});

test("a Start of random bytes of the right size is malformed or leads nowhere", async () => {
  const { server } = await testServer({ limiter: new RateLimiter(NO_LIMIT) });

  for (let i = 0; i < 200; i++) {
    const challenge = await server
      .start({ version: 1, pakeRequest: prng.bytes(96) }, ADDRESS)
      .catch(failureOf);
    assert(challenge !== undefined, "only failures of the list come out");
    if (!("handshakeId" in challenge)) continue;
    const finish = { ...goodFinish(), handshakeId: challenge.handshakeId };
    assert.equal((await failureFrom(() => server.finish(finish, ADDRESS))).code, "unauthenticated");
  }
});

/** Runs one enrolment in which the wire damages one field of one message. */
async function enrollThrough(damage: (calls: EnrollmentCalls) => EnrollmentCalls): Promise<Failure> {
  const { calls, clock } = await testServer({ limiter: new RateLimiter(NO_LIMIT) });
  return failureFrom(() => enroll(REQUEST, damage(calls), clock));
}

/** The fields of bytes of one message, each damaged in `count` ways. */
const FIELDS = {
  start: ["pakeRequest"],
  challenge: ["handshakeId", "pakeResponse"],
  finish: ["handshakeId", "pakeProof", "publicKey", "possession", "mac"],
  result: ["caCertificate", "hostCertificate", "mac"],
} as const;

for (const field of FIELDS.start) {
  test(`an enrolment whose Start.${field} was damaged on the wire fails`, async () => {
    for (let i = 0; i < 40; i++) {
      await enrollThrough((calls) => ({
        ...calls,
        start: (message) => calls.start({ ...message, [field]: one(message[field]) }),
      }));
    }
  });
}

for (const field of FIELDS.challenge) {
  test(`an enrolment whose Challenge.${field} was damaged on the wire fails`, async () => {
    for (let i = 0; i < 40; i++) {
      await enrollThrough((calls) => ({
        ...calls,
        start: async (message) => {
          const challenge = await calls.start(message);
          return { ...challenge, [field]: one(challenge[field]) };
        },
      }));
    }
  });
}

for (const field of FIELDS.finish) {
  test(`an enrolment whose Finish.${field} was damaged on the wire fails`, async () => {
    for (let i = 0; i < 40; i++) {
      await enrollThrough((calls) => ({
        ...calls,
        finish: (message) => calls.finish({ ...message, [field]: one(message[field]) }),
      }));
    }
  });
}

for (const field of FIELDS.result) {
  test(`an enrolment whose Result.${field} was damaged on the wire fails`, async () => {
    for (let i = 0; i < 40; i++) {
      await enrollThrough((calls) => ({
        ...calls,
        finish: async (message) => {
          const result = await calls.finish(message);
          return { ...result, [field]: one(result[field]) };
        },
      }));
    }
  });
}

function one(original: Uint8Array): Uint8Array {
  const [bytes] = damaged(original, 1);
  assert(bytes !== undefined);
  return bytes;
}

/** Right in every size, wrong in every byte. */
function goodFinish(): EnrollFinish {
  return {
    handshakeId: prng.bytes(16),
    pakeProof: prng.bytes(64),
    hostId: HOST,
    roles: ["client"],
    publicKey: prng.bytes(91),
    possession: prng.bytes(72),
    mac: prng.bytes(32),
  };
}

/** Undefined for a failure of the list; anything else that is thrown fails the test. */
function decodedOrFailure<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (failureOf(error) === undefined) throw error;
    return undefined;
  }
}
