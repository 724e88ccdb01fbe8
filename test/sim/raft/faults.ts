import type { Prng } from "../../../src/base/index.js";

export type FaultKind =
  | "crash"
  | "power"
  | "pause"
  | "partition"
  | "slow_disk"
  | "compact"
  | "transfer"
  | "membership";

const KINDS: readonly FaultKind[] = [
  "crash",
  "power",
  "pause",
  "partition",
  "slow_disk",
  "compact",
  "transfer",
  "membership",
];

/**
 * The fault model of a run, drawn from its seed.
 *
 * Messages get lost, doubled, overtake each other, or come very late; links break one way or both; processes die and
 * come back, one by one or all at once, or stand still while the time goes on; a crash loses what was not synced, and of the writes under way any
 * suffix; disks are slow; clocks run at different rates, within what the lease allows for.
 */
export interface Faults {
  /** Members at the beginning. */
  readonly nodeCount: number;
  readonly clientCount: number;
  /** How long the faults go on. */
  readonly faultyMs: number;
  readonly loss: number;
  readonly duplication: number;
  /** Share of the messages that come up to two seconds late. */
  readonly straggling: number;
  readonly delayMs: number;
  readonly diskMs: number;
  /** Mean time between two acts of the nemesis. */
  readonly nemesisMs: number;
  /** Share of its acts that strike the leader. */
  readonly leaderBias: number;
  readonly kinds: readonly FaultKind[];
  readonly thinkMs: number;
  readonly maxMessageBytes: number;
  readonly maxInflight: number;
}

export function drawFaults(prng: Prng): Faults {
  const general = drawGeneral(prng);
  const profile = prng.float();
  if (profile < 0.2) return aimAtLeases(prng, general);
  if (profile < 0.4) return aimAtDisks(prng, general);
  return profile < 0.65 ? aimAtMembers(prng, general) : general;
}

function drawGeneral(prng: Prng): Faults {
  const sometimes = (limit: number): number => (prng.chance(0.5) ? prng.float() * limit : 0);
  const kinds = KINDS.filter(() => prng.chance(0.6));
  return {
    nodeCount: prng.between(1, 7),
    clientCount: 4,
    faultyMs: 6000,
    loss: sometimes(0.3),
    duplication: sometimes(0.2),
    straggling: sometimes(0.1),
    delayMs: prng.pick([1, 5, 20, 60]),
    diskMs: prng.pick([1, 5, 30, 100, 300]),
    nemesisMs: prng.pick([30, 100, 200, 500]),
    leaderBias: 0.5,
    kinds: kinds.length === 0 ? KINDS : kinds,
    thinkMs: prng.pick([60, 150, 300]),
    maxMessageBytes: prng.pick([1, 300, 512 * 1024]),
    maxInflight: prng.pick([1, 2, 8, 64]),
  };
}

/** Fast machines, eager clients, and leaders that lose touch: a stale read must be caught within milliseconds. */
function aimAtLeases(prng: Prng, general: Faults): Faults {
  return {
    ...general,
    nodeCount: prng.between(3, 7),
    clientCount: 8,
    faultyMs: 2500,
    loss: 0,
    duplication: 0,
    straggling: prng.pick([0, 0.02]),
    delayMs: 1,
    diskMs: 1,
    nemesisMs: prng.pick([100, 300]),
    leaderBias: 0.9,
    kinds: ["pause", "partition", "partition", "crash", "transfer"],
    thinkMs: 30,
  };
}

/** Small groups with slow disks and frequent loss of power: what was promised too early gets lost. */
function aimAtDisks(prng: Prng, general: Faults): Faults {
  return {
    ...general,
    nodeCount: prng.between(2, 5),
    delayMs: prng.pick([1, 5]),
    diskMs: prng.pick([50, 150, 300]),
    nemesisMs: prng.pick([30, 100, 200]),
    kinds: ["crash", "crash", "power", "partition", "membership"],
    thinkMs: 60,
    maxMessageBytes: prng.pick([1, 300]),
  };
}

/** Members come and go, and those that come find the log compacted. */
function aimAtMembers(prng: Prng, general: Faults): Faults {
  return {
    ...general,
    nodeCount: prng.between(1, 4),
    loss: general.loss / 3,
    delayMs: prng.pick([1, 5, 20]),
    diskMs: prng.pick([1, 5, 30]),
    nemesisMs: prng.pick([50, 100, 200]),
    leaderBias: 0.7,
    kinds: ["membership", "membership", "membership", "compact", "compact", "crash", "partition", "transfer"],
  };
}
