import type { HostCredential } from "../../auth/index.js";
import { failureOf, storageError } from "../../base/index.js";
import { clientAddressOf } from "../../discovery/index.js";
import { GrpcRpc } from "../../rpc/grpc/index.js";
import { ADMIN } from "../../rpc/index.js";
import { noopLogger } from "../../telemetry/index.js";
import type { Host } from "../host.js";

/** What the other metadata servers answered. */
export interface GroupFindings {
  /** One line for each server, for people. */
  readonly lines: readonly string[];
  /** `IP:PORT` of those that answer at all. */
  readonly alive: readonly string[];
  /** The cluster is led. */
  readonly isLed: boolean;
}

const ANSWER_MS = 3000;
/** An election takes a second or two: only who hears of no leader for longer may say that there is none. */
const LOOK_MS = 6000;
const PAUSE_MS = 500;

/** Asks those metadata servers, for a few seconds, whether the cluster is led. */
export async function probeGroup(
  host: Host,
  credential: HostCredential,
  addresses: readonly string[],
): Promise<GroupFindings> {
  const { clock } = host.world;
  const rpc = new GrpcRpc(
    { credential, authorization: {}, serverRoles: { "pstorage.Admin": ["mds"] } },
    { clock, log: noopLogger },
  );
  try {
    const endMs = clock.monotonicMs() + LOOK_MS;
    for (;;) {
      const found = await Promise.all(addresses.map((address) => ask(rpc, address)));
      const alive = addresses.filter((_, index) => found[index]?.isAlive);
      const isLed = found.some((one) => one.isLed);
      const isOver = isLed || alive.length === 0 || clock.monotonicMs() >= endMs;
      if (isOver) return { alive, isLed, lines: found.map(({ line }) => line) };
      await clock.sleep("cli.probe", PAUSE_MS);
    }
  } finally {
    await rpc.close();
  }
}

/** Fails with `refused` unless the majority of the group is gone, as far as one can see from here. */
export function refuseWhileDecided(
  { lines, alive, isLed }: GroupFindings,
  group: { readonly memberCount: number; readonly ownCount: 0 | 1; readonly advice: string },
): void {
  const { memberCount, ownCount, advice } = group;
  const found = lines.length === 0 ? "" : ` (${lines.join("; ")})`;
  if (isLed) {
    throw storageError("refused", `the cluster has a leader${found}: nothing is to be recovered. ${advice}`);
  }
  const count = alive.length + ownCount;
  if (count <= Math.floor(memberCount / 2)) return;
  throw storageError(
    "refused",
    `${count} of ${memberCount} metadata servers are there${found}, which is a majority: start them, and the cluster goes on. ${advice}`,
  );
}

interface Finding {
  readonly line: string;
  readonly isAlive: boolean;
  readonly isLed: boolean;
}

async function ask(rpc: GrpcRpc, address: string): Promise<Finding> {
  try {
    const { mdsId } = await rpc.call(
      ADMIN.getStatus,
      clientAddressOf(address),
      {},
      { deadlineMs: ANSWER_MS },
    );
    return { line: `MDS#${mdsId} at ${address} leads`, isAlive: true, isLed: true };
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    const isAlive = failure.code === "not_leader";
    return {
      line: `${address}: ${isAlive ? "there, without a leader" : failure.code}`,
      isAlive,
      isLed: false,
    };
  }
}
