import { describe, expect, test } from "vitest";
import { Prng } from "../../../src/base/index.js";
import * as generated from "../../../src/rpc/gen/messages.js";
import { decodeMessage, encodeMessage, type MessageType } from "../../../src/rpc/wire.js";
import { type Plain, protoRoot, randomMessage, toTwin } from "./random-message.js";

const types = Object.values(generated) as unknown as MessageType<Plain>[];

describe.each(types.map((type) => [type.name, type] as const))("%s", (name, type) => {
  const twin = protoRoot.lookupType(`pstorage.${name}`);

  test("is read by protobufjs as it was written here", () => {
    const prng = new Prng(1);
    for (let i = 0; i < 50; i++) {
      const message = randomMessage(twin, prng);
      const bytes = encodeMessage(type, message);
      expect(twin.toObject(twin.decode(bytes), { longs: Number, defaults: false })).toEqual(
        twin.toObject(twin.fromObject(toTwin(twin, message)), { longs: Number, defaults: false }),
      );
    }
  });

  test("is read here as protobufjs wrote it, with every property its own", () => {
    const prng = new Prng(2);
    for (let i = 0; i < 50; i++) {
      const message = randomMessage(twin, prng);
      const bytes = twin.encode(twin.fromObject(toTwin(twin, message))).finish();
      expect({ ...decodeMessage(type, bytes) }).toEqual(message);
    }
  });

  test("survives any damage: it is read or refused, quickly", () => {
    const prng = new Prng(3);
    for (let i = 0; i < 100; i++) {
      const bytes = encodeMessage(type, randomMessage(twin, prng)).slice();
      for (let hit = 0; hit < 3 && bytes.length > 0; hit++) bytes[prng.below(bytes.length)] = prng.below(256);
      const damaged = prng.chance(0.5) ? bytes : bytes.subarray(0, prng.below(bytes.length + 1));
      try {
        const read = decodeMessage(type, damaged);
        expect(decodeMessage(type, encodeMessage(type, read))).toEqual(read);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        expect(error).not.toBeInstanceOf(TypeError);
      }
    }
  });
});

test("an integer that a number cannot hold is refused", () => {
  const twin = protoRoot.lookupType("pstorage.ChunkMap");
  const bytes = twin.encode(twin.fromObject({ index: "9007199254740993" })).finish();
  expect(() => decodeMessage(generated.ChunkMap, bytes)).toThrow("integer out of range");
});

test("a list cannot claim more items than a message may have", () => {
  const members = new Uint8Array(2 * 300_000).fill(0);
  for (let i = 0; i < members.length; i += 2) members[i] = 34;
  expect(() => decodeMessage(generated.ChunkMap, members)).toThrow("too many items");
});

test("fields of a newer version are skipped", () => {
  const bytes = Uint8Array.of(
    ...encodeMessage(generated.Timestamp, { seconds: 5, nanos: 6 }),
    0xfa,
    0x01,
    0x01,
    0x07,
  );
  expect(decodeMessage(generated.Timestamp, bytes)).toEqual({ seconds: 5, nanos: 6 });
});

test("an envelope with a body of a newer version has none; elsewhere that is malformed", () => {
  const newer = Uint8Array.of(0x08, 0x07, 0xc2, 0x3e, 0x00);
  expect(decodeMessage(generated.ChunkCallUp, newer)).toMatchObject({ id: 7, body: undefined });
});

test("bytes read are plain views, whatever buffer they came in", () => {
  const message = { checksums: Uint8Array.of(1, 2, 3) };
  const bytes = Buffer.from(encodeMessage(generated.ChunkData, message));
  const read = decodeMessage(generated.ChunkData, bytes);
  expect(read.checksums.constructor).toBe(Uint8Array);
  expect(read.checksums.buffer).toBe(bytes.buffer);
});
