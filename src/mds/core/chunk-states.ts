import type { ChunkCounts } from "../../meta/index.js";
import type { ChunkRecord, CsRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * The condition of a chunk, the worst that holds:
 *
 * - `void`: allocated, and never yet ready for a write.
 * - `offline`: no complete replica on a server that is there; all I/O waits until one returns.
 * - `pending`: blocked, and a client waits for it.
 * - `blocked`: fewer than the minimum there; writes wait, reads go on.
 * - `urgent`: only the minimum there, and more are wanted.
 * - `degraded`: fewer than wanted, and nothing is being copied.
 * - `replicating`: fewer than wanted, and being copied.
 * - `standby`: as many as wanted, but a server of one is inactive for the moment.
 * - `overcommitted`: more than wanted.
 * - `healthy`: as many as wanted.
 */
export type ChunkState = Exclude<keyof ChunkCounts, "total" | "deleting" | "unique">;

/** Members that have everything, by what has become of their servers. */
export interface ReplicaCounts {
  readonly activeCount: number;
  readonly inactiveCount: number;
  /** Being filled, on servers that are there. */
  readonly incomingCount: number;
}

export function chunkState(
  tables: Pick<Tables, "chunkServers">,
  record: ChunkRecord,
  isAwaited: boolean,
): ChunkState {
  const { replicas, replicasMinimum } = record.policy;
  const { activeCount, inactiveCount, incomingCount } = replicaCounts(tables, record);
  if (record.installedVersion === 0) return "void";
  if (activeCount === 0) return "offline";
  if (activeCount < replicasMinimum) return isAwaited ? "pending" : "blocked";
  const known = activeCount + inactiveCount;
  if (known < replicas) {
    if (known === replicasMinimum) return "urgent";
    return incomingCount > 0 ? "replicating" : "degraded";
  }
  if (inactiveCount > 0) return "standby";
  return known > replicas ? "overcommitted" : "healthy";
}

export function replicaCounts(tables: Pick<Tables, "chunkServers">, record: ChunkRecord): ReplicaCounts {
  let activeCount = 0;
  let inactiveCount = 0;
  let incomingCount = 0;
  for (const { csId, syncing } of record.chain) {
    const presence = presenceOf(tables.chunkServers.get(csId));
    if (presence === "gone") continue;
    if (syncing) incomingCount += 1;
    else if (presence === "active") activeCount += 1;
    else inactiveCount += 1;
  }
  return { activeCount, inactiveCount, incomingCount };
}

/** Whether what lies on a server counts: now, probably soon again, or no more. */
export function presenceOf(server: CsRecord | undefined): "active" | "inactive" | "gone" {
  if (server === undefined || server.administration === "dropped") return "gone";
  return server.activity === "offline" ? "gone" : server.activity;
}

/** Adds up chunks for `stat`. `unique` and `deleting` are counted beside the states, so that the states add up to the total. */
export class ChunkStateCounter {
  readonly #counts: Record<keyof ChunkCounts, number> = {
    total: 0,
    healthy: 0,
    standby: 0,
    degraded: 0,
    urgent: 0,
    blocked: 0,
    pending: 0,
    offline: 0,
    replicating: 0,
    overcommitted: 0,
    deleting: 0,
    unique: 0,
    void: 0,
  };
  readonly #uniqueByServer = new Map<number, number>();

  add(tables: Pick<Tables, "chunkServers">, record: ChunkRecord, isAwaited: boolean): void {
    this.#counts.total += 1;
    this.#counts[chunkState(tables, record, isAwaited)] += 1;
    const complete = record.chain.filter(({ syncing }) => !syncing);
    const only = complete.length === 1 ? complete[0] : undefined;
    if (only === undefined) return;
    this.#counts.unique += 1;
    this.#uniqueByServer.set(only.csId, this.uniqueOn(only.csId) + 1);
  }

  /** Replicas waiting to be deleted. */
  addDeletions(count: number): void {
    this.#counts.deleting += count;
  }

  get counts(): ChunkCounts {
    return this.#counts;
  }

  /** Chunks that have their only replica on that server. */
  uniqueOn(csId: number): number {
    return this.#uniqueByServer.get(csId) ?? 0;
  }
}
