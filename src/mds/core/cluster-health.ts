import { configNumber } from "./cluster-config.js";
import { type Context, recordEvent } from "./context.js";
import type { Tables } from "./tables.js";

/**
 * `healthy`: all chunk servers are active. `degraded`: some are not. `failure`: servers of more hosts than
 * `mds.wd.max_offline_cs_hosts` are offline, so that nothing is replicated by itself any more.
 */
export interface ClusterHealth {
  readonly status: "healthy" | "degraded" | "failure";
  readonly activeCount: number;
  readonly inactiveCount: number;
  readonly offlineCount: number;
  readonly offlineHostCount: number;
}

/** Of all servers that are not dropped. */
export function clusterHealth(tables: Pick<Tables, "chunkServers" | "config">): ClusterHealth {
  const counts = { active: 0, inactive: 0, offline: 0 };
  const offlineHosts = new Set<string>();
  for (const { activity, administration, hostId } of tables.chunkServers.values()) {
    if (administration === "dropped") continue;
    counts[activity] += 1;
    if (activity === "offline") offlineHosts.add(hostId);
  }
  const isFailure = offlineHosts.size > configNumber(tables, "mds.wd.max_offline_cs_hosts");
  const isHealthy = counts.inactive === 0 && counts.offline === 0;
  return {
    status: isFailure ? "failure" : isHealthy ? "healthy" : "degraded",
    activeCount: counts.active,
    inactiveCount: counts.inactive,
    offlineCount: counts.offline,
    offlineHostCount: offlineHosts.size,
  };
}

/** Runs the change, and records an event if the health of the cluster is another one after it. */
export function watchHealth<T>(context: Context, change: () => T): T {
  const before = clusterHealth(context.tables);
  const result = change();
  const after = clusterHealth(context.tables);
  if (before.status !== after.status) recordHealth(context, after);
  return result;
}

function recordHealth(context: Context, health: ClusterHealth): void {
  const { activeCount, inactiveCount, offlineCount } = health;
  const counts = `${activeCount} active, ${inactiveCount} inactive, ${offlineCount} offline CS`;
  if (health.status === "healthy") {
    const message = `The cluster is healthy with ${activeCount} active CS`;
    recordEvent(context, { system: "MDS", severity: "info", message });
  } else if (health.status === "degraded") {
    const message = `The cluster is degraded with ${counts}`;
    recordEvent(context, { system: "MDS", severity: "warn", message });
  } else {
    const limit = configNumber(context.tables, "mds.wd.max_offline_cs_hosts");
    const message = `The cluster failed with ${counts} (mds.wd.max_offline_cs_hosts=${limit})`;
    recordEvent(context, { system: "MDS", severity: "err", message });
  }
}
