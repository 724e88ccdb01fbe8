import type {
  ChunkCounts,
  ClientStatus,
  ClusterStatus,
  CsStatus,
  EventRecord,
  MdsStatus,
} from "../../../../src/meta/index.js";

/** A cluster to look at: three metadata servers of which one is gone, four chunk servers, two clients. */

const GB = 2 ** 30;

const TOTALS = {
  readBytes: 512 * GB,
  readCount: 1_000_000,
  writeBytes: 100 * GB,
  writeCount: 250_000,
  syncCount: 4000,
  fillBytes: GB,
  servedFillBytes: 0,
};

export function sampleMds(part: Partial<MdsStatus> = {}): MdsStatus {
  return {
    mdsId: 1,
    address: "10.30.17.11:2510",
    isLeader: false,
    status: "avail",
    appliedIndex: 123_456,
    commitsPerSecond: 87.4,
    logTimePercent: 12.34,
    cpuPercent: 3.2,
    memoryBytes: 95 * 2 ** 20,
    uptimeSeconds: 3 * 86400 + 4 * 3600,
    hasLoad: true,
    ...part,
  };
}

export function sampleCs(part: Partial<CsStatus> = {}): CsStatus {
  return {
    csId: 1025,
    status: "active",
    address: "10.30.17.38:41123",
    hostId: "00000000000000a1",
    location: "0.0.1",
    tier: 0,
    totalBytes: 105 * GB,
    freeBytes: 88 * GB,
    replicaCount: 40,
    uniqueCount: 0,
    ioWaitPercent: 7.4,
    latencyMsAverage: 1.6,
    latencyMsMax: 31,
    queueDepth: 2,
    readBytesPerSecond: 10 * 2 ** 20,
    writeBytesPerSecond: 2 ** 20,
    readsPerSecond: 320,
    writesPerSecond: 60,
    flags: "",
    syncsPerSecond: 3,
    fillBytesPerSecond: 0,
    servedFillBytesPerSecond: 2 ** 20,
    queueDepthAverage: 1.25,
    queueDepthMax: 9,
    totals: TOTALS,
    ...part,
  };
}

export function sampleClient(part: Partial<ClientStatus> = {}): ClientStatus {
  return {
    sessionId: 2049,
    hostname: "vmhost1",
    program: "mount",
    leaseCount: 12,
    address: "10.30.17.50:50123",
    readBytesPerSecond: 3.5 * 2 ** 20,
    writeBytesPerSecond: 0,
    readsPerSecond: 90,
    writesPerSecond: 0,
    syncsPerSecond: 1.2,
    latencyMsAverage: 2.2,
    latencyMsMax: 40,
    ...part,
  };
}

const CHUNKS: ChunkCounts = {
  total: 100,
  healthy: 90,
  standby: 2,
  degraded: 8,
  urgent: 0,
  blocked: 0,
  pending: 0,
  offline: 0,
  replicating: 3,
  overcommitted: 0,
  deleting: 0,
  unique: 0,
  void: 0,
};

export const STATUS: ClusterStatus = {
  clusterName: "stor1",
  level: 2,
  levelHeldBy: [],
  wallMs: Date.UTC(2024, 4, 17, 10),
  clusterId: "5e8f9f2c-0000-4000-8000-000000000001",
  health: "degraded",
  mdsId: 2,
  mdsServers: [
    sampleMds(),
    sampleMds({ mdsId: 2, address: "10.30.17.12:2510", isLeader: true }),
    sampleMds({
      mdsId: 3,
      address: "10.30.17.13:2510",
      status: "unavail",
      hasLoad: false,
      commitsPerSecond: 0,
      logTimePercent: 0,
      cpuPercent: 0,
      memoryBytes: 0,
      uptimeSeconds: 0,
    }),
  ],
  chunkServers: [
    sampleCs(),
    sampleCs({ csId: 1026, address: "10.30.17.39:33345", freeBytes: 20 * GB, ioWaitPercent: 99, flags: "h" }),
    sampleCs({ csId: 1027, status: "inactive", address: "10.30.17.40:45555", hostId: "00000000000000a2" }),
    sampleCs({ csId: 1028, status: "dropped", address: "10.30.17.41:45556" }),
    sampleCs({ csId: 1029, address: "10.30.17.42:45557", tier: 2, uniqueCount: 5 }),
  ],
  clients: [sampleClient(), sampleClient({ sessionId: 2050, hostname: "backup", program: "library" })],
  space: {
    totalBytes: 420 * GB,
    freeBytes: 284 * GB,
    allocatableBytes: 140 * GB,
    allocatableFreeBytes: 94 * GB,
    tiers: [
      { tier: 0, serverCount: 3, totalBytes: 315 * GB, freeBytes: 196 * GB },
      { tier: 2, serverCount: 1, totalBytes: 105 * GB, freeBytes: 88 * GB },
    ],
    capacityBytes: 0,
    usedBytes: 46 * GB,
  },
  chunks: CHUNKS,
  filesystem: { fileCount: 45, inodeCount: 67, sizeBytes: 46 * GB, chunkCount: 100 },
  replicas: 3,
  replicasMinimum: 2,
  epochUptimeSeconds: 12 * 86400 + 3 * 3600,
};

export const EVENTS: readonly EventRecord[] = Array.from({ length: 30 }, (_, index) => ({
  number: index + 1,
  wallMs: Date.UTC(2024, 4, 17, 9, 30, index),
  system: index % 3 === 0 ? "CS" : "MDS",
  severity: index % 5 === 0 ? "warn" : "info",
  message: `CS#${1025 + index} said something that is as long as a sentence in the log of events often is`,
}));
