import { describe, expect, test } from "vitest";
import { compareBytes, Prng, StorageError, toUtf8 } from "../../../../src/base/index.js";
import { csId } from "../../../../src/chunk/index.js";
import { decodeKey, encodeKey, type KeyPart, keyAfter, prefixEnd } from "../../../../src/mds/store/keys.js";
import { RecordCache } from "../../../../src/mds/store/record-cache.js";
import { decodeValue } from "../../../../src/mds/store/stored-table.js";
import { LARGE_LAYOUTS, SMALL_LAYOUTS } from "../../../../src/mds/store/table-layouts.js";
import { lockOwner, ROOT_INODE, WHOLE_FILE } from "../../../../src/meta/index.js";
import { ChunkWorld } from "../core/chunk-world.js";

describe("keys", () => {
  test("sort like their parts, and give them back", () => {
    const prng = new Prng(1);
    const number = () => Math.floor(prng.float() * 2 ** prng.between(0, 53));
    const text = () => String.fromCharCode(...Array.from({ length: prng.below(4) }, () => prng.below(256)));
    const keys = Array.from({ length: 500 }, () => [prng.pick([1, 2, number()]), text()] as KeyPart[]);
    const encoded = keys.map((parts) => ({ parts, bytes: encodeKey(3, 65, parts) }));
    for (const { parts, bytes } of encoded) expect(decodeKey(bytes, 2, true)).toEqual(parts);
    const byParts = (a: { parts: KeyPart[] }, b: { parts: KeyPart[] }) =>
      compareParts(a.parts[0], b.parts[0]) || compareParts(a.parts[1], b.parts[1]);
    const sortedByBytes = [...encoded].sort((a, b) => compareBytes(a.bytes, b.bytes));
    expect(sortedByBytes.map(({ parts }) => parts)).toEqual(
      [...encoded].sort(byParts).map(({ parts }) => parts),
    );
  });

  test("with the same beginning end before its end", () => {
    const prefix = encodeKey(1, 0x44, [0xff]);
    for (const name of ["", "\xff\xff\xff", "a"]) {
      const key = encodeKey(1, 0x44, [0xff, name]);
      expect(compareBytes(key, prefixEnd(prefix))).toBeLessThan(0);
      expect(compareBytes(key, prefix)).toBeGreaterThanOrEqual(0);
      expect(compareBytes(key, keyAfter(key))).toBeLessThan(0);
    }
    expect(compareBytes(encodeKey(1, 0x44, [0x100, ""]), prefixEnd(prefix))).toBeGreaterThanOrEqual(0);
  });

  test("hold whole numbers only", () => {
    for (const part of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => encodeKey(1, 65, [part])).toThrow();
  });
});

describe("records", () => {
  test("of a living cluster come back as they were", () => {
    const world = new ChunkWorld(4, { replicas: 3, replicasMinimum: 2, failureDomain: "disk" });
    const { chunkId, chain } = world.written();
    world.allocate();
    world.apply({
      type: "adoptReplicas",
      body: { csId: csId(1025), unknown: [{ chunkId: 99, version: 3 }] },
    } as never);
    world.report(world.sessionId, world.ino, 4000);
    world.mutate(world.sessionId, "setXattr", {
      ino: world.ino,
      name: toUtf8("user.a"),
      value: new Uint8Array([3]),
      mode: "any",
    });
    world.mutate(world.sessionId, "truncate", { ino: world.ino, sizeBytes: 100 });
    world.mutate(world.sessionId, "remove", {
      parent: 1 as never,
      name: new Uint8Array([7]),
      directory: false,
    });
    world.reconfigure(chunkId, { remove: chain.slice(0, 1).map((member) => member.csId) });
    world.apply({ type: "setConfig", body: { name: "mds.log.level", value: "debug" } });
    world.mutate(world.sessionId, "setStorage", { ino: world.ino, replicas: 2 });
    world.endSession(world.session());
    const small = world.create(world.sessionId, "small", { open: "write" });
    const { sequence: leaseSequence } = small.lease;
    const report = { sizeBytes: 3, mtime: { seconds: 1, nanos: 0 }, inline: new Uint8Array([1, 2, 3]) };
    const settlement = { ino: small.attributes.ino, leaseSequence, report, closes: [] };
    world.mutate(world.sessionId, "settleFiles", { files: [settlement] });
    world.mutate(world.session(), "open", { ino: world.ino, access: "read" });
    const owner = lockOwner(2n ** 64n - 1n);
    const lock = { ino: world.ino, family: "range", owner, kind: "shared", ...WHOLE_FILE, pid: 7 } as const;
    world.mutate(world.session(), "setLock", lock);

    const everything = { ...world.tables.dump(), ...afterDeath() };
    const layouts = { ...LARGE_LAYOUTS, ...SMALL_LAYOUTS };
    const seen = new Set<string>();
    for (const [name, rows] of Object.entries(everything)) {
      const { codec } = layouts[name as keyof typeof layouts] as { codec: Codec };
      for (const [, value] of rows) {
        seen.add(name);
        expect(codec.decode(codec.encode(value)), name).toEqual(value);
      }
    }
    expect([...seen].sort()).toEqual(Object.keys(layouts).sort());
  });

  test("of every table have a tag of their own, in the case of their kind", () => {
    const tags = Object.values({ ...LARGE_LAYOUTS, ...SMALL_LAYOUTS }).map(({ tag }) => tag);
    expect(new Set(tags).size).toBe(tags.length);
    for (const { tag } of Object.values(LARGE_LAYOUTS)) expect(tag).toMatch(/^[A-Z]$/);
    for (const { tag } of Object.values(SMALL_LAYOUTS)) expect(tag).toMatch(/^[a-y]$/);
  });

  test("that were damaged anywhere are refused, naming table and key", () => {
    const world = new ChunkWorld(1);
    const layout = LARGE_LAYOUTS.inodes;
    const inode = world.tables.inodes.get(world.ino);
    if (inode === undefined) throw new Error("the file exists");
    const bytes = layout.codec.encode(inode);
    for (let i = 0; i < bytes.length; i++) {
      const damaged = bytes.slice();
      damaged[i] = (damaged[i] ?? 0) ^ 0x10;
      expect(() => decodeValue(layout, [world.ino], damaged)).toThrow("log_corrupt: the record inodes(2)");
    }
    for (const length of [0, 1, 4, 5, bytes.length - 1]) {
      const cut = bytes.slice(0, length);
      expect(() => decodeValue(layout, [world.ino], cut)).toThrow(StorageError);
    }
  });

  test("of inodes whose contents are beside them are refused by programs that do not know of such", () => {
    const world = new ChunkWorld(1);
    const inode = world.tables.inodes.get(world.ino);
    if (inode === undefined) throw new Error("the file exists");
    const { codec } = LARGE_LAYOUTS.inodes;
    expect(codec.encode(inode)[0]).toBe(1);
    const small = { ...inode, inlineBytes: 1 };
    expect(codec.encode(small)[0]).toBe(2);
    expect(codec.decode(codec.encode(small))).toEqual(small);
  });

  test("of a newer format are refused, not misread", () => {
    const bytes = LARGE_LAYOUTS.dentries.codec.encode({ ino: 5 as never, mode: 1 });
    bytes[0] = 2;
    expect(() => LARGE_LAYOUTS.dentries.codec.decode(bytes)).toThrow("format version 2 is not known here");
  });
});

test("the cache keeps what was used last, knows what is not there, and stays within its bound", () => {
  const cache = new RecordCache<number, string>(100);
  cache.put(1, "one");
  cache.put(2, undefined);
  for (let i = 10; i < 5000; i++) {
    cache.put(i, "x");
    if (i % 20 === 0) expect(cache.get(1)).toBe("one");
  }
  expect(cache.has(1)).toBe(true);
  expect(cache.has(2)).toBe(false);
  let kept = 0;
  for (let i = 10; i < 5000; i++) if (cache.has(i)) kept += 1;
  expect(kept).toBeLessThanOrEqual(100);
  cache.put(3, undefined);
  expect(cache.has(3)).toBe(true);
  expect(cache.get(3)).toBeUndefined();
});

/** A writer died, and a file without a name was closed. */
function afterDeath() {
  const world = new ChunkWorld(1);
  world.written();
  world.allocate();
  const other = world.session();
  const { ino } = world.create(other, "gone", { open: "read" }).attributes;
  world.mutate(other, "remove", { parent: ROOT_INODE, name: toUtf8("gone"), directory: false });
  const inode = world.tables.inodes.get(ino);
  if (inode !== undefined) world.tables.inodes.put({ ...inode, chunkCount: 1 }, ino);
  world.endSession(world.sessionId);
  world.endSession(other);
  const { recoveries, reclaims } = world.tables.dump();
  return { recoveries: recoveries ?? [], reclaims: reclaims ?? [] };
}

interface Codec {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

function compareParts(a: KeyPart | undefined, b: KeyPart | undefined): number {
  if (a === b) return 0;
  return (a ?? 0) < (b ?? 0) ? -1 : 1;
}
