import assert from "node:assert/strict";
import { test } from "vitest";
import { answerPakeLogin, createPasswordVerifier, startPakeLogin } from "../../../src/auth/pake.js";
import { failureCode } from "./fixtures.js";

test("with the real stretching, both ends get one key from the right password and none from a wrong one", async () => {
  const verifier = await createPasswordVerifier("right");

  const login = await startPakeLogin("right");
  const answer = await answerPakeLogin(verifier, login.request);
  const { proof, sessionKey } = login.finish(answer.response);
  const guess = await startPakeLogin("wrong");
  const { response } = await answerPakeLogin(verifier, guess.request);

  assert.equal(sessionKey.length, 64);
  assert.deepEqual(answer.finish(proof).sessionKey, sessionKey);
  assert.equal(await failureCode(() => guess.finish(response)), "unauthenticated");
});

test("two logins with the same password send different bytes and get different keys", async () => {
  const verifier = await createPasswordVerifier("right");
  const run = async () => {
    const login = await startPakeLogin("right");
    const answer = await answerPakeLogin(verifier, login.request);
    return { request: login.request, response: answer.response, ...login.finish(answer.response) };
  };

  const [one, two] = [await run(), await run()];

  assert.notDeepEqual(one.request, two.request);
  assert.notDeepEqual(one.response, two.response);
  assert.notDeepEqual(one.proof, two.proof);
  assert.notDeepEqual(one.sessionKey, two.sessionKey);
});

test("the password is not in the verifier", async () => {
  const password = "a long and recognisable password";
  const verifier = await createPasswordVerifier(password);

  const stored = Object.values(verifier).map((text) => Buffer.from(text, "base64url").toString("latin1"));

  assert(!stored.some((text) => text.includes("recognisable")));
});
