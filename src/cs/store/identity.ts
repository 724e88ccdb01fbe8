import { fromUtf8, storageError, toUtf8 } from "../../base/index.js";
import { type CsId, csId } from "../../chunk/index.js";

/** Version of everything in the directory; another one is refused. */
export const STORE_FORMAT_VERSION = 1;

/** Whose directory this is. Written once, when it is created. */
export interface CsIdentity {
  readonly clusterId: string;
  readonly csId: CsId;
  readonly clusterName: string;
  /** 0 to 3. */
  readonly tier: number;
  /** `IP:PORT` to listen on; port 0: another one at each start. Default: every address, port 0. */
  readonly address?: string | undefined;
  /** Milliseconds since 1970; for people. */
  readonly createdAtMs?: number | undefined;
}

export function encodeIdentity(identity: CsIdentity): Uint8Array {
  return toUtf8(`${JSON.stringify({ ...identity, formatVersion: STORE_FORMAT_VERSION }, null, 2)}\n`);
}

/** Refuses what this program does not understand, with advice. */
export function decodeIdentity(bytes: Uint8Array, path: string): CsIdentity {
  const fields = parse(bytes, path);
  if (fields["formatVersion"] !== STORE_FORMAT_VERSION) {
    const found = JSON.stringify(fields["formatVersion"]);
    throw storageError(
      "refused",
      `${path} has format version ${found}, this program knows ${STORE_FORMAT_VERSION}: use the release that wrote it`,
    );
  }
  const { clusterId, clusterName, tier, address } = fields;
  const id = fields["csId"];
  const isWhole =
    typeof clusterId === "string" &&
    typeof clusterName === "string" &&
    typeof id === "number" &&
    Number.isSafeInteger(id) &&
    typeof tier === "number" &&
    (address === undefined || typeof address === "string");
  if (!isWhole) throw damaged(path);
  return { clusterId, clusterName, csId: csId(id), tier, address };
}

function parse(bytes: Uint8Array, path: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(fromUtf8(bytes));
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    throw damaged(path, error);
  }
  throw damaged(path);
}

function damaged(path: string, cause?: unknown): Error {
  return storageError(
    "refused",
    `${path} is damaged: restore it from a copy, or remove this chunk server with rm-cs and make a new one`,
    cause,
  );
}
