import { randomBytes, randomInt } from "node:crypto";
import { join } from "node:path";
import { storageError } from "../../base/index.js";
import { listenOnce } from "../host.js";
import { readText, writeText } from "../host-files.js";

/** What a lab consists of, decided once and kept in lab.json. */
export interface LabPlan {
  readonly formatVersion: 1;
  readonly clusterName: string;
  readonly mdsCount: number;
  readonly csCount: number;
  /** `IP:PORT` of MDS 1, 2, ... */
  readonly mdsAddresses: readonly string[];
  /** False until it was made completely, once. */
  readonly isComplete: boolean;
}

/** How many servers somebody asked for; what is not said stays, or is the default. */
export interface LabSize {
  readonly mdsCount?: number | undefined;
  readonly csCount?: number | undefined;
}

export const LAB_SIZE_DEFAULT = { mdsCount: 3, csCount: 5 } as const;
/** Where a lab lies unless told otherwise, relative to the working directory. */
export const LAB_DIRECTORY = ".pstorage";
const CLUSTER_NAME = "lab";
const LOOPBACK = "127.0.0.1";
/** Below the ports that the kernel gives to outgoing connections, so that nobody takes ours while the lab is down. */
const PORT_MIN = 20_000;
const PORT_MAX = 30_000;
const COUNT_MAX = { mds: 9, cs: 64 } as const;

/** The plan in that directory; undefined if there is none. */
export async function loadPlan(directory: string): Promise<LabPlan | undefined> {
  const path = join(directory, "lab.json");
  const text = await readText(path);
  if (text === undefined) return undefined;
  const plan = parse(text) as Partial<LabPlan> | undefined;
  const { clusterName, mdsCount, csCount, mdsAddresses, isComplete } = plan ?? {};
  const isWhole =
    plan?.formatVersion === 1 &&
    typeof clusterName === "string" &&
    typeof mdsCount === "number" &&
    typeof csCount === "number" &&
    Array.isArray(mdsAddresses) &&
    mdsAddresses.length === mdsCount;
  if (!isWhole)
    throw storageError("malformed", `${path} is damaged or of another version; see pstorage lab destroy`);
  return { formatVersion: 1, clusterName, mdsCount, csCount, mdsAddresses, isComplete: isComplete === true };
}

export async function savePlan(directory: string, plan: LabPlan): Promise<void> {
  await writeText(join(directory, "lab.json"), `${JSON.stringify(plan, undefined, 2)}\n`);
}

/** The plan that is there, grown to the size that is asked for. A lab does not shrink. */
export async function planFor(present: LabPlan | undefined, size: LabSize): Promise<LabPlan> {
  const mdsCount = size.mdsCount ?? present?.mdsCount ?? LAB_SIZE_DEFAULT.mdsCount;
  const csCount = size.csCount ?? present?.csCount ?? LAB_SIZE_DEFAULT.csCount;
  if (mdsCount < 1 || mdsCount > COUNT_MAX.mds || csCount < 1 || csCount > COUNT_MAX.cs) {
    throw storageError("invalid", `a lab has 1 to ${COUNT_MAX.mds} MDS and 1 to ${COUNT_MAX.cs} CS`);
  }
  if (present !== undefined && (mdsCount < present.mdsCount || csCount < present.csCount)) {
    throw storageError(
      "invalid",
      `this lab has ${present.mdsCount} MDS and ${present.csCount} CS, and does not shrink by itself; use rm-mds and rm-cs, or lab destroy`,
    );
  }
  const mdsAddresses = [...(present?.mdsAddresses ?? [])];
  while (mdsAddresses.length < mdsCount) mdsAddresses.push(await freeMdsAddress(mdsAddresses));
  const isUnchanged = mdsCount === present?.mdsCount && csCount === present.csCount;
  return {
    formatVersion: 1,
    clusterName: present?.clusterName ?? CLUSTER_NAME,
    mdsCount,
    csCount,
    mdsAddresses,
    isComplete: present?.isComplete === true && isUnchanged,
  };
}

/** The cluster password of the lab: made once, readable by its owner only. */
export async function labPassword(directory: string): Promise<string> {
  const path = join(directory, "password");
  const known = await readText(path);
  if (known !== undefined) return known.trim();
  const password = randomBytes(18).toString("base64url");
  await writeText(path, `${password}\n`, 0o600);
  return password;
}

/** A free pair of ports that no other MDS of the lab has. */
export async function freeMdsAddress(taken: readonly string[]): Promise<string> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const port = PORT_MIN + 2 * randomInt((PORT_MAX - PORT_MIN) / 2);
    const address = `${LOOPBACK}:${port}`;
    if (taken.includes(address)) continue;
    const isFree =
      (await listenOnce(LOOPBACK, port)) === undefined &&
      (await listenOnce(LOOPBACK, port + 1)) === undefined;
    if (isFree) return address;
  }
  throw storageError(
    "unavailable",
    `no free pair of ports between ${PORT_MIN} and ${PORT_MAX}; stop something that listens there`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // A damaged file: the caller says so.
    return undefined;
  }
}
