import type { ChunkId, CsId } from "../../chunk/index.js";
import { surplusOf } from "./chunk-settle.js";
import { type ChunkState, chunkState, presenceOf } from "./chunk-states.js";
import { configNumber } from "./cluster-config.js";
import { clusterHealth } from "./cluster-health.js";
import type { ReconfigureChunk } from "./command.js";
import { isInMaintenance } from "./cs-maintenance.js";
import { domainOf } from "./failure-domain.js";
import { type LostEvidence, planRevival, planSubstitution } from "./inventory.js";
import { place } from "./placement.js";
import type { ChunkRecord, ReplicaRecord } from "./records.js";
import { SyncBudget } from "./sync-budget.js";
import type { Tables } from "./tables.js";

/**
 * What the leader does next about chunks that have too few, too many or badly placed replicas. Only a plan: each step is
 * checked again when it is applied.
 */
export interface RepairWorld {
  readonly tables: Pick<Tables, "chunkServers" | "config">;
  readonly stampMs: number;
  /** A client waits for this chunk. */
  readonly isAwaited: (chunkId: ChunkId) => boolean;
  /** What the inventory of a server that is there says about a lost replica of the chunk. */
  readonly evidenceOf: (csId: CsId, record: ChunkRecord) => LostEvidence;
  /** The server is there, and has a replica that missed versions; undefined before its inventory is here. */
  readonly isStale: (csId: CsId, record: ChunkRecord) => boolean | undefined;
  /** Chunks of which replicas are known to be filled, planned for or not: they count as what is under way. */
  readonly filling: Iterable<ChunkRecord>;
}

export interface RepairPlan {
  /** The most urgent first. */
  readonly steps: readonly ReconfigureChunk[];
  /** Why nothing new is copied, for people; undefined: nothing holds it up. */
  readonly suppressed: string | undefined;
  /** Chunks that have to wait because enough is being copied already. */
  readonly delayedCount: number;
  /** Chunks that would be copied if there were servers to take them. */
  readonly homelessCount: number;
}

/**
 * Plans for these chunks: those in `degraded`, those on servers that are offline, dropped, failed or being released, and
 * those that clients wait for, as far as they were listed. A record that appears twice is planned once. What is behind the first
 * `stepsMax` steps is delayed.
 */
export function planRepairs(
  world: RepairWorld,
  records: Iterable<ChunkRecord>,
  stepsMax = Number.POSITIVE_INFINITY,
): RepairPlan {
  const unique = byId(records);
  const suppressed = suppressionOf(world.tables);
  const budget = new SyncBudget(world.tables, new Map([...unique, ...byId(world.filling)]).values());
  const counts = { delayedCount: 0, homelessCount: 0 };
  const steps: ReconfigureChunk[] = [];
  for (const { record, state } of byUrgency(world, unique.values())) {
    const isAlways = state === "pending";
    const mayCopy = steps.length < stepsMax && (isAlways || budget.mayCopy(record));
    const step = planChunk(world, record, state, { isSuppressed: suppressed !== undefined, mayCopy });
    if (step === "homeless") counts.homelessCount += 1;
    else if (step === "delayed") counts.delayedCount += 1;
    else if (step !== undefined && steps.length < stepsMax && budget.admits(record, step, isAlways))
      steps.push(step);
    else if (step !== undefined) counts.delayedCount += 1;
  }
  return { steps, suppressed, ...counts };
}

function byId(records: Iterable<ChunkRecord>): Map<ChunkId, ChunkRecord> {
  return new Map(Array.from(records, (record) => [record.chunkId, record]));
}

/** Too many hosts are gone at once for this to be a failure of disks: copying everything would make it worse. */
export function suppressionOf(tables: Pick<Tables, "chunkServers" | "config">): string | undefined {
  if (configNumber(tables, "mds.repair.enabled") === 0) return "mds.repair.enabled is 0";
  const health = clusterHealth(tables);
  if (health.status !== "failure") return undefined;
  const limit = configNumber(tables, "mds.wd.max_offline_cs_hosts");
  return `${health.offlineHostCount} hosts are offline, more than mds.wd.max_offline_cs_hosts=${limit}`;
}

/** Healthy ones are here because their servers are being emptied. */
const URGENCY: readonly ChunkState[] = [
  "pending",
  "offline",
  "void",
  "blocked",
  "urgent",
  "degraded",
  "replicating",
  "standby",
  "healthy",
  "overcommitted",
];

function byUrgency(
  { tables, isAwaited }: RepairWorld,
  records: Iterable<ChunkRecord>,
): { readonly record: ChunkRecord; readonly state: ChunkState }[] {
  const ranked = Array.from(records, (record) => {
    const state = chunkState(tables, record, isAwaited(record.chunkId));
    return { record, state, rank: URGENCY.indexOf(state) };
  });
  return ranked.sort((a, b) => a.rank - b.rank || a.record.chunkId - b.record.chunkId);
}

/** "homeless": there is no server to copy it to; "delayed": it would be copied if that might be begun now. */
type Step = ReconfigureChunk | "homeless" | "delayed" | undefined;

function planChunk(
  world: RepairWorld,
  record: ChunkRecord,
  state: ChunkState,
  { isSuppressed, mayCopy }: { readonly isSuppressed: boolean; readonly mayCopy: boolean },
): Step {
  const { tables } = world;
  if (record.chain.length === 0) {
    return planRevival(tables, record, (csId) => world.evidenceOf(csId, record));
  }
  const substitution = planSubstitution(tables, record, (csId) => world.evidenceOf(csId, record));
  if (substitution !== undefined) return substitution;
  const hasPresent = record.chain.some((member) => !member.syncing && presence(world, member) === "active");
  if (!hasPresent) return planWithoutMembers(world, record);
  // Its installation comes first, and leaves out whom it cannot reach.
  if (!record.installed || isSuppressed) return undefined;
  // A new version would shut out a member that does not answer for the moment, though it has everything.
  const isHeldUp = record.chain.some((member) => presence(world, member) === "inactive");
  if (isHeldUp && state !== "pending") return undefined;
  return planMembers(world, record, state, mayCopy) ?? planSurplus(world, record);
}

/** Nobody who has everything is there. */
function planWithoutMembers(world: RepairWorld, record: ChunkRecord): ReconfigureChunk | undefined {
  const members = record.chain.map(({ csId }) => csId);
  if (record.installedVersion === 0) {
    const found = placed(world, record, [], record.policy.replicas);
    // With too few it is given up, and its writers wait for space.
    const add = found.length < record.policy.replicasMinimum ? [] : found;
    return reconfiguration(record, members, add, "its servers went before it was ready");
  }
  // Somebody who dropped out before has as much as they have.
  const isBetter = record.lost.some(
    ({ csId }) => presenceOf(world.tables.chunkServers.get(csId)) === "active",
  );
  if (record.installed || !isBetter) return undefined;
  return reconfiguration(record, members, [], "its servers are gone");
}

function planMembers(world: RepairWorld, record: ChunkRecord, state: ChunkState, mayCopy: boolean): Step {
  const keepers = record.chain.filter((member) => isKeeper(world, member));
  const { returned, awaitedCount } = returnersOf(world, record, keepers);
  const gone = record.chain.filter((member) => presence(world, member) === "gone");
  const missing = record.policy.replicas - keepers.length;
  const back = returned.slice(0, Math.max(0, missing));
  // For a while others are waited for: what they missed is copied sooner than everything.
  const isPatient = state !== "pending" && state !== "blocked";
  const left = missing - back.length - (isPatient ? awaitedCount : 0);
  const stay = [...keepers.map(({ csId }) => csId), ...back];
  const isResting = left > 0 && maySpare(world, record, keepers) && left <= restingCount(world, record, stay);
  const isShort = left > 0 && !isResting;
  if (!mayCopy && (isShort || back.length > 0)) return "delayed";
  const fresh = isShort ? placed(world, record, stay, left) : [];
  const add = [...back, ...fresh];
  // One that is offline may return, and is better than nothing until there is another.
  const remove = gone.filter((member) => member.syncing || isDropped(world, member) || missing <= add.length);
  if (remove.length === 0 && add.length === 0) return isShort ? "homeless" : undefined;
  const removed = remove.map(({ csId }) => csId);
  const step = reconfiguration(record, removed, fresh, add.length > 0 ? "replicated" : "its server is gone");
  return { ...step, add: [...back.map((csId) => ({ csId, keepContents: true })), ...step.add] };
}

/** Copies that would be in use if writers came now: enough of them to wait for a server in maintenance, and never a single one. */
function maySpare(world: RepairWorld, { policy }: ChunkRecord, keepers: readonly ReplicaRecord[]): boolean {
  const complete = keepers.filter((member) => !member.syncing && presence(world, member) === "active");
  return complete.length >= Math.max(policy.replicasMinimum, 2);
}

/** Servers in maintenance, otherwise given up, whose replicas count again when they are back: in domains that nobody else is in. */
function restingCount({ tables }: RepairWorld, record: ChunkRecord, others: readonly CsId[]): number {
  const { tier, failureDomain } = record.policy;
  const domainsOf = (ids: readonly CsId[]): Set<string> =>
    new Set(
      ids.flatMap((csId) => {
        const server = tables.chunkServers.get(csId);
        return server === undefined ? [] : [domainOf(server, failureDomain)];
      }),
    );
  const members = record.chain.filter(({ syncing }) => !syncing).map(({ csId }) => csId);
  const resting = [...members, ...record.leftovers].filter((csId) => {
    const server = tables.chunkServers.get(csId);
    return server?.activity === "offline" && server.tier === tier && isInMaintenance(server);
  });
  const taken = domainsOf(others);
  return [...domainsOf(resting)].filter((domain) => !taken.has(domain)).length;
}

/**
 * Servers with a replica that missed versions: those that are back and may be members again, and how many may still come. One that is
 * away for longer than `mds.wd.offline_tout` is not waited for any more.
 */
function returnersOf(
  { tables, isStale }: RepairWorld,
  record: ChunkRecord,
  keepers: readonly ReplicaRecord[],
): { readonly returned: readonly CsId[]; readonly awaitedCount: number } {
  const { tier, failureDomain } = record.policy;
  const domains = new Set<string>();
  for (const { csId } of keepers) {
    const server = tables.chunkServers.get(csId);
    if (server !== undefined) domains.add(domainOf(server, failureDomain));
  }
  const returned: CsId[] = [];
  let awaitedCount = 0;
  for (const csId of record.leftovers) {
    const server = tables.chunkServers.get(csId);
    if (server?.administration !== "normal" || server.tier !== tier) continue;
    const domain = domainOf(server, failureDomain);
    if (domains.has(domain)) continue;
    const hasReplica = server.activity === "active" ? isStale(csId, record) : undefined;
    if (server.activity === "offline" || hasReplica === false) continue;
    if (hasReplica === true) returned.push(csId);
    else awaitedCount += 1;
    domains.add(domain);
  }
  return { returned, awaitedCount };
}

function planSurplus({ tables }: RepairWorld, record: ChunkRecord): ReconfigureChunk | undefined {
  const surplus = surplusOf(tables, record);
  if (surplus.length === 0) return undefined;
  return { ...reconfiguration(record, surplus, [], "more replicas than wanted"), areSurplus: true };
}

/** It will be among the replicas in the end: neither gone for long, nor on a server that is being emptied. */
function isKeeper(world: RepairWorld, member: ReplicaRecord): boolean {
  const server = world.tables.chunkServers.get(member.csId);
  return presenceOf(server) !== "gone" && server?.administration === "normal";
}

function presence({ tables }: RepairWorld, { csId }: ReplicaRecord): ReturnType<typeof presenceOf> {
  return presenceOf(tables.chunkServers.get(csId));
}

function isDropped({ tables }: RepairWorld, { csId }: ReplicaRecord): boolean {
  return (tables.chunkServers.get(csId)?.administration ?? "dropped") === "dropped";
}

function placed(
  { tables, stampMs }: RepairWorld,
  record: ChunkRecord,
  members: readonly CsId[],
  count: number,
): CsId[] {
  return place(tables, {
    count,
    policy: record.policy,
    members,
    avoid: record.chain.map(({ csId }) => csId),
    seed: record.chunkId * 64 + (record.version % 64),
    stampMs,
  });
}

function reconfiguration(
  { chunkId, version }: ChunkRecord,
  remove: readonly CsId[],
  add: readonly CsId[],
  reason: string,
): ReconfigureChunk {
  const added = add.map((csId) => ({ csId, keepContents: false }));
  return { chunkId, version, remove, areSurplus: false, add: added, reason };
}
