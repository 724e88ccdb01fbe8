import { storageError } from "../base/index.js";
import {
  type Attributes,
  FAILURE_DOMAINS,
  type FailureDomain,
  isDirectory,
  isFile,
  isSymlink,
  type StorageAttributes,
} from "../meta/index.js";
import { parseSize } from "./output.js";

/** What set-attr changes; only what is present changes. */
export type AttributeChange = { -readonly [Name in keyof StorageAttributes]?: StorageAttributes[Name] };

const REPLICAS_MAX = 64;
const TIER_MAX = 3;
const CHUNK_BYTES_MIN = 4096;
const CHUNK_BYTES_MAX = 2 ** 31;

/** Attribute as it is written on the command line -> how its value is understood. */
const PARSERS: Readonly<Record<string, (value: string) => AttributeChange>> = {
  replicas: parseReplicas,
  "failure-domain": (value) => ({ failureDomain: parseDomain(value) }),
  tier: (value) => ({ tier: parseInteger("tier", value, 0, TIER_MAX) }),
  "chunk-size": (value) => ({ chunkBytes: parseChunkSize(value) }),
  "client-ssd-cache": (value) => ({ clientSsdCache: parseInteger("client-ssd-cache", value, 0, 1) === 1 }),
  exclusive: (value) => ({ exclusive: parseInteger("exclusive", value, 0, 1) === 1 }),
};

/** `replicas=3:2 tier=1` and so on. Throws `invalid` with the way to write it. */
export function parseAttributes(pairs: readonly string[]): AttributeChange {
  let change: AttributeChange = {};
  for (const pair of pairs) {
    const [, name = "", value = ""] = /^([a-z-]+)=(.+)$/.exec(pair) ?? [];
    if (name === "encoding")
      throw storageError("unsupported", "encoding: erasure coding is not supported yet; use replicas=N:M");
    const parse = Object.hasOwn(PARSERS, name) ? PARSERS[name] : undefined;
    if (parse === undefined) {
      const names = Object.keys(PARSERS).join(", ");
      throw storageError("invalid", `"${pair}" is no attribute: write NAME=VALUE with one of ${names}`);
    }
    change = { ...change, ...parse(value) };
  }
  return change;
}

/** The lines of get-attr, as the original prints them. */
export function attributeLines(
  scheme: string,
  clusterName: string,
  path: string,
  attributes: Attributes,
): string[] {
  const { storage, mode } = attributes;
  return [
    `Path: '${scheme}://${clusterName}/${path.replace(/^\/+/, "")}'`,
    "Attributes:",
    `  ${typeWord(mode)}`,
    `  client-ssd-cache=${storage.clientSsdCache ? 1 : 0}`,
    `  replicas=${storage.replicas}:${storage.replicasMinimum}`,
    `  failure-domain=${storage.failureDomain}`,
    `  tier=${storage.tier}`,
    `  chunk-size=${storage.chunkBytes}`,
    ...(storage.exclusive ? ["  exclusive=1"] : []),
  ];
}

function typeWord(mode: number): string {
  if (isDirectory(mode)) return "directory";
  if (isFile(mode)) return "file";
  return isSymlink(mode) ? "symlink" : "special";
}

/** `N:M`, `N/X` (X may fail, so M is N - X), or `N` alone: one may fail. */
function parseReplicas(value: string): AttributeChange {
  const [, wantedText, separator, secondText] = /^(\d{1,3})(?:([:/])(\d{1,3}))?$/.exec(value) ?? [];
  const wanted = Number(wantedText);
  const second = Number(secondText);
  const isWritten = wantedText !== undefined;
  const minimum = separator === ":" ? second : separator === "/" ? wanted - second : Math.max(1, wanted - 1);
  if (!isWritten || wanted < 1 || wanted > REPLICAS_MAX || minimum < 1 || minimum > wanted) {
    throw storageError(
      "invalid",
      `replicas=${value}: write N:M (N wanted, writers wait below M) or N/X (M = N - X), 1 <= M <= N <= ${REPLICAS_MAX}`,
    );
  }
  return { replicas: wanted, replicasMinimum: minimum };
}

function parseDomain(value: string): FailureDomain {
  const domain = FAILURE_DOMAINS.find((known) => known === value);
  if (domain !== undefined) return domain;
  throw storageError("invalid", `failure-domain=${value}: it is one of ${FAILURE_DOMAINS.join(", ")}`);
}

function parseChunkSize(value: string): number {
  const bytes = parseSize(value);
  if (
    bytes !== undefined &&
    bytes >= CHUNK_BYTES_MIN &&
    bytes <= CHUNK_BYTES_MAX &&
    bytes % CHUNK_BYTES_MIN === 0
  ) {
    return bytes;
  }
  throw storageError("invalid", `chunk-size=${value}: a multiple of 4096 bytes, 4K to 2G, for example 64M`);
}

function parseInteger(name: string, value: string, min: number, max: number): number {
  const number = /^\d{1,3}$/.test(value) ? Number(value) : -1;
  if (number >= min && number <= max) return number;
  throw storageError("invalid", `${name}=${value}: it is ${min} to ${max}`);
}
