import { concatBytes, storageError, toUtf8 } from "../../base/index.js";
import type { Protection } from "./data-seal.js";

/** The first bytes of a data channel, from the side that opened it: who they are is known by the secret id. */
const MAGIC = toUtf8("PSDATA01");
export const CHANNEL_ID_BYTES = 16;
export const GREETING_BYTES = MAGIC.length + 1 + CHANNEL_ID_BYTES;

const PROTECTIONS: readonly Protection[] = ["plain", "authenticated", "encrypted"];

export interface Greeting {
  readonly protection: Protection;
  readonly channelId: Uint8Array;
}

export function encodeGreeting({ protection, channelId }: Greeting): Uint8Array {
  return concatBytes(MAGIC, Uint8Array.of(PROTECTIONS.indexOf(protection)), channelId);
}

/** Throws `malformed` for anything else. */
export function decodeGreeting(bytes: Uint8Array): Greeting {
  const protection = PROTECTIONS[bytes[MAGIC.length] ?? -1];
  const isGreeting = bytes.length === GREETING_BYTES && MAGIC.every((byte, index) => bytes[index] === byte);
  if (!isGreeting || protection === undefined)
    throw storageError("malformed", "not a greeting of a data channel");
  return { protection, channelId: bytes.slice(MAGIC.length + 1) };
}
