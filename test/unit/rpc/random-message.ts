import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import type { Prng } from "../../../src/base/index.js";

const protoFolder = fileURLToPath(new URL("../../../proto/", import.meta.url));

/** The proto files as protobufjs reads them at run time: the dumb twin of the generated code. */
export const protoRoot = new protobuf.Root();
protoRoot.resolvePath = (_origin, target) => protoFolder + target;
protoRoot.loadSync(readdirSync(protoFolder).filter((name) => name.endsWith(".proto"))).resolveAll();

export type Plain = Record<string, unknown>;

function realOneof(type: protobuf.Type): protobuf.OneOf | undefined {
  return type.oneofsArray.find((oneof) => !oneof.fieldsArray.every((field) => isOptional(field)));
}

function isOptional(field: protobuf.Field): boolean {
  return field.options?.["proto3_optional"] === true;
}

/** A message of that type in our form, with values of every kind. */
export function randomMessage(type: protobuf.Type, prng: Prng): Plain {
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

/** The same in the form of the twin. */
export function toTwin(type: protobuf.Type, message: Plain): Plain {
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
