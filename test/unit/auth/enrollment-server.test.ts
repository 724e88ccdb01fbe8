import assert from "node:assert/strict";
import { beforeAll, test, vi } from "vitest";
import { createAuthority, issueHostCertificate } from "../../../src/auth/authority.js";
import {
  deriveEnrollmentKeys,
  hashTranscript,
  possessionContext,
  requestMac,
} from "../../../src/auth/enrollment-transcript.js";
import {
  type ClusterSecrets,
  changePassword,
  type EnrollFinish,
  type EnrollmentCalls,
  type EnrollResult,
  type EnrollStart,
  enroll,
  generateHostKey,
  type IssuedCertificate,
  PeerVerifier,
  provePossession,
  RateLimiter,
} from "../../../src/auth/index.js";
import { startPakeLogin } from "../../../src/auth/pake.js";
import { certificateDer } from "../../../src/auth/peer-verifier.js";
import {
  ADDRESS,
  CLUSTER,
  failureCode,
  HOST,
  NOW_MS,
  OTHER_CLUSTER,
  PASSWORD,
  TestClock,
  testRandom,
  testSecrets,
  testServer,
} from "./fixtures.js";

// The password is stretched for half a second each time on purpose; here it may be cheap.
vi.mock("@serenity-kit/opaque", async (original) =>
  (await import("./cheap-opaque.js")).cheapOpaque(await original()),
);

const REQUEST = { password: PASSWORD, hostId: HOST, roles: ["client", "cs"] as const };
let secrets: ClusterSecrets;

/** The same wire, keeping every Finish that goes over it. */
function recording(calls: EnrollmentCalls): { calls: EnrollmentCalls; sent: EnrollFinish[] } {
  const sent: EnrollFinish[] = [];
  const finish = (message: EnrollFinish) => {
    sent.push(message);
    return calls.finish(message);
  };
  return { calls: { ...calls, finish }, sent };
}

beforeAll(async () => {
  secrets = await testSecrets();
});

test("whoever knows the password gets a certificate for its host id and roles", async () => {
  const issued: IssuedCertificate[] = [];
  const { calls, clock } = await testServer({ onIssued: (certificate) => issued.push(certificate) });

  const credential = await enroll(REQUEST, calls, clock);

  assert.deepEqual(
    [credential.clusterId, credential.hostId, credential.roles],
    [CLUSTER, HOST, ["client", "cs"]],
  );
  assert.equal(credential.caPem, secrets.caCertificatePem);
  assert.equal(issued[0]?.serial, credential.certificate.serial);
});

test("a wrong password is refused by the host before it has sent any proof", async () => {
  const { calls, clock } = await testServer();
  const recorder = recording(calls);

  await assert.rejects(enroll({ ...REQUEST, password: "hunter2" }, recorder.calls, clock), {
    message: "unauthenticated: wrong cluster password",
  });

  assert.deepEqual(recorder.sent, []);
});

test("the MDS hears of attempts that nobody finished, and only of those", async () => {
  const abandoned: string[] = [];
  const { calls, clock } = await testServer({ onAbandoned: (peerAddress) => abandoned.push(peerAddress) });

  await failureCode(() => enroll({ ...REQUEST, password: "hunter2" }, calls, clock));
  await enroll(REQUEST, calls, clock);
  clock.ms += 30_000;
  await enroll(REQUEST, calls, clock);

  assert.deepEqual(abandoned, [ADDRESS]);
});

test("after a change of the password only the new one works and old certificates stay valid", async () => {
  const changed = await changePassword(secrets, "new password");
  const { calls, clock } = await testServer({ secrets: () => changed });

  const withOld = await failureCode(() => enroll(REQUEST, calls, clock));
  const credential = await enroll({ ...REQUEST, password: "new password" }, calls, clock);

  assert.equal(withOld, "unauthenticated");
  const verifier = new PeerVerifier(secrets.caCertificatePem);
  assert.equal(verifier.identify(certificateDer(credential.certPem), NOW_MS).hostId, HOST);
});

test("the same password typed with composed and decomposed letters is the same password", async () => {
  const changed = await changePassword(secrets, "caf\u00e9");
  const { calls, clock } = await testServer({ secrets: () => changed });

  const credential = await enroll({ ...REQUEST, password: "cafe\u0301" }, calls, clock);

  assert.equal(credential.hostId, HOST);
});

test("an empty or an endless password is refused before anything is sent", async () => {
  const { calls, clock } = await testServer();

  const codes = [
    await failureCode(() => enroll({ ...REQUEST, password: "" }, calls, clock)),
    await failureCode(() => enroll({ ...REQUEST, password: "x".repeat(5_000_000) }, calls, clock)),
  ];

  assert.deepEqual(codes, ["invalid", "invalid"]);
});

test("a host that expects another cluster is told so and sends no proof", async () => {
  const { calls, clock } = await testServer();

  const code = await failureCode(() =>
    enroll({ ...REQUEST, expectedClusterId: OTHER_CLUSTER }, calls, clock),
  );

  assert.equal(code, "wrong_cluster");
});

const OTHER_KEY = generateHostKey();

/** What a man in the middle may try on the host's request. */
const REQUEST_FORGERIES: Record<string, (message: EnrollFinish) => EnrollFinish> = {
  "another public key": (message) => ({ ...message, publicKey: OTHER_KEY.publicKey }),
  "another host id": (message) => ({ ...message, hostId: "ffffffffffffffff" }),
  "more roles": (message) => ({ ...message, roles: ["admin", "client", "cs"] }),
  "another proof of possession": (message) => ({
    ...message,
    possession: message.possession.map((b) => b ^ 1),
  }),
  "another MAC": (message) => ({ ...message, mac: message.mac.map((byte) => byte ^ 1) }),
};

for (const [what, forge] of Object.entries(REQUEST_FORGERIES)) {
  test(`a man in the middle who puts ${what} into the request gets no certificate`, async () => {
    const issued: IssuedCertificate[] = [];
    const { calls, clock } = await testServer({ onIssued: (certificate) => issued.push(certificate) });
    const forged = { ...calls, finish: (message: EnrollFinish) => calls.finish(forge(message)) };

    assert.equal(await failureCode(() => enroll(REQUEST, forged, clock)), "unauthenticated");
    assert.deepEqual(issued, []);
  });
}

/** What a man in the middle may try on the answer: with an authority of its own, named like the real one. */
function foreignResult({ publicKey }: EnrollFinish): Pick<EnrollResult, "caCertificate" | "hostCertificate"> {
  const context = { nowMs: NOW_MS, random: testRandom(99) };
  const authority = createAuthority(CLUSTER, context);
  const request = { hostId: HOST, roles: ["client", "cs"] as const, publicKey };
  return {
    caCertificate: certificateDer(authority.caCertificatePem),
    hostCertificate: issueHostCertificate(authority, request, context).certificate,
  };
}

const RESULT_FORGERIES: Record<string, (message: EnrollFinish, result: EnrollResult) => EnrollResult> = {
  "its own authority": (message, result) => ({ ...result, ...foreignResult(message) }),
  "a certificate of its own authority": (message, result) => ({
    ...result,
    hostCertificate: foreignResult(message).hostCertificate,
  }),
  "its own authority's certificate": (message, result) => ({
    ...result,
    caCertificate: foreignResult(message).caCertificate,
  }),
  "another MAC": (_, result) => ({ ...result, mac: result.mac.map((byte) => byte ^ 1) }),
};

for (const [what, forge] of Object.entries(RESULT_FORGERIES)) {
  test(`a man in the middle who puts ${what} into the answer is noticed by the host`, async () => {
    const { calls, clock } = await testServer();
    const forged = {
      ...calls,
      finish: async (message: EnrollFinish) => forge(message, await calls.finish(message)),
    };

    assert.equal(await failureCode(() => enroll(REQUEST, forged, clock)), "unauthenticated");
  });
}

test("an impostor of an MDS that does not know the verifier is noticed by the host", async () => {
  const { calls: honest } = await testServer();
  const impostor = await changePassword(await testSecrets(), "not the password");
  const { calls, clock } = await testServer({ secrets: () => impostor });

  assert.equal(await failureCode(() => enroll(REQUEST, calls, clock)), "unauthenticated");
  assert.equal((await enroll(REQUEST, honest, clock)).hostId, HOST);
});

test("a man in the middle who changes the cluster id of the challenge is noticed before a certificate is issued", async () => {
  const issued: IssuedCertificate[] = [];
  const { calls, clock } = await testServer({ onIssued: (certificate) => issued.push(certificate) });
  const forged = {
    ...calls,
    start: async (message: EnrollStart) => ({ ...(await calls.start(message)), clusterId: OTHER_CLUSTER }),
  };

  assert.equal(await failureCode(() => enroll(REQUEST, forged, clock)), "unauthenticated");
  assert.deepEqual(issued, []);
});

test("who knows the password gets no certificate for a key that is somebody else's", async () => {
  const { server } = await testServer();
  const mine = generateHostKey();
  const login = await startPakeLogin(PASSWORD);
  const start = { version: 1, pakeRequest: login.request };
  const challenge = await server.start(start, ADDRESS);
  const { proof, sessionKey } = login.finish(challenge.pakeResponse);
  const keys = deriveEnrollmentKeys(hashTranscript(start, challenge), sessionKey);
  const subject = { hostId: HOST, roles: ["client"] as const };
  const fields = {
    ...subject,
    handshakeId: challenge.handshakeId,
    pakeProof: proof,
    publicKey: OTHER_KEY.publicKey,
    possession: provePossession(mine.privateKeyPem, possessionContext(keys.transcript, subject)),
  };

  const code = await failureCode(() => server.finish({ ...fields, mac: requestMac(keys, fields) }, ADDRESS));

  assert.equal(code, "malformed");
});

test("a Finish that is sent twice is refused the second time", async () => {
  const { calls, clock, server } = await testServer();
  const recorder = recording(calls);
  await enroll(REQUEST, recorder.calls, clock);

  const [message] = recorder.sent;
  assert(message !== undefined);

  assert.equal(await failureCode(() => server.finish(message, ADDRESS)), "unauthenticated");
});

test("a Finish that failed once cannot be tried again with another proof", async () => {
  const { calls, clock, server } = await testServer();
  const spoilt = {
    ...calls,
    finish: (message: EnrollFinish) =>
      calls.finish({ ...message, pakeProof: message.pakeProof.map((byte) => byte ^ 1) }),
  };
  const recorder = recording(spoilt);
  await failureCode(() => enroll(REQUEST, recorder.calls, clock));

  const [message] = recorder.sent;
  assert(message !== undefined);

  assert.equal(await failureCode(() => server.finish(message, ADDRESS)), "unauthenticated");
});

test("a recorded Finish is of no use for another handshake", async () => {
  const { calls, clock, server } = await testServer();
  const recorder = recording(calls);
  await enroll(REQUEST, recorder.calls, clock);
  const [message] = recorder.sent;
  assert(message !== undefined);
  const { request } = await startPakeLogin("anything");
  const { handshakeId } = await server.start({ version: 1, pakeRequest: request }, ADDRESS);

  const code = await failureCode(() => server.finish({ ...message, handshakeId }, ADDRESS));

  assert.equal(code, "unauthenticated");
});

test("a handshake is over exactly when its time is", async () => {
  const { calls, clock } = await testServer();
  const slowBy = (ms: number) => ({
    ...calls,
    finish: async (message: EnrollFinish) => {
      clock.ms += ms;
      return calls.finish(message);
    },
  });

  const inTime = await enroll(REQUEST, slowBy(29_999), clock);
  const tooLate = await failureCode(() => enroll(REQUEST, slowBy(30_000), clock));

  assert.equal(inTime.hostId, HOST);
  assert.equal(tooLate, "unauthenticated");
});

test("starts beyond the rate limit are refused, and a success gives its attempt back", async () => {
  const limits = {
    addressBurst: 2,
    addressRefillMs: 1000,
    globalBurst: 9,
    globalRefillMs: 1,
    addressCountMax: 9,
  };
  const { calls, clock } = await testServer({ limiter: new RateLimiter(limits) });
  const wrong = () => failureCode(() => enroll({ ...REQUEST, password: "guess" }, calls, clock));

  for (let i = 0; i < 4; i++) await enroll(REQUEST, calls, clock);
  const codes = [await wrong(), await wrong(), await wrong()];

  assert.deepEqual(codes, ["unauthenticated", "unauthenticated", "rate_limited"]);
});

test("handshakes in flight are bounded, and room comes back when they expire", async () => {
  const many = 1_000_000;
  const limits = {
    addressBurst: many,
    addressRefillMs: 1,
    globalBurst: many,
    globalRefillMs: 1,
    addressCountMax: 9,
  };
  const { clock, server } = await testServer({ limiter: new RateLimiter(limits) });
  const { request } = await startPakeLogin(PASSWORD);
  const start = () => server.start({ version: 1, pakeRequest: request }, ADDRESS);

  for (let i = 0; i < 256; i++) await start();
  const tooMany = await failureCode(start);
  clock.ms += 30_000;
  const again = await start();

  assert.equal(tooMany, "busy");
  assert.equal(again.clusterId, CLUSTER);
});

test("an MDS that does not know the secrets yet sends the host elsewhere", async () => {
  const { calls } = await testServer({ secrets: () => undefined });

  assert.equal(await failureCode(() => enroll(REQUEST, calls, new TestClock())), "unavailable");
});

test("a host whose clock is far behind is told to look at its clock", async () => {
  const { calls } = await testServer();
  const late = new TestClock();
  late.ms = -3 * 86_400_000;

  await assert.rejects(enroll(REQUEST, calls, late), /compare the clocks/);
});
