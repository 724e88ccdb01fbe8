import { concatBytes } from "../base/index.js";
import type { ChunkId, ChunkVersion } from "./ids.js";

/**
 * What a client shows to a chunk server with every request: a metadata server's word, sealed with a key that no client has, that a
 * session has a lease on the file of the chunk (`docs/security.md`). It is about one version of one chunk. A lease that its holder
 * did not give back is over for the servers with the next version; one that was given back, when somebody else uses a ticket
 * that says so (`excludesOthers`).
 */
export interface Ticket {
  readonly sessionId: number;
  /** How far the log of the metadata was when it was given: a later ticket has a higher number, or the same. */
  readonly issuedAt: number;
  /** The session has the file open for writing. Otherwise it may read. */
  readonly mayChange: boolean;
  /** Nobody else could change the file when it was given: whoever was told earlier that he may, may not any more. */
  readonly excludesOthers: boolean;
}

const FORMAT = 1;
const MAY_CHANGE = 1;
const EXCLUDES_OTHERS = 2;
const SESSION_AT = 2;
const ISSUED_AT = 10;
const CLAIMS_BYTES = 18;
const SEAL_BYTES = 16;

/** The ticket as it travels. `seal` makes 16 bytes of those that it vouches for. */
export function encodeTicket(
  place: TicketPlace,
  ticket: Ticket,
  seal: (bytes: Uint8Array) => Uint8Array,
): Uint8Array {
  const claims = new Uint8Array(CLAIMS_BYTES);
  const view = new DataView(claims.buffer);
  claims[0] = FORMAT;
  claims[1] = (ticket.mayChange ? MAY_CHANGE : 0) | (ticket.excludesOthers ? EXCLUDES_OTHERS : 0);
  view.setBigUint64(SESSION_AT, BigInt(ticket.sessionId));
  view.setBigUint64(ISSUED_AT, BigInt(ticket.issuedAt));
  return concatBytes(claims, seal(sealedBytes(place, claims)));
}

/** What it says, if `isSeal` finds that it was sealed so. Undefined if it is none, or of another place. */
export function decodeTicket(
  place: TicketPlace,
  bytes: Uint8Array,
  isSeal: (bytes: Uint8Array, seal: Uint8Array) => boolean,
): Ticket | undefined {
  if (bytes.length !== CLAIMS_BYTES + SEAL_BYTES || bytes[0] !== FORMAT) return undefined;
  const claims = bytes.subarray(0, CLAIMS_BYTES);
  if (!isSeal(sealedBytes(place, claims), bytes.subarray(CLAIMS_BYTES))) return undefined;
  const flags = bytes[1] ?? 0;
  return {
    sessionId: ticketSession(bytes),
    issuedAt: claim(bytes, ISSUED_AT),
    mayChange: (flags & MAY_CHANGE) !== 0,
    excludesOthers: (flags & EXCLUDES_OTHERS) !== 0,
  };
}

export interface TicketPlace {
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
}

/** Whose it says it is, for a look at what is known of that session; 0 if it is no ticket. */
export const ticketSession = (bytes: Uint8Array): number => claim(bytes, SESSION_AT);

/** Whether the first was given after the second, for who holds them and cannot check them. */
export const isLaterTicket = (a: Uint8Array, b: Uint8Array): boolean =>
  claim(a, ISSUED_AT) > claim(b, ISSUED_AT);

function claim(bytes: Uint8Array, at: number): number {
  if (bytes.length !== CLAIMS_BYTES + SEAL_BYTES) return 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
}

function sealedBytes({ chunkId, version }: TicketPlace, claims: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(16 + CLAIMS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(chunkId));
  view.setBigUint64(8, BigInt(version));
  bytes.set(claims, 16);
  return bytes;
}
