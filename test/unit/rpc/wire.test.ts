import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import { Prng } from "../../../src/base/index.js";
import * as generated from "../../../src/rpc/gen/messages.js";
import { decodeMessage, encodeMessage, type MessageType } from "../../../src/rpc/wire.js";

const protoFolder = fileURLToPath(new URL("../../../proto/", import.meta.url));
const files = readdirSync(protoFolder).filter((name) => name.endsWith(".proto"));
/** The dumb twin: protobufjs reading the proto files at run time. */
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => protoFolder + target;
root.loadSync(files).resolveAll();

type Plain = Record<string, unknown>;
const types = Object.values(generated) as unknown as MessageType<Plain>[];

describe.each(types.map((type) => [type.name, type] as const))("%s", (name, type) => {
  const twin = root.lookupType(`pstorage.${name}`);

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
  const twin = root.lookupType("pstorage.ChunkMap");
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

// ---- Random messages, in our form, and their translation to the twin's ------------------------------------

function realOneof(type: protobuf.Type): protobuf.OneOf | undefined {
  return type.oneofsArray.find((oneof) => !oneof.fieldsArray.every((field) => isOptional(field)));
}

function isOptional(field: protobuf.Field): boolean {
  return field.options?.["proto3_optional"] === true;
}

function randomMessage(type: protobuf.Type, prng: Prng): Plain {
  const message: Plain = {};
  const isEnvelope = /Call(Up|Down)$/.test(type.name);
  const oneof = realOneof(type);
  for (const field of type.fieldsArray) {
    if (field.partOf !== null && !isOptional(field)) continue;
    const isMessage = field.resolvedType instanceof protobuf.Type;
    if (field.repeated) {
      message[field.name] = Array.from({ length: prng.below(4) }, () => randomValue(field, prng));
    } else if (isOptional(field) || (isEnvelope && isMessage)) {
      message[field.name] = prng.chance(0.5) ? randomValue(field, prng) : undefined;
    } else message[field.name] = randomValue(field, prng);
  }
  if (oneof !== undefined) {
    const field = prng.pick(oneof.fieldsArray);
    message[oneof.name] = { type: field.name, body: randomValue(field, prng) };
  }
  return message;
}

function randomValue(field: protobuf.Field, prng: Prng): unknown {
  if (field.resolvedType instanceof protobuf.Type) return randomMessage(field.resolvedType, prng);
  if (field.resolvedType instanceof protobuf.Enum) return prng.pick(enumTexts(field.resolvedType))[0];
  const isZero = prng.chance(0.3);
  if (isZero) return { bool: false, string: "", bytes: new Uint8Array(0) }[field.type] ?? 0;
  const bits = prng.between(1, 53);
  const wide = Math.floor(prng.float() * 2 ** bits);
  const sign = prng.chance(0.5) ? -1 : 1;
  switch (field.type) {
    case "bool":
      return true;
    case "string":
      return prng.pick(["a", "größer", "日本語".repeat(prng.below(30)), "x".repeat(prng.below(300))]);
    case "bytes":
      return prng.bytes(prng.below(300));
    case "double":
      return sign * prng.float() * 1e6;
    case "int64":
    case "sint64":
    case "sfixed64":
      return sign * wide + 0;
    case "uint64":
    case "fixed64":
      return wide;
    case "int32":
    case "sint32":
    case "sfixed32":
      return sign * (wide % 2 ** 31) + 0;
    default:
      return wide % 2 ** 32;
  }
}

/** Ours and its number. */
function enumTexts(type: protobuf.Enum): [string, number][] {
  const prefix = `${type.name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase()}_`;
  return Object.entries(type.values)
    .map(([name, value]): [string, number] => [
      (name.startsWith(prefix) ? name.slice(prefix.length) : name).toLowerCase(),
      value,
    ])
    .filter(([text]) => text !== "unspecified" && text !== "unknown");
}

function toTwin(type: protobuf.Type, message: Plain): Plain {
  const result: Plain = {};
  for (const [name, value] of Object.entries(message)) {
    if (value === undefined) continue;
    const field = type.fields[name];
    if (field === undefined) {
      const { type: chosen, body } = value as { type: string; body: unknown };
      const inner = type.fields[chosen];
      if (inner !== undefined) result[chosen] = valueToTwin(inner, body);
    } else if (field.repeated) result[name] = (value as unknown[]).map((item) => valueToTwin(field, item));
    else result[name] = valueToTwin(field, value);
  }
  return result;
}

function valueToTwin(field: protobuf.Field, value: unknown): unknown {
  if (field.resolvedType instanceof protobuf.Type) return toTwin(field.resolvedType, value as Plain);
  if (field.resolvedType instanceof protobuf.Enum) {
    return enumTexts(field.resolvedType).find(([text]) => text === value)?.[1];
  }
  return value;
}
