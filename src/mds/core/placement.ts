import { Prng } from "../../base/index.js";
import type { CsId } from "../../chunk/index.js";
import { configNumber } from "./cluster-config.js";
import { domainOf } from "./failure-domain.js";
import type { ChunkPolicy, CsRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * Where new replicas go. Deterministic: depends on nothing but the replicated registry and config, and the seed.
 *
 * A failure domain is chosen with a probability in proportion to its free space, but never more than one (systematic
 * sampling with capped probabilities). So a domain that is larger than the others is in every chunk, and the small
 * ones fill at the same rate: racks of 10, 20, 30, 100 and 100 TB at 3 copies hold 60 TB.
 */
export interface PlacementRequest {
  readonly count: number;
  readonly policy: ChunkPolicy;
  /** Members that stay: their failure domains are taken. */
  readonly members: readonly CsId[];
  /** Never chosen, though their domains are free: they have just failed. */
  readonly avoid: readonly CsId[];
  readonly seed: number;
  readonly stampMs: number;
}

/** The view that placement needs. */
export type Registry = Pick<Tables, "chunkServers" | "config">;

/** Up to `count` servers, in random order; fewer if there are not more. */
export function place(registry: Registry, request: PlacementRequest): CsId[] {
  const prng = new Prng(request.seed);
  const all = [...registry.chunkServers.values()];
  const usableOf = usableBytesOf(registry);
  const usable = all.filter(
    (server) => isWanted(server) && usableOf(server) > 0 && !isExcluded(server, request),
  );
  const pauseMs = configNumber(registry, "mds.alloc.failed_pause");
  // A failure in the future was stamped by a clock that was wrong: it must not bar the server until then.
  const isRested = ({ failedMs }: CsRecord): boolean =>
    failedMs === 0 || failedMs > request.stampMs || failedMs + pauseMs <= request.stampMs;
  const rested = usable.filter(isRested);
  // A disk that got something wrong is as good as none only while there are others enough.
  const sound = rested.filter(({ flags }) => !flags.includes("h"));
  const best = placeAmong({ registry, usableOf, prng }, sound, request);
  const isBest = best.length >= request.count || sound.length === rested.length;
  const chosen = isBest ? best : placeAmong({ registry, usableOf, prng }, rested, request);
  // Servers that failed a moment ago are better than no writing at all.
  const needed = Math.min(request.count, request.policy.replicasMinimum - request.members.length);
  const result = chosen.length >= needed ? chosen : placeAmong({ registry, usableOf, prng }, usable, request);
  return prng.shuffle(result);
}

/** Servers that are up, wanted, sound and not full. */
export function mayTakeReplicas(registry: Registry, server: CsRecord): boolean {
  return isWanted(server) && usableBytes(registry, server) > 0;
}

const isWanted = ({ activity, administration }: CsRecord): boolean =>
  activity === "active" && administration === "normal";

/** Free space above the margins, bytes. */
export function usableBytes(registry: Registry, server: CsRecord): number {
  return usableBytesOf(registry)(server);
}

/** The same for one server after the other, of which there may be thousands. */
function usableBytesOf(registry: Registry): (server: CsRecord) => number {
  const fillPercent = configNumber(registry, "mds.alloc.fill_margin");
  const spaceMargin = configNumber(registry, "mds.alloc.free_space_margin") * 1e6;
  return ({ totalBytes, freeBytes }) =>
    Math.max(0, freeBytes - Math.max((totalBytes * fillPercent) / 100, spaceMargin));
}

function isExcluded({ csId }: CsRecord, { members, avoid }: PlacementRequest): boolean {
  return members.includes(csId) || avoid.includes(csId);
}

/** What one placement goes by. */
interface Choice {
  readonly registry: Registry;
  readonly usableOf: (server: CsRecord) => number;
  readonly prng: Prng;
}

function placeAmong(choice: Choice, candidates: readonly CsRecord[], request: PlacementRequest): CsId[] {
  const { registry } = choice;
  const { policy, count } = request;
  const chosen: CsRecord[] = [];
  for (const tier of tiersFor(registry, policy.tier)) {
    const inTier = candidates.filter((server) => server.tier === tier && !chosen.includes(server));
    chosen.push(...pickDomains(choice, inTier, request, chosen));
    if (chosen.length >= count) break;
  }
  if (chosen.length < count && configNumber(registry, "mds.alloc.strict_failure_domain") === 0) {
    const tiers = tiersFor(registry, policy.tier);
    const rest = candidates.filter((server) => tiers.includes(server.tier) && !chosen.includes(server));
    chosen.push(...pickServers(choice, rest, count - chosen.length));
  }
  return chosen.map(({ csId }) => csId);
}

/** The tier itself; if it may be left, then the lower ones from the nearest down, then the higher ones. */
function tiersFor(registry: Registry, tier: number): number[] {
  if (configNumber(registry, "mds.alloc.strict_tier") === 1) return [tier];
  const lower = [2, 1, 0].filter((other) => other < tier);
  const higher = [1, 2, 3].filter((other) => other > tier);
  return [tier, ...lower, ...higher];
}

/** One server in each of as many free domains as are still needed. */
function pickDomains(
  choice: Choice,
  candidates: readonly CsRecord[],
  request: PlacementRequest,
  chosen: readonly CsRecord[],
): CsRecord[] {
  const { registry, usableOf, prng } = choice;
  const { failureDomain } = request.policy;
  const members = request.members.flatMap((csId) => registry.chunkServers.get(csId) ?? []);
  const taken = new Set([...members, ...chosen].map((server) => domainOf(server, failureDomain)));
  const domains = new Map<string, CsRecord[]>();
  for (const server of candidates) {
    const key = domainOf(server, failureDomain);
    if (taken.has(key)) continue;
    const group = domains.get(key);
    if (group === undefined) domains.set(key, [server]);
    else group.push(server);
  }
  const groups = [...domains.values()];
  const weights = groups.map((group) => sum(group.map(usableOf)));
  const picked = sample(weights, request.count - chosen.length, prng);
  return picked.flatMap((index) => pickServers(choice, groups[index] ?? [], 1));
}

function pickServers({ usableOf, prng }: Choice, servers: readonly CsRecord[], count: number): CsRecord[] {
  const weights = servers.map(usableOf);
  return sample(weights, count, prng).flatMap((index) => servers[index] ?? []);
}

/**
 * `count` different indexes (all, if there are not more), each with a probability in proportion to its weight, at most
 * one. Systematic sampling: the probabilities laid end to end in random order, cut by a comb of pitch 1.
 */
export function sample(weights: readonly number[], count: number, prng: Prng): number[] {
  const indexes = weights.map((_, index) => index);
  if (weights.length <= count) return indexes;
  const probabilities = inclusionProbabilities(weights, count);
  const picked: number[] = [];
  let next = prng.float();
  let position = 0;
  for (const index of prng.shuffle(indexes)) {
    position += probabilities[index] ?? 0;
    if (position <= next || picked.length === count) continue;
    picked.push(index);
    next += 1;
  }
  // Rounding may cost the last tooth of the comb.
  for (const index of indexes) if (picked.length < count && !picked.includes(index)) picked.push(index);
  return picked;
}

/** In proportion to the weights, none above 1, their sum is `count`. */
function inclusionProbabilities(weights: readonly number[], count: number): number[] {
  const order = weights.map((_, index) => index).sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0));
  const result = weights.map(() => 0);
  let left = count;
  let total = sum(weights);
  for (const index of order) {
    const weight = weights[index] ?? 0;
    const probability = total > 0 ? Math.min(1, (weight * left) / total) : 0;
    result[index] = probability;
    if (probability < 1) continue;
    left -= 1;
    total -= weight;
  }
  return result;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
