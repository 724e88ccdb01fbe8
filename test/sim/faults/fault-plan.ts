import type { Prng } from "../../../src/base/index.js";

/** How often what goes wrong, drawn anew for every seed: mean virtual milliseconds between two of a kind; 0: never. */
export interface FaultPlan {
  readonly mdsKillMs: number;
  readonly csKillMs: number;
  readonly clientKillMs: number;
  /** Kill everything of a role, or of all roles, at once. */
  readonly massKillMs: number;
  readonly mdsPowerMs: number;
  readonly csPowerMs: number;
  /** Every server loses power at once: what was not synced may be gone. */
  readonly blackoutMs: number;
  readonly partitionMs: number;
  readonly pauseMs: number;
  readonly slowDiskMs: number;
  readonly hangingDiskMs: number;
  readonly wallClockMs: number;
  readonly leaderTransferMs: number;
  /** A chunk server's disk is lost for good, and replaced. */
  readonly wipeMs: number;
  /** A bit of a chunk's data flips on one disk, behind everybody's back. */
  readonly rotMs: number;
  /** A chunk server is taken out of service in order (`rm-cs`). */
  readonly drainMs: number;
  /** An MDS is removed, or one more joins. */
  readonly membershipMs: number;
  /** Chance of a packet to break its connection. */
  readonly resetRate: number;
  readonly spikeRate: number;
  readonly spikeMs: number;
  readonly latencyMsMax: number;
  /** Faults come in storms: so long they last, and so long it is calm in between; 0: no calm. */
  readonly stormMsMax: number;
  readonly calmMsMax: number;
  /** How long a dead process stays dead, at most. */
  readonly downMsMax: number;
  /** Timers of every host fire so late at most. */
  readonly latenessMsMax: number;
  /** Clocks run so much too fast or too slow at most. */
  readonly clockRateError: number;
}

export type FaultKind = Exclude<Extract<keyof FaultPlan, `${string}Ms`>, "spikeMs">;

/** No fault at all. */
export const CALM: FaultPlan = {
  mdsKillMs: 0,
  csKillMs: 0,
  clientKillMs: 0,
  massKillMs: 0,
  mdsPowerMs: 0,
  csPowerMs: 0,
  blackoutMs: 0,
  partitionMs: 0,
  pauseMs: 0,
  slowDiskMs: 0,
  hangingDiskMs: 0,
  wallClockMs: 0,
  leaderTransferMs: 0,
  wipeMs: 0,
  rotMs: 0,
  drainMs: 0,
  membershipMs: 0,
  resetRate: 0,
  spikeRate: 0,
  spikeMs: 30,
  latencyMsMax: 0.4,
  stormMsMax: 0,
  calmMsMax: 0,
  downMsMax: 3000,
  latenessMsMax: 0,
  clockRateError: 0,
};

/**
 * Climates that can be asked for: what they change in the drawn plan. A disk that rots is not killed as well: checksums of what
 * was being written when a process dies are made anew from the data, and a bit that rots just there is beyond promise.
 */
export const CLIMATES: Readonly<Record<string, Partial<FaultPlan>>> = {
  drawn: {},
  calm: CALM,
  kills: {
    rotMs: 0,
    mdsKillMs: 5000,
    csKillMs: 2500,
    clientKillMs: 4000,
    massKillMs: 9000,
    downMsMax: 1500,
    resetRate: 0.001,
  },
  power: { ...CALM, mdsPowerMs: 1500, csPowerMs: 2500, blackoutMs: 6000, downMsMax: 600 },
  network: {
    ...CALM,
    partitionMs: 1500,
    resetRate: 0.002,
    spikeRate: 0.01,
    spikeMs: 1500,
    pauseMs: 2500,
    clientKillMs: 5000,
  },
  /** What a client has sent arrives when it is dead and its lease is over. */
  late: { ...CALM, clientKillMs: 1500, pauseMs: 4000, spikeRate: 0.03, spikeMs: 7000, downMsMax: 300 },
  /** Leaders come and go, and clients are cut off meanwhile. */
  leaders: {
    ...CALM,
    leaderTransferMs: 2000,
    mdsKillMs: 3000,
    partitionMs: 700,
    pauseMs: 2500,
    downMsMax: 500,
  },
  rot: { csKillMs: 0, massKillMs: 0, csPowerMs: 0, blackoutMs: 0, wipeMs: 0, drainMs: 0, rotMs: 400 },
};

/** Every seed has its own climate: some faults often, some seldom, some not at all. */
export function drawFaultPlan(prng: Prng): FaultPlan {
  const plan = drawMixture(prng);
  return prng.chance(0.07) ? { ...plan, ...CLIMATES["rot"] } : plan;
}

function drawMixture(prng: Prng): FaultPlan {
  const often = (chance: number, min: number, max: number): number =>
    prng.chance(chance) ? prng.between(min, max) / 2 : 0;
  return {
    mdsKillMs: often(0.6, 2000, 20_000),
    csKillMs: often(0.7, 1500, 15_000),
    clientKillMs: often(0.6, 3000, 20_000),
    massKillMs: often(0.25, 8000, 40_000),
    mdsPowerMs: often(0.4, 5000, 30_000),
    csPowerMs: often(0.5, 4000, 30_000),
    blackoutMs: often(0.2, 8000, 40_000),
    partitionMs: often(0.6, 3000, 20_000),
    pauseMs: often(0.5, 2000, 20_000),
    slowDiskMs: often(0.4, 3000, 20_000),
    hangingDiskMs: often(0.2, 10_000, 40_000),
    wallClockMs: often(0.3, 3000, 20_000),
    leaderTransferMs: often(0.3, 3000, 20_000),
    wipeMs: often(0.25, 10_000, 40_000),
    rotMs: 0,
    drainMs: often(0.25, 10_000, 40_000),
    membershipMs: often(0.25, 8000, 30_000),
    resetRate: prng.pick([0, 0, 0.0002, 0.002]),
    spikeRate: prng.pick([0, 0.001, 0.01]),
    spikeMs: prng.pick([30, 300, 1500]),
    latencyMsMax: prng.pick([0.4, 0.4, 3, 20]),
    stormMsMax: prng.between(1000, 8000),
    calmMsMax: prng.pick([0, 500, 4000]),
    downMsMax: prng.pick([200, 3000, 12_000]),
    latenessMsMax: prng.pick([0, 0, 5, 60]),
    clockRateError: prng.pick([0, 0, 0.001, 0.02]),
  };
}

/** For people: what is not zero. */
export function describePlan(plan: FaultPlan): string {
  return Object.entries(plan)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}
