import { setTimeout as sleep } from "node:timers/promises";
import type { Prng } from "../../../src/base/index.js";
import type { ServiceKind } from "../../../src/cli/host-files.js";
import type { Lab } from "../../../src/cli/lab/lab.js";
import type { Cluster } from "../../../src/client/connect.js";
import { clientAddressOf } from "../../../src/discovery/index.js";

export interface MischiefPlan {
  /** How long everything runs before the next fall, ms, from and to. */
  readonly calmMs: readonly [number, number];
  /** How long a fallen daemon stays down. */
  readonly downMs: readonly [number, number];
  /** So often, then there is peace: on a slow machine work would else never come to its end. */
  readonly countMax: number;
}

interface Victim {
  readonly kind: ServiceKind;
  readonly host: number;
}

/** Which host's MDS leads, as that client sees it at this moment. */
export function leaderHostOf(lab: Lab, cluster: Cluster): number | undefined {
  const address = cluster.leader?.address;
  const index = lab.mdsAddresses.findIndex((mds) => clientAddressOf(mds) === address);
  return index < 0 ? undefined : index + 1;
}

/**
 * Kills the leading MDS, a chunk server, or both with SIGKILL at random moments and starts them again, over and over
 * until it is stopped. At most one of each kind is down at a time.
 */
export class Mischief {
  readonly #lab: Lab;
  readonly #cluster: Cluster;
  readonly #prng: Prng;
  readonly #plan: MischiefPlan;
  readonly #end = new AbortController();
  readonly #kills = { mds: 0, cs: 0 };
  #running: Promise<void> | undefined;

  constructor(lab: Lab, cluster: Cluster, prng: Prng, plan: MischiefPlan) {
    this.#lab = lab;
    this.#cluster = cluster;
    this.#prng = prng;
    this.#plan = plan;
  }

  get kills(): Readonly<Record<ServiceKind, number>> {
    return this.#kills;
  }

  start(): void {
    this.#running ??= this.#run();
    // Whoever stops it hears of it.
    this.#running.catch(() => undefined);
  }

  /** Resolves when everything runs again. */
  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { calmMs, downMs, countMax } = this.#plan;
    for (let count = 0; count < countMax && !this.#end.signal.aborted; count++) {
      await this.#pause(calmMs);
      const victims = this.#victims();
      await Promise.all(victims.map(({ kind, host }) => this.#lab.kill(kind, host)));
      for (const { kind } of victims) this.#kills[kind]++;
      await this.#pause(downMs);
      await Promise.all(victims.map(({ kind, host }) => this.#lab.startOne(kind, host)));
    }
  }

  #victims(): Victim[] {
    const { mdsCount, csCount } = this.#lab.size;
    const mds = {
      kind: "mds",
      host: leaderHostOf(this.#lab, this.#cluster) ?? this.#prng.between(1, mdsCount),
    } as const;
    const cs = { kind: "cs", host: this.#prng.between(1, csCount) } as const;
    return this.#prng.pick([[mds], [cs], [mds, cs]]);
  }

  async #pause([minMs, maxMs]: readonly [number, number]): Promise<void> {
    const ms = this.#prng.between(minMs, maxMs);
    await sleep(ms, undefined, { signal: this.#end.signal }).catch(() => undefined);
  }
}
