import { createCipheriv, createDecipheriv } from "node:crypto";
import { concatBytes, storageError } from "../../base/index.js";

/**
 * How the records of a data channel are kept from being read or changed on their way.
 * - `plain`: not at all, for a unix socket, whose bytes never leave the kernel.
 * - `authenticated`: AES-128-GCM as a MAC: anybody may read, nobody can change, repeat, drop or reorder.
 * - `encrypted`: AES-128-GCM.
 */
export type Protection = "plain" | "authenticated" | "encrypted";

export const KEY_BYTES = 16;
const TAG_BYTES = 16;
const CIPHER = "aes-128-gcm";

/** Bytes a record is longer on the wire. */
export function sealBytes(protection: Protection): number {
  return protection === "plain" ? 0 : TAG_BYTES;
}

/**
 * Seals the records of one direction in their order. The nonce is their number (NIST SP 800-38D, 8.2.1), so a key must
 * serve one direction of one connection only.
 */
export class Sealer {
  readonly #key: Uint8Array;
  readonly #protection: Protection;
  readonly #nonce = new Nonce();

  constructor(key: Uint8Array, protection: Protection) {
    this.#key = key;
    this.#protection = protection;
  }

  /** The record as it is sent: its pieces, and the tag behind them. */
  seal(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
    if (this.#protection === "plain") return pieces;
    const cipher = createCipheriv(CIPHER, this.#key, this.#nonce.next());
    let sent = pieces;
    if (this.#protection === "encrypted") sent = pieces.map((piece) => cipher.update(piece));
    else for (const piece of pieces) cipher.setAAD(piece);
    cipher.final();
    return [...sent, cipher.getAuthTag()];
  }

  /** The same for a record in one piece, behind `offset` bytes that are sent as they are. */
  sealFrom(bytes: Uint8Array, offset: number): readonly Uint8Array[] {
    if (this.#protection === "plain") return [bytes];
    const sealed = this.seal([bytes.subarray(offset)]);
    return [concatBytes(bytes.subarray(0, offset), ...sealed)];
  }
}

/** Opens what a `Sealer` with the same key and protection sealed, in the same order. */
export class Opener {
  readonly #key: Uint8Array;
  readonly #protection: Protection;
  readonly #nonce = new Nonce();

  constructor(key: Uint8Array, protection: Protection) {
    this.#key = key;
    this.#protection = protection;
  }

  /** What was sealed, as a view where it can be one. Fails with `malformed` if a bit of it is not as it was sent. */
  open(record: Uint8Array): Uint8Array {
    if (this.#protection === "plain") return record;
    const end = record.length - TAG_BYTES;
    if (end < 0) throw storageError("malformed", "a record without its tag");
    const decipher = createDecipheriv(CIPHER, this.#key, this.#nonce.next());
    decipher.setAuthTag(record.subarray(end));
    const body = record.subarray(0, end);
    const isEncrypted = this.#protection === "encrypted";
    const opened = isEncrypted ? decipher.update(body) : body;
    if (!isEncrypted) decipher.setAAD(body);
    try {
      decipher.final();
      return opened;
    } catch (error) {
      throw storageError("malformed", "a record that was changed on its way", error);
    }
  }
}

/** 96 bits: the number of the record, lowest bits last. A key is replaced long before 2^53 records. */
class Nonce {
  readonly #bytes = new Uint8Array(12);
  readonly #view = new DataView(this.#bytes.buffer);
  #count = 0;

  next(): Uint8Array {
    this.#view.setUint32(4, Math.floor(this.#count / 2 ** 32));
    this.#view.setUint32(8, this.#count >>> 0);
    this.#count++;
    return this.#bytes;
  }
}
