import { describe, expect, test } from "vitest";
import {
  type ChainMember,
  type ChunkMap,
  chunkId,
  chunkVersion,
  csId,
  encodeTicket,
} from "../../../../src/chunk/index.js";
import { MapCache } from "../../../../src/client/core/map-cache.js";

function mapOf(index: number, version: number, id = index + 100): ChunkMap {
  return { index, chunkId: chunkId(id), version: chunkVersion(version), chain: [], writable: true };
}

describe("the maps of a file", () => {
  test("an announced version puts every older map out of use, also for whoever holds it", () => {
    const cache = new MapCache();
    const held = cache.put(mapOf(0, 1), cache.epoch);
    cache.announce(chunkId(100), chunkVersion(2));

    expect(held?.isCurrent).toBe(false);
    expect(cache.get(0)).toBeUndefined();
  });

  test("a map that arrives after a newer version was announced is not taken in", () => {
    const cache = new MapCache();
    cache.announce(chunkId(100), chunkVersion(3));

    expect(cache.put(mapOf(0, 2), cache.epoch)).toBeUndefined();
    expect(cache.get(0)).toBeUndefined();
    expect(cache.put(mapOf(0, 3), cache.epoch)?.map?.version).toBe(3);
  });

  test("an older map never replaces a newer one", () => {
    const cache = new MapCache();
    cache.put(mapOf(0, 5), cache.epoch);
    expect(cache.put(mapOf(0, 4), cache.epoch)?.map?.version).toBe(5);
  });

  test("a member that was filled is read from, though the version is the same, and stays so", () => {
    const member = (id: number, syncing: boolean): ChainMember => ({
      csId: csId(id),
      address: "",
      hostId: "",
      syncing,
    });
    const filling = { ...mapOf(0, 5), chain: [member(1025, false), member(1026, true)] };
    const filled = { ...mapOf(0, 5), chain: [member(1025, false), member(1026, false)] };
    const cache = new MapCache();
    const held = cache.put(filling, cache.epoch);
    expect(cache.put(filled, cache.epoch)?.map).toBe(filled);
    expect(held?.isCurrent).toBe(false);
    expect(cache.put(filling, cache.epoch)?.map).toBe(filled);
  });

  test("a later ticket is used, and what was read with the earlier one is kept", () => {
    const ticket = (issuedAt: number): Uint8Array =>
      encodeTicket(
        mapOf(0, 5),
        { sessionId: 1, issuedAt, mayChange: false, excludesOthers: false },
        () => new Uint8Array(16),
      );
    const cache = new MapCache();
    const held = cache.put(mapOf(0, 5), cache.epoch);
    for (const issuedAt of [7, 9, 8]) cache.put({ ...mapOf(0, 5), ticket: ticket(issuedAt) }, cache.epoch);
    cache.put(mapOf(0, 5), cache.epoch);
    expect(held?.isCurrent).toBe(true);
    expect(held?.map?.ticket).toEqual(ticket(9));
    expect(cache.get(0)).toBe(held);
  });

  test("an announcement of what is known already changes nothing", () => {
    const cache = new MapCache();
    const held = cache.put(mapOf(0, 5), cache.epoch);
    cache.announce(chunkId(100), chunkVersion(5));
    expect(held?.isCurrent).toBe(true);
  });

  test("answers to questions from before everything was forgotten do not count", () => {
    const cache = new MapCache();
    const { epoch } = cache;
    cache.forgetAll();
    expect(cache.put(mapOf(0, 1), epoch)).toBeUndefined();
  });

  test("a hole is not believed if anything changed since the question", () => {
    const cache = new MapCache();
    const { changeCount } = cache;
    cache.put(mapOf(0, 1), cache.epoch);
    cache.announce(chunkId(100), chunkVersion(2));
    cache.putHoles([0, 1], changeCount);
    expect(cache.get(0)).toBeUndefined();

    cache.putHoles([0, 1], cache.changeCount);
    expect(cache.get(1)?.map).toBeUndefined();
    expect(cache.get(1)?.isCurrent).toBe(true);
    cache.forgetHoles();
    expect(cache.get(1)).toBeUndefined();
  });

  test("permission to write survives a new version, and ends with the lease", () => {
    const cache = new MapCache();
    cache.put(mapOf(0, 1), cache.epoch);
    cache.noteWriter(chunkId(100));
    cache.announce(chunkId(100), chunkVersion(2));
    expect(cache.mayWrite(chunkId(100))).toBe(true);
    cache.forgetWriters();
    expect(cache.mayWrite(chunkId(100))).toBe(false);
  });

  test("a truncation forgets what lies behind", () => {
    const cache = new MapCache();
    const kept = cache.put(mapOf(0, 1), cache.epoch);
    const gone = cache.put(mapOf(1, 1), cache.epoch);
    cache.forgetFrom(1);
    expect([kept?.isCurrent, gone?.isCurrent]).toEqual([true, false]);
  });
});
