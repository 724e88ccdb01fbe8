import { failureOf, storageError } from "../../base/index.js";
import type { Admin } from "../../client/index.js";
import type { ClusterStatus } from "../../meta/index.js";
import { openAdmin } from "../cluster-access.js";
import type { Lab } from "./lab.js";

const POLL_MS = 150;
/** Eight processes start on what may be one busy core. */
const HEALTHY_MS = 120_000;

/** Told how far it is, each time somebody looked. */
export type OnLook = (line: string) => void;

/** Resolves when every MDS of the lab is available, every chunk server active and the cluster healthy. */
export async function waitHealthy(lab: Lab, onLook: OnLook, signal?: AbortSignal): Promise<ClusterStatus> {
  const { clock } = lab.host(1).world;
  const endMs = clock.monotonicMs() + HEALTHY_MS;
  const connection = await openAdmin(lab.host(1), lab.clusterName, { timeoutMs: HEALTHY_MS });
  try {
    let line = "the cluster has no leader";
    while (clock.monotonicMs() < endMs) {
      signal?.throwIfAborted();
      const status = await statusNow(connection.admin);
      if (status !== undefined) line = summary(status, lab);
      if (status !== undefined && isHealthy(status, lab)) return status;
      onLook(line);
      await clock.sleep("cli.lab.healthy", POLL_MS, signal);
    }
    throw storageError(
      "timed_out",
      `the lab does not become healthy: ${line}; see the logs in ${lab.directory}/hosts/*/*/logs`,
    );
  } finally {
    await connection.close();
  }
}

/** Resolves when the MDS at that address takes part in the group. */
export async function waitForMds(
  lab: Lab,
  admin: Admin,
  address: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { clock } = lab.host(1).world;
  const endMs = clock.monotonicMs() + HEALTHY_MS;
  while (clock.monotonicMs() < endMs) {
    signal?.throwIfAborted();
    const status = await statusNow(admin);
    if (status?.mdsServers.some((server) => server.address === address && server.status === "avail") === true)
      return;
    await clock.sleep("cli.lab.joined", POLL_MS, signal);
  }
  throw storageError("timed_out", `the MDS at ${address} does not join the group; see its log`);
}

/** `MDS 2 of 3, CS 1 of 5, degraded`. */
export function summary(status: ClusterStatus, { size }: Lab): string {
  return `MDS ${availableCount(status)} of ${size.mdsCount}, CS ${activeCount(status)} of ${size.csCount}, ${status.health}`;
}

function isHealthy(status: ClusterStatus, { size }: Lab): boolean {
  return (
    availableCount(status) >= size.mdsCount &&
    activeCount(status) >= size.csCount &&
    status.health === "healthy"
  );
}

const availableCount = ({ mdsServers }: ClusterStatus): number =>
  mdsServers.filter((server) => server.status === "avail").length;

const activeCount = ({ chunkServers }: ClusterStatus): number =>
  chunkServers.filter((server) => server.status === "active").length;

/** Undefined while nobody leads. */
async function statusNow(admin: Admin): Promise<ClusterStatus | undefined> {
  try {
    return await admin.status();
  } catch (error) {
    if (failureOf(error) === undefined) throw error;
    return undefined;
  }
}
