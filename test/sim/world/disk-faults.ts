import type { Prng } from "../../../src/base/index.js";

/** What a disk operation does to the medium. */
export type DiskOperation = "read" | "write" | "sync" | "name";

/**
 * What happens to an operation that a rule hits.
 *
 * `io_error`, `no_space`: it fails, perhaps after a part of it happened. `hang`: it does not end until the rules are
 * cleared. `crash`, `power_loss`: the process dies, or the host goes dark, somewhere during it.
 */
export type DiskFaultEffect = "io_error" | "no_space" | "hang" | "crash" | "power_loss";

export interface DiskFaultRule {
  /** The operation label; a trailing `*` matches any rest. */
  readonly label: string;
  /** Kinds it applies to; all unless given. */
  readonly operations?: readonly DiskOperation[];
  readonly effect: DiskFaultEffect;
  /** Chance of each matching operation; 1 unless given. */
  readonly probability?: number;
  /** So many matching operations are let through first. */
  readonly skip?: number;
  /** After so many hits the rule is spent; no end unless given. */
  readonly times?: number;
}

/** How long operations take: shortest and longest, evenly spread, plus the bytes. */
export interface DiskTiming {
  readMs: readonly [number, number];
  writeMs: readonly [number, number];
  syncMs: readonly [number, number];
  nameMs: readonly [number, number];
  bytesPerMs: number;
  /** Multiplies everything: a slow disk. */
  slowness: number;
  /** Chance of an operation to take `spikeMs` more. */
  spikeRate: number;
  spikeMs: number;
}

interface ActiveRule {
  readonly rule: DiskFaultRule;
  matchCount: number;
  hitCount: number;
}

/** What is wrong with the disk of a host. Belongs to the host and stays over restarts until changed. */
export class DiskFaults {
  readonly timing: DiskTiming = {
    readMs: [0.02, 0.3],
    writeMs: [0.01, 0.1],
    syncMs: [0.2, 4],
    nameMs: [0.02, 0.2],
    bytesPerMs: 500_000,
    slowness: 1,
    spikeRate: 0.002,
    spikeMs: 40,
  };
  /** Every label that was seen: tests compare it with the ones they have failed at. */
  readonly labelsSeen = new Set<string>();
  #rules: ActiveRule[] = [];
  #released: (() => void)[] = [];

  add(rule: DiskFaultRule): void {
    this.#rules.push({ rule, matchCount: 0, hitCount: 0 });
  }

  /** Takes all rules back; operations that hang go on. */
  clear(): void {
    this.#rules = [];
    for (const release of this.#released.splice(0)) release();
  }

  /** Calls back when the rules are cleared. */
  whenReleased(release: () => void): void {
    this.#released.push(release);
  }

  /** What happens to this operation, if anything. */
  judge(operation: DiskOperation, labels: readonly string[], prng: Prng): DiskFaultEffect | undefined {
    for (const label of labels) this.labelsSeen.add(label);
    for (const active of this.#rules) {
      if (labels.some((label) => isHit(active, operation, label, prng))) return active.rule.effect;
    }
    return undefined;
  }

  delayMs(operation: DiskOperation, bytes: number, prng: Prng): number {
    const { timing } = this;
    const [min, max] = timing[`${operation}Ms`];
    const spikeMs = prng.chance(timing.spikeRate) ? timing.spikeMs : 0;
    return (min + prng.float() * (max - min) + bytes / timing.bytesPerMs + spikeMs) * timing.slowness;
  }
}

function isHit(active: ActiveRule, operation: DiskOperation, label: string, prng: Prng): boolean {
  const { rule } = active;
  if (rule.operations !== undefined && !rule.operations.includes(operation)) return false;
  const prefix = rule.label.endsWith("*") ? rule.label.slice(0, -1) : undefined;
  if (prefix === undefined ? label !== rule.label : !label.startsWith(prefix)) return false;
  if (active.matchCount++ < (rule.skip ?? 0)) return false;
  if (active.hitCount >= (rule.times ?? Number.POSITIVE_INFINITY)) return false;
  if (!prng.chance(rule.probability ?? 1)) return false;
  active.hitCount++;
  return true;
}
