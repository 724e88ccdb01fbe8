/** The key pair of a host: ECDSA on P-256, made where it is used. The private half never leaves the host. */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { equalBytes, type StorageError, storageError } from "../base/index.js";

export interface HostKey {
  /** PKCS#8 PEM. Secret. */
  readonly privateKeyPem: string;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Uint8Array;
}

export function generateHostKey(): HostKey {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicKey: exportPublicKey(publicKey),
  };
}

/** Signs `context`, which must name what the proof is for and something fresh. */
export function provePossession(privateKeyPem: string, context: Uint8Array): Uint8Array {
  return new Uint8Array(sign("sha256", context, readPrivateKey(privateKeyPem)));
}

/** Throws `malformed` unless `publicKey` is a P-256 key in its one DER form and its owner signed `context`. */
export function checkPossession(publicKey: Uint8Array, context: Uint8Array, proof: Uint8Array): void {
  const key = readPublicKey(publicKey);
  if (!verifies(key, context, proof))
    throw storageError("malformed", "the host does not have the private key");
}

/** The key in PKCS#8 PEM; throws `malformed` for anything but a P-256 key. */
export function readPrivateKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey({ key: pem, format: "pem" });
    if (isP256(key)) return key;
  } catch (error) {
    throw notAKey("private", error);
  }
  throw notAKey("private");
}

/** The public half of a private key, DER SubjectPublicKeyInfo. */
export function publicKeyOf(privateKeyPem: string): Uint8Array {
  return exportPublicKey(createPublicKey(readPrivateKey(privateKeyPem)));
}

/** DER SubjectPublicKeyInfo. */
export function exportPublicKey(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ type: "spki", format: "der" }));
}

function readPublicKey(der: Uint8Array): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });
    if (isP256(key) && equalBytes(exportPublicKey(key), der)) return key;
  } catch (error) {
    throw notAKey("public", error);
  }
  throw notAKey("public");
}

function isP256(key: KeyObject): boolean {
  return key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1";
}

function verifies(key: KeyObject, context: Uint8Array, proof: Uint8Array): boolean {
  try {
    return verify("sha256", context, key, proof);
  } catch {
    // OpenSSL reports some garbage signatures by throwing rather than by saying no.
    return false;
  }
}

function notAKey(half: "private" | "public", cause?: unknown): StorageError {
  return storageError("malformed", `not a P-256 ${half} key`, cause);
}
