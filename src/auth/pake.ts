/**
 * The password-authenticated key exchange: OPAQUE (RFC 9807) as `@serenity-kit/opaque` implements it, with bytes
 * instead of base64 text and `StorageError` instead of whatever WebAssembly throws. Why OPAQUE:
 * `docs/decisions/0002-password-enrolment.md`.
 *
 * A login is three messages: `request` of the client, `response` of the server, `proof` of the client; then both have
 * the same session key. The client notices a wrong password (or a server that does not know the verifier) when it
 * reads the response, before it has sent anything that depends on the password.
 */

import { storageError, toUtf8 } from "../base/index.js";

/** Loaded on first use: only enrolment pays for starting WebAssembly. */
const load = async () => {
  const opaque = await import("@serenity-kit/opaque");
  await opaque.ready;
  return opaque;
};

/** The cluster has one password, hence one "user". Part of what the verifier is derived from: never changes. */
const USER = "pstorage cluster password";
/** Argon2id, 64 MiB, 3 passes: some 0.4 s for the honest host once, and for each guess of a thief of the verifier. */
const STRETCHING = "memory-constrained";

/** What an MDS keeps instead of the password. Both are secret: with both, passwords can be tried offline. */
export interface PasswordVerifier {
  /** Keys of the server side, base64url. */
  readonly passwordServerSetup: string;
  /** OPAQUE registration record, base64url. */
  readonly passwordVerifier: string;
}

export interface PakeLogin {
  readonly request: Uint8Array;
  /** Throws `unauthenticated` for a wrong password. */
  finish(response: Uint8Array): { readonly proof: Uint8Array; readonly sessionKey: Uint8Array };
}

export interface PakeAnswer {
  readonly response: Uint8Array;
  /** Throws `unauthenticated` unless the client knows the password. */
  finish(proof: Uint8Array): { readonly sessionKey: Uint8Array };
}

/** The failure of every wrong password, wherever it is noticed. */
export function wrongPassword(cause?: unknown): Error {
  return storageError("unauthenticated", "wrong cluster password", cause);
}

/** Makes the verifier of a new password. */
export async function createPasswordVerifier(password: string): Promise<PasswordVerifier> {
  const secret = normalized(password);
  const { client, server } = await load();
  const passwordServerSetup = server.createSetup();
  const { clientRegistrationState, registrationRequest } = client.startRegistration({ password: secret });
  const { registrationResponse } = server.createRegistrationResponse({
    serverSetup: passwordServerSetup,
    userIdentifier: USER,
    registrationRequest,
  });
  const { registrationRecord } = client.finishRegistration({
    password: secret,
    clientRegistrationState,
    registrationResponse,
    keyStretching: STRETCHING,
  });
  return { passwordServerSetup, passwordVerifier: registrationRecord };
}

/** Client side of a login. */
export async function startPakeLogin(password: string): Promise<PakeLogin> {
  const secret = normalized(password);
  const { client } = await load();
  const { clientLoginState, startLoginRequest } = client.startLogin({ password: secret });
  const finish = (loginResponse: string) =>
    client.finishLogin({ password: secret, clientLoginState, loginResponse, keyStretching: STRETCHING });
  return {
    request: toBytes(startLoginRequest),
    finish(response) {
      const result = trap(() => finish(toBase64(response)), wrongPassword);
      if (result === undefined) throw wrongPassword();
      return { proof: toBytes(result.finishLoginRequest), sessionKey: toBytes(result.sessionKey) };
    },
  };
}

/** Server side of a login. Throws `malformed` for a request that is not one. */
export async function answerPakeLogin(verifier: PasswordVerifier, request: Uint8Array): Promise<PakeAnswer> {
  const { server } = await load();
  const start = () =>
    server.startLogin({
      serverSetup: verifier.passwordServerSetup,
      userIdentifier: USER,
      registrationRecord: verifier.passwordVerifier,
      startLoginRequest: toBase64(request),
    });
  const { serverLoginState, loginResponse } = trap(start, malformedRequest);
  const finish = (finishLoginRequest: string) => server.finishLogin({ serverLoginState, finishLoginRequest });
  return {
    response: toBytes(loginResponse),
    finish(proof) {
      return { sessionKey: toBytes(trap(() => finish(toBase64(proof)), wrongPassword).sessionKey) };
    },
  };
}

/** One spelling for every keyboard, and bounds. Throws `invalid`. */
function normalized(password: string): string {
  const text = password.slice(0, 2048).normalize("NFC");
  const sizeBytes = toUtf8(text).length;
  if (sizeBytes === 0) throw storageError("invalid", "the cluster password is empty");
  if (sizeBytes > 1024) throw storageError("invalid", "the cluster password is longer than 1024 bytes");
  return text;
}

function malformedRequest(cause: unknown): Error {
  return storageError("malformed", "enrolment message with a wrong pake_request", cause);
}

function trap<T>(run: () => T, failure: (cause: unknown) => Error): T {
  try {
    return run();
  } catch (error) {
    throw failure(error);
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

function toBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"));
}
