import type { ChunkCounts, ClusterStatus, CsStatus, MdsStatus } from "../meta/index.js";
import { formatDuration, formatPercent, formatSize, formatTable } from "./output.js";

/** Free space below either of these is a warning, as in the original's pstorage.conf. */
const FREE_BYTES_WARN = 1024 * 1024 * 1024;
const FREE_PART_WARN = 0.2;

/**
 * The lines of `stat`. Operators' scripts depend on them: the status behind `: ` in the first line, `of N, ` and
 * `of N (` in the lines of servers, one line a server under the headers `MDSID` and `CSID`, the host in the
 * tenth column of a chunk server.
 */
export function statusLines(status: ClusterStatus): string[] {
  return [
    ...headerLines(status),
    "",
    ...mdsTable(status.mdsServers),
    "",
    ...csTable(status.chunkServers),
    "",
    ...clientTable(status),
  ];
}

function headerLines(status: ClusterStatus): string[] {
  const { space, filesystem, mdsServers, chunkServers } = status;
  const available = mdsServers.filter((server) => server.status === "avail").length;
  const isTight = space.freeBytes < FREE_BYTES_WARN || space.freeBytes < FREE_PART_WARN * space.totalBytes;
  const servers = chunkServers.filter((server) => server.status !== "dropped");
  const count = (wanted: string): number => servers.filter((server) => server.status === wanted).length;
  const active = servers.length - count("inactive") - count("offline");
  const rate = (select: (server: CsStatus) => number): number =>
    servers.reduce((sum, server) => sum + select(server), 0);
  const readRate = formatSize(rate((server) => server.readBytesPerSecond));
  const writeRate = formatSize(rate((server) => server.writeBytesPerSecond));
  const reads = Math.round(rate((server) => server.readsPerSecond));
  const writes = Math.round(rate((server) => server.writesPerSecond));
  return [
    `Cluster '${status.clusterName}': ${status.health}`,
    `Space: [${isTight ? "WARN" : "OK"}] allocatable ${formatSize(space.allocatableFreeBytes)} of ` +
      `${formatSize(space.allocatableBytes)}, free ${formatSize(space.freeBytes)} of ${formatSize(space.totalBytes)}`,
    `MDS nodes: ${available} of ${mdsServers.length}, epoch uptime: ${formatDuration(status.epochUptimeSeconds)}`,
    `CS nodes:  ${active} of ${servers.length} (${active} avail, ${count("inactive")} inactive, ${count("offline")} offline)`,
    "License: none needed (ACTIVE)",
    `Replication:  ${status.replicas} norm,  ${status.replicasMinimum} limit`,
    chunkLine(status.chunks),
    `FS:  ${formatSize(filesystem.sizeBytes)} in ${filesystem.fileCount} files, ${filesystem.inodeCount} inodes, ` +
      `${filesystem.chunkCount} chunks`,
    `IO:       read ${readRate}/s (${reads}ops/s), write ${writeRate}/s (${writes}ops/s)`,
  ];
}

function chunkLine(chunks: ChunkCounts): string {
  const states = ["healthy", "standby", "degraded", "urgent", "blocked", "pending", "offline"] as const;
  const more = ["replicating", "overcommitted", "deleting", "unique", "void"] as const;
  const isGood = chunks.healthy + chunks.overcommitted + chunks.void + chunks.unique >= chunks.total;
  const shown = [...states, ...more.filter((state) => chunks[state] > 0)];
  const parts = shown.map(
    (state) => `${chunks[state]} (${formatPercent(chunks[state], chunks.total)}) ${state}`,
  );
  return `Chunks: [${isGood ? "OK" : "WARN"}] ${parts.join(",  ")}`;
}

function mdsTable(servers: readonly MdsStatus[]): string[] {
  const right = { alignRight: true };
  return formatTable(
    [
      { title: "  MDSID", ...right },
      { title: "STATUS" },
      { title: "COMMITS", ...right },
      { title: "%CPU", ...right },
      { title: "MEM", ...right },
      { title: "UPTIME", ...right },
      { title: "HOST" },
    ],
    servers.map((server) => [
      `${server.isLeader ? "M" : " "} ${String(server.mdsId).padStart(5)}`,
      server.status,
      `${server.commitsPerSecond.toFixed(0)}/s`,
      `${server.cpuPercent.toFixed(1)}%`,
      formatSize(server.memoryBytes),
      formatDuration(server.uptimeSeconds),
      server.address,
    ]),
  );
}

function csTable(servers: readonly CsStatus[]): string[] {
  const right = { alignRight: true };
  return formatTable(
    [
      { title: "  CSID", ...right },
      { title: "STATUS" },
      { title: "SPACE", ...right },
      { title: "FREE", ...right },
      { title: "REPLICAS", ...right },
      { title: "UNIQUE", ...right },
      { title: "IOWAIT", ...right },
      { title: "IOLAT(ms)", ...right },
      { title: "QDEPTH", ...right },
      { title: "HOST" },
    ],
    servers
      .filter((server) => server.status !== "dropped")
      .map((server) => [
        String(server.csId),
        server.status,
        formatSize(server.totalBytes),
        formatSize(server.freeBytes),
        String(server.replicaCount),
        String(server.uniqueCount),
        `${Math.round(server.ioWaitPercent)}%`,
        `${Math.round(server.latencyMsAverage)}/${Math.round(server.latencyMsMax)}`,
        server.queueDepth.toFixed(1),
        server.address,
      ]),
  );
}

function clientTable({ clients }: ClusterStatus): string[] {
  return formatTable(
    [
      { title: "  CLID", alignRight: true },
      { title: "LEASES", alignRight: true },
      { title: "PROGRAM" },
      { title: "HOST" },
    ],
    clients.map((client) => [
      String(client.sessionId),
      String(client.leaseCount),
      client.program,
      client.address === "" ? client.hostname : `${client.hostname} (${client.address})`,
    ]),
  );
}
