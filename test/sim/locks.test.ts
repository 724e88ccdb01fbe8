import { describe, expect, test } from "vitest";
import { Prng } from "../../src/base/index.js";
import { Positions } from "./checkers/file-history.js";
import type { ClientNode } from "./cluster/client-node.js";
import { SimCluster } from "./cluster/sim-cluster.js";
import { CALM, type FaultPlan } from "./faults/fault-plan.js";
import { FaultInjector } from "./faults/injector.js";
import { LockWorkload } from "./workloads/lock-workload.js";

const SAFETY_MS = 40_000;
const STOP_MS_MAX = 120_000;
const PLAN: FaultPlan = {
  ...CALM,
  mdsKillMs: 4000,
  clientKillMs: 6000,
  partitionMs: 5000,
  pauseMs: 6000,
  leaderTransferMs: 5000,
  resetRate: 0.001,
  latencyMsMax: 3,
  latenessMsMax: 5,
  clockRateError: 0.01,
};

/** A cluster whose clients do nothing but lock, under faults that concern metadata servers and clients. */
class LockRun {
  readonly #cluster: SimCluster;
  readonly #prng: Prng;
  readonly workload: LockWorkload;
  readonly #working = new Set<Promise<void>>();
  #isStopping = false;

  constructor(cluster: SimCluster, prng: Prng) {
    this.#cluster = cluster;
    this.#prng = prng;
    this.workload = new LockWorkload({ simulation: cluster, positions: new Positions() });
  }

  async run(): Promise<void> {
    const { simulator, clients } = this.#cluster;
    const first = clients[0]?.cluster;
    if (first === undefined) throw new Error("the first client is connected");
    await simulator.run(this.workload.setUp(first), "the files");
    for (const client of clients) this.#work(client);
    const injector = new FaultInjector(this.#cluster, PLAN, this.#prng.fork(), {
      restart: (node) => {
        const client = clients.find((one) => one === node);
        if (client === undefined) void node.start();
        else void client.start().then(() => this.#work(client));
      },
      powerFailed: () => undefined,
    });
    injector.begin();
    await simulator.runFor(SAFETY_MS);
    injector.heal();
    this.#isStopping = true;
    await simulator.runUntil(() => this.#working.size === 0, "the clients", { timeoutMs: STOP_MS_MAX });
    // The sessions of dead clients end, and their locks with them.
    await simulator.runFor(60_000);
    const reader = clients[0];
    if (reader === undefined) throw new Error("there is a client");
    reader.kill();
    await simulator.run(reader.start(), "a reader");
    const actor = this.#actor(reader);
    if (actor !== undefined) await simulator.run(this.workload.readBack(actor), "a last look");
  }

  #actor(node: ClientNode) {
    const { cluster } = node;
    if (cluster === undefined) return undefined;
    const process = `${node.name}#${node.life}`;
    return { process, node, cluster, prng: this.#prng.fork(), isStopping: () => this.#isStopping };
  }

  #work(node: ClientNode): void {
    const actor = this.#actor(node);
    if (actor === undefined) return;
    const working = (async () => {
      while (!this.#isStopping) await this.workload.work(actor);
      await actor.cluster.close();
    })();
    this.#working.add(working);
    const isOver = (): void => void this.#working.delete(working);
    node.host.onDeath(isOver);
    void working.then(isOver);
  }
}

describe("locks under faults", () => {
  test.each([1, 2])(
    "are never given twice, and none is left behind (seed %i)",
    async (seed) => {
      const cluster = await SimCluster.create({ seed, mdsCount: 3, csCount: 3, clientCount: 3 });
      const run = new LockRun(cluster, new Prng(seed));
      await run.run();
      expect(run.workload.check()).toEqual([]);
      expect(cluster.violations.all).toEqual([]);
      expect(run.workload.counts.succeeded).toBeGreaterThan(50);
    },
    120_000,
  );
});
