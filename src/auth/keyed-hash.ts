/** Hashes, keyed hashes and their comparison: synchronous, so that simulated paths may use them too. */

import { createHash, createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { concatBytes, toUtf8 } from "../base/index.js";

/** SHA-256. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

/** HMAC-SHA-256, 32 bytes. */
export function keyedHash(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHmac("sha256", key).update(bytes).digest());
}

/** The first 16 bytes of HMAC-SHA-256 (RFC 2104, 5): a seal that is looked at often. */
export function shortKeyedHash(key: Uint8Array, bytes: Uint8Array): Uint8Array {
  return keyedHash(key, bytes).subarray(0, 16);
}

/** HKDF-SHA-256: an independent 32-byte key for each purpose. */
export function deriveKey(secret: Uint8Array, salt: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, salt, purpose, 32));
}

/** Compares without telling by its time where the difference is. The lengths are not secret. */
export function equalSecrets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Fields one after the other, each after its length, so that no two lists of fields give the same bytes. */
export function joinFields(...fields: readonly (Uint8Array | string)[]): Uint8Array {
  const parts = fields.flatMap((field) => {
    const bytes = typeof field === "string" ? toUtf8(field) : field;
    const { length } = bytes;
    return [Uint8Array.of(length >>> 24, length >>> 16, length >>> 8, length), bytes];
  });
  return concatBytes(...parts);
}
