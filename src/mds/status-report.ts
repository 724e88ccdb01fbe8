import type { ChunkId, CsTotals } from "../chunk/index.js";
import {
  type ClientStatus,
  type ClusterStatus,
  type CsStatus,
  type MdsStatus,
  ROOT_INODE,
} from "../meta/index.js";
import { raftId } from "../raft/index.js";
import { ChunkStateCounter, presenceOf } from "./core/chunk-states.js";
import type { CsRecord } from "./core/records.js";
import { csStatusWord, filesystemCounts, healthWord, spaceStatus } from "./core/statistics.js";
import type { Leadership } from "./leadership.js";
import { CsLoadWindow } from "./load-window.js";

const PAGE = 2000;
/** Counting chunks by state goes through all of them: not done more often, as long as the chunk servers stay the same. */
const COUNT_EVERY_MS = 2000;

/** The chunks of the cluster by state, counted now and then. */
export class ChunkCensus {
  readonly #leadership: Leadership;
  #latest: Promise<ChunkStateCounter> | undefined;
  #latestMs = 0;
  #latestServers = "";

  constructor(leadership: Leadership) {
    this.#leadership = leadership;
  }

  /**
   * As of `COUNT_EVERY_MS` ago at most, for a small cluster; a count of many chunks takes its time. Never from before a
   * chunk server came or went: nobody shall read that one is offline and every chunk healthy.
   */
  count(): Promise<ChunkStateCounter> {
    const { clock, tables } = this.#leadership;
    const nowMs = clock.monotonicMs();
    const servers = Array.from(tables.chunkServers.values(), (server) => [server.csId, presenceOf(server)]);
    const serversNow = servers.join();
    const isOld = nowMs - this.#latestMs > COUNT_EVERY_MS || serversNow !== this.#latestServers;
    if (this.#latest === undefined || isOld) {
      this.#latestMs = nowMs;
      this.#latestServers = serversNow;
      this.#latest = this.#count();
    }
    return this.#latest;
  }

  async #count(): Promise<ChunkStateCounter> {
    const { store, tables, waiters } = this.#leadership;
    const counter = new ChunkStateCounter();
    let after: ChunkId | undefined;
    for (;;) {
      const page = await store.chunksPage(after, PAGE);
      for (const record of page) {
        const isAwaited = waiters.isWaitedFor({ type: "chunk", chunkId: record.chunkId });
        counter.add(tables, record, isAwaited);
      }
      after = page.at(-1)?.chunkId;
      if (page.length < PAGE) break;
    }
    for (const { csId } of tables.chunkServers.values()) {
      counter.addDeletions((await store.deletionsPage(csId, undefined, PAGE)).length);
    }
    return counter;
  }
}

/** Everything behind `stat`. `answeringId`: the MDS that says it. */
export async function clusterStatus(leadership: Leadership, answeringId: number): Promise<ClusterStatus> {
  const { tables, clock } = leadership;
  const chunks = await leadership.census.count();
  const cluster = tables.cluster.get();
  const storage = tables.inodes.get(ROOT_INODE)?.storage;
  return {
    clusterName: cluster?.name ?? "",
    clusterId: cluster?.clusterId ?? "",
    health: healthWord(tables),
    mdsId: answeringId,
    mdsServers: await mdsStatuses(leadership, answeringId),
    chunkServers: [...tables.chunkServers.values()].map((server) => csStatus(leadership, server, chunks)),
    clients: clientStatuses(leadership),
    space: spaceStatus(tables),
    chunks: chunks.counts,
    filesystem: filesystemCounts(tables),
    replicas: storage?.replicas ?? 0,
    replicasMinimum: storage?.replicasMinimum ?? 0,
    epochUptimeSeconds: (clock.monotonicMs() - leadership.beganMs) / 1000,
    wallMs: Math.floor(clock.wallMs()),
    level: leadership.level,
    levelHeldBy: leadership.levelHeldBy,
  };
}

/** More entries behind than that is worth a warning, as in the original. */
const STALE_ENTRIES = 1000;

async function mdsStatuses(leadership: Leadership, answeringId: number): Promise<MdsStatus[]> {
  const { replica, tables } = leadership;
  const { members, lastIndex } = replica.status();
  const isActive = (mdsId: number): boolean =>
    members.some((member) => member.id === raftId(mdsId) && member.isActive);
  const servers = [...tables.mdsServers.values()];
  const others = servers.filter(({ mdsId }) => mdsId !== answeringId && isActive(mdsId));
  const loads = await leadership.loads.of(others.map(({ address }) => address));
  const statuses: MdsStatus[] = [];
  for (const { mdsId, address } of servers) {
    const isLeader = mdsId === answeringId;
    const member = members.find(({ id }) => id === raftId(mdsId));
    const load = isLeader ? leadership.load() : loads.get(address);
    statuses.push({
      mdsId,
      address,
      isLeader,
      status: isLeader ? "avail" : memberStatus(member, lastIndex),
      appliedIndex: isLeader ? replica.status().appliedIndex : (member?.matchIndex ?? 0),
      commitsPerSecond: load?.commitsPerSecond ?? 0,
      logTimePercent: load?.logTimePercent ?? 0,
      cpuPercent: load?.cpuPercent ?? 0,
      memoryBytes: load?.memoryBytes ?? 0,
      uptimeSeconds: load?.uptimeSeconds ?? 0,
      hasLoad: load !== undefined,
    });
  }
  return statuses;
}

function memberStatus(
  member: ReturnType<Leadership["replica"]["status"]>["members"][number] | undefined,
  lastIndex: number,
): string {
  if (member === undefined || !member.isActive) return "unavail";
  if (member.role === "learner") return "learner";
  return lastIndex - member.matchIndex > STALE_ENTRIES ? "stale" : "avail";
}

function csStatus({ links }: Leadership, server: CsRecord, chunks: ChunkStateCounter): CsStatus {
  const heartbeat = links.lastHeartbeat(server.csId);
  return {
    csId: server.csId,
    status: csStatusWord(server),
    address: server.address,
    hostId: server.hostId,
    location: server.location,
    tier: server.tier,
    totalBytes: heartbeat?.space.totalBytes ?? server.totalBytes,
    freeBytes: heartbeat?.space.freeBytes ?? server.freeBytes,
    replicaCount: heartbeat?.replicaCount ?? server.replicaCount,
    uniqueCount: chunks.uniqueOn(server.csId),
    flags: server.flags,
    ...(links.loadOf(server.csId) ?? new CsLoadWindow().summary()),
    totals: heartbeat?.load.totals ?? NO_TOTALS,
  };
}

const NO_TOTALS: CsTotals = {
  readBytes: 0,
  readCount: 0,
  writeBytes: 0,
  writeCount: 0,
  syncCount: 0,
  fillBytes: 0,
  servedFillBytes: 0,
};

function clientStatuses({ tables, sessions }: Leadership): ClientStatus[] {
  return [...tables.sessions.values()].map(({ sessionId, hostname, program }) => ({
    sessionId,
    hostname,
    program,
    leaseCount: [...tables.sessionOpens.valuesOf(sessionId)].length,
    address: sessions.addressOf(sessionId),
    ...sessions.loadOf(sessionId),
  }));
}
