import type { ChunkCounts, ClusterStatus, CsStatus, SpaceStatus } from "../../meta/index.js";
import { formatDuration, formatPercent, formatSize } from "../output.js";
import { flow, wrapped } from "./table.js";
import { formatRate } from "./tables.js";

/** Below either of these free space is a warning. */
export interface SpaceThresholds {
  readonly bytes: number;
  /** Of all space. */
  readonly percent: number;
}

export interface HeaderOptions {
  readonly thresholds: SpaceThresholds;
  /** Every state of chunks, space by tier, totals. */
  readonly isVerbose: boolean;
  readonly width: number;
}

/** Of the second line of what is too long for one. */
const INDENT = "Chunks: ".length;

/**
 * The lines over the tables. Scripts depend on them: the state behind `: ` in the first line, `of N, ` and `of N (` in
 * the lines of servers.
 */
export function headerLines(status: ClusterStatus, options: HeaderOptions): string[] {
  const { space, mdsServers } = status;
  const available = mdsServers.filter((server) => server.status === "avail").length;
  const servers = status.chunkServers.filter((server) => server.status !== "dropped");
  const lines = [
    `Cluster '${status.clusterName}': ${status.health}`,
    `Space: [${spaceState(space, options.thresholds)}] allocatable ${formatSize(space.allocatableFreeBytes)} of ` +
      `${formatSize(space.allocatableBytes)}, free ${formatSize(space.freeBytes)} of ${formatSize(space.totalBytes)}`,
    ...(options.isVerbose ? tierLines(space) : []),
    `MDS nodes: ${available} of ${mdsServers.length}, epoch uptime: ${formatDuration(status.epochUptimeSeconds)}`,
    serverLine(servers),
    ...(options.isVerbose ? [hostLine(servers)] : []),
    limitLine(space),
    `Replication:  ${status.replicas} norm,  ${status.replicasMinimum} limit`,
    ...chunkLines(status.chunks, options),
    filesystemLine(status, servers),
    ...trafficLines(servers),
  ];
  return lines.flatMap((line) => wrapped(line, options.width, INDENT));
}

function spaceState({ freeBytes, totalBytes }: SpaceStatus, { bytes, percent }: SpaceThresholds): string {
  const isTight = freeBytes < bytes || freeBytes < (percent / 100) * totalBytes;
  return isTight ? "WARN" : "OK";
}

function tierLines({ tiers }: SpaceStatus): string[] {
  return tiers.map(
    ({ tier, serverCount, totalBytes, freeBytes }) =>
      `  tier ${tier}: free ${formatSize(freeBytes)} of ${formatSize(totalBytes)} on ${serverCount} CS`,
  );
}

/** States of servers that do not answer. */
const AWAY: ReadonlySet<string> = new Set(["inactive", "offline", "maintenance"]);

function serverLine(servers: readonly CsStatus[]): string {
  const count = (wanted: string): number => servers.filter((server) => server.status === wanted).length;
  const active = servers.filter(({ status }) => !AWAY.has(status)).length;
  const resting = count("maintenance") > 0 ? `, ${count("maintenance")} maintenance` : "";
  const nodes = `${active} avail, ${count("inactive")} inactive, ${count("offline")} offline${resting}`;
  return `CS nodes:  ${active} of ${servers.length} (${nodes})`;
}

/** Hosts with a chunk server that is there, of all that have one. */
function hostLine(servers: readonly CsStatus[]): string {
  const hostsOf = (some: readonly CsStatus[]): number => new Set(some.map(({ hostId }) => hostId)).size;
  return `Nodes:     ${hostsOf(servers.filter(({ status }) => !AWAY.has(status)))}/${hostsOf(servers)}`;
}

function limitLine({ capacityBytes, usedBytes }: SpaceStatus): string {
  if (capacityBytes === 0) return "License: none needed (ACTIVE)";
  const state = usedBytes >= capacityBytes ? "LIMIT REACHED" : "ACTIVE";
  return `License: none needed (${state}), ${formatSize(usedBytes)} of ${formatSize(capacityBytes)} used`;
}

const USUAL_STATES = ["healthy", "standby", "degraded", "urgent", "blocked", "pending", "offline"] as const;
const RARE_STATES = ["replicating", "overcommitted", "deleting", "unique", "void"] as const;

function chunkLines(chunks: ChunkCounts, { isVerbose, width }: HeaderOptions): string[] {
  const isGood = chunks.healthy + chunks.overcommitted + chunks.void + chunks.unique >= chunks.total;
  const rare = RARE_STATES.filter((state) => isVerbose || chunks[state] > 0);
  const parts = [...USUAL_STATES, ...rare].map((state, index, all) => {
    const text = `${chunks[state]} (${formatPercent(chunks[state], chunks.total)}) ${state}`;
    return index < all.length - 1 ? `${text},` : text;
  });
  const label = `Chunks: [${isGood ? "OK" : "WARN"}]`;
  const [first = "", ...rest] = parts;
  return flow([`${label} ${first}`, ...rest], width, INDENT);
}

/** File maps are files that clients have open, chunk nodes are replicas. */
function filesystemLine({ filesystem, clients }: ClusterStatus, servers: readonly CsStatus[]): string {
  const { sizeBytes, fileCount, inodeCount, chunkCount } = filesystem;
  const openCount = sum(clients.map(({ leaseCount }) => leaseCount));
  const replicaCount = sum(servers.map((server) => server.replicaCount));
  return (
    `FS:  ${formatSize(sizeBytes)} in ${fileCount} files, ${inodeCount} inodes,  ${openCount} file maps,  ` +
    `${chunkCount} chunk maps,  ${replicaCount} chunk nodes`
  );
}

function trafficLines(servers: readonly CsStatus[]): string[] {
  const total = (select: (server: CsStatus) => number): number => sum(servers.map(select));
  const line = (readBytes: string, reads: string, writeBytes: string, writes: string): string =>
    `read ${readBytes} (${reads}), write ${writeBytes} (${writes})`;
  const ops = (value: number): string => `${Math.round(value)}ops/s`;
  const depths = servers.map(({ queueDepthAverage }) => queueDepthAverage);
  const depth = depths.length === 0 ? 0 : sum(depths) / depths.length;
  return [
    `IO:        ${line(
      formatRate(total((server) => server.readBytesPerSecond)),
      ops(total((server) => server.readsPerSecond)),
      formatRate(total((server) => server.writeBytesPerSecond)),
      ops(total((server) => server.writesPerSecond)),
    )}`,
    `IO total:  ${line(
      formatSize(total(({ totals }) => totals.readBytes)),
      `${total(({ totals }) => totals.readCount)}ops`,
      formatSize(total(({ totals }) => totals.writeBytes)),
      `${total(({ totals }) => totals.writeCount)}ops`,
    )}`,
    `Repl IO:   read ${formatRate(total((server) => server.servedFillBytesPerSecond))}, write ` +
      formatRate(total((server) => server.fillBytesPerSecond)),
    `Sync rate: ${ops(total((server) => server.syncsPerSecond))}`,
    `IO QDEPTH: ${depth.toFixed(1)} aver, ${Math.max(0, ...servers.map((server) => server.queueDepthMax))} max`,
  ];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
