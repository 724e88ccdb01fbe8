import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import {
  chunkId,
  chunkVersion,
  decodeTicket,
  encodeTicket,
  isLaterTicket,
  type Ticket,
  ticketSession,
} from "../../../src/chunk/index.js";

const PLACE = { chunkId: chunkId(7), version: chunkVersion(3) };
const TICKET: Ticket = {
  sessionId: 2 ** 40 + 5,
  issuedAt: 2 ** 50 + 1,
  mayChange: true,
  excludesOthers: false,
};
const seal = (bytes: Uint8Array): Uint8Array =>
  createHmac("sha256", "key").update(bytes).digest().subarray(0, 16);
const isSeal = (bytes: Uint8Array, found: Uint8Array): boolean => Buffer.compare(seal(bytes), found) === 0;

test.each([true, false])("a ticket says what was written into it (%s)", (flag) => {
  const ticket = { ...TICKET, mayChange: flag, excludesOthers: !flag };
  const bytes = encodeTicket(PLACE, ticket, seal);
  expect(decodeTicket(PLACE, bytes, isSeal)).toEqual(ticket);
  expect(ticketSession(bytes)).toBe(ticket.sessionId);
});

test("a ticket with any bit changed, cut short, longer, or of another place is none", () => {
  const bytes = encodeTicket(PLACE, TICKET, seal);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const changed = Uint8Array.from(bytes);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(decodeTicket(PLACE, changed, isSeal), `bit ${bit}`).toBeUndefined();
  }
  for (let length = 0; length < bytes.length; length++)
    expect(decodeTicket(PLACE, bytes.subarray(0, length), isSeal), `${length} bytes`).toBeUndefined();
  expect(decodeTicket(PLACE, Uint8Array.of(...bytes, 0), isSeal)).toBeUndefined();
  expect(decodeTicket({ ...PLACE, chunkId: chunkId(8) }, bytes, isSeal)).toBeUndefined();
  expect(decodeTicket({ ...PLACE, version: chunkVersion(4) }, bytes, isSeal)).toBeUndefined();
  expect(ticketSession(bytes.subarray(1))).toBe(0);
});

test("of two tickets the one that was given later is known", () => {
  const at = (issuedAt: number): Uint8Array => encodeTicket(PLACE, { ...TICKET, issuedAt }, seal);
  expect(isLaterTicket(at(256), at(255))).toBe(true);
  expect(isLaterTicket(at(255), at(256))).toBe(false);
  expect(isLaterTicket(at(2 ** 40), at(2 ** 32 - 1))).toBe(true);
  expect(isLaterTicket(at(7), at(7))).toBe(false);
});
