import type { ChainMember, CsId } from "../../chunk/index.js";

/** What a client knows of a chunk server from using it. */
export interface ServerLoad {
  /** Requests on the way. */
  readonly outstandingCount: number;
  /** Of recent requests, on average; 0 when it was never used. */
  readonly latencyMs: number;
  /** It failed a moment ago. */
  readonly isSuspect: boolean;
}

export interface ReplicaQuestion {
  readonly chain: readonly ChainMember[];
  /** Of this client. */
  readonly hostId: string;
  /** Those that failed this very read. */
  readonly excluded: { readonly has: (csId: CsId) => boolean };
  readonly loadOf: (member: ChainMember) => ServerLoad;
}

/**
 * Which replica to read from: never one that is being filled or that failed this read; rather not one that just failed
 * another; then the one on this host; then the one that should answer soonest. Undefined if none is left.
 */
export function chooseReplica(question: ReplicaQuestion): ChainMember | undefined {
  let best: ChainMember | undefined;
  let bestCost = Number.POSITIVE_INFINITY;
  for (const member of question.chain) {
    if (member.syncing || question.excluded.has(member.csId)) continue;
    const cost = costOf(member, question);
    if (cost >= bestCost) continue;
    best = member;
    bestCost = cost;
  }
  return best;
}

/** Ms, plus a surcharge that outweighs every wait. Ties go to the earlier member. */
function costOf(member: ChainMember, { hostId, loadOf }: ReplicaQuestion): number {
  const { outstandingCount, latencyMs, isSuspect } = loadOf(member);
  if (isSuspect) return SUSPECT_COST;
  if (hostId !== "" && member.hostId === hostId) return -1;
  return (outstandingCount + 1) * Math.max(latencyMs, LATENCY_MS_MIN);
}

const SUSPECT_COST = 1e12;
/** So that a server never used is not preferred to a fast one for ever. */
const LATENCY_MS_MIN = 0.05;
