import { Prng } from "../../src/base/index.js";
import { sessionId } from "../../src/meta/index.js";
import { checkDisks, scrubAll } from "./checkers/disks.js";
import { Positions } from "./checkers/file-history.js";
import { checkQuietState } from "./checkers/quiet-state.js";
import { whatIsUnfinished } from "./checkers/unfinished.js";
import type { ClientNode } from "./cluster/client-node.js";
import { SimCluster } from "./cluster/sim-cluster.js";
import type { SimNode } from "./cluster/sim-node.js";
import type { Violation } from "./cluster/violations.js";
import { describePlan, drawFaultPlan, type FaultPlan } from "./faults/fault-plan.js";
import { FaultInjector } from "./faults/injector.js";
import { FileWorkload } from "./workloads/file-workload.js";
import { FreshWorkload } from "./workloads/fresh-workload.js";
import { TreeWorkload } from "./workloads/tree-workload.js";
import type { Actor, Workload } from "./workloads/workload.js";

export interface SimulationOptions {
  readonly seed: number;
  readonly trace?: ((line: string) => void) | undefined;
  /** Clients write behind and read ahead; default false. */
  readonly buffered?: boolean | undefined;
  /** Virtual time under faults; drawn from the seed unless given. */
  readonly safetyMs?: number | undefined;
  /** Instead of the one drawn from the seed. */
  readonly plan?: Partial<FaultPlan> | undefined;
}

export interface SimulationReport {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly description: string;
  readonly virtualMs: number;
  readonly eventCount: number;
  readonly begun: number;
  readonly succeeded: number;
  readonly faults: number;
}

/** After the faults every client must come to an end within this time. */
const STOP_MS_MAX = 120_000;
/** And the cluster must have nothing left to do within this. */
const QUIET_MS_MAX = 180_000;

const SCRUB_MS_MAX = 600_000;

/** One run: safety under faults, then everything is healed and must converge, then everything is looked at. */
export async function simulate(options: SimulationOptions): Promise<SimulationReport> {
  const run = new Run(options);
  return await run.run();
}

class Run {
  readonly #options: SimulationOptions;
  readonly #prng: Prng;
  readonly #plan: FaultPlan;
  readonly #safetyMs: number;
  /** Clients at work, and who they are. */
  readonly #working = new Map<Promise<void>, string>();
  /** Dead clients whose sessions may still live. */
  readonly #dead = new Map<string, number>();
  #workloads: Workload[] = [];
  #isStopping = false;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#prng = new Prng(options.seed ^ 0x5eed);
    this.#plan = { ...drawFaultPlan(this.#prng.fork()), ...options.plan };
    const drawnMs = this.#prng.between(10_000, 40_000);
    this.#safetyMs = options.safetyMs ?? drawnMs;
  }

  async run(): Promise<SimulationReport> {
    const { seed, trace, buffered } = this.#options;
    const shape = {
      mdsCount: this.#prng.pick([1, 3, 3, 3, 5]),
      csCount: this.#prng.between(3, 6),
      clientCount: this.#prng.between(1, 4),
    };
    const bugs: unknown[] = [];
    const onBug = (error: unknown): void => void bugs.push(error);
    process.on("unhandledRejection", onBug);
    let cluster: SimCluster | undefined;
    let faults = 0;
    const failures: Violation[] = [];
    try {
      // Most of what is written goes to chunk servers in most runs.
      const config = { "mds.inline.size": seed % 4 === 0 ? "65536" : "4096" };
      cluster = await SimCluster.create({ seed, trace, buffered, config, ...shape });
      faults = await this.#phases(cluster, bugs);
    } catch (error) {
      failures.push({
        checker: "the run",
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
        atMs: cluster?.simulator.nowMs ?? 0,
      });
    } finally {
      process.off("unhandledRejection", onBug);
    }
    const atMs = cluster?.simulator.nowMs ?? 0;
    for (const bug of bugs) {
      const message = bug instanceof Error ? (bug.stack ?? bug.message) : String(bug);
      failures.push({ checker: "unhandled bug", message, atMs });
    }
    return {
      seed,
      violations: [...(cluster?.violations.all ?? []), ...failures],
      description: `${shape.mdsCount} mds ${shape.csCount} cs ${shape.clientCount} clients, ${Math.round(this.#safetyMs)} ms; ${describePlan(this.#plan)}`,
      virtualMs: atMs,
      eventCount: cluster?.simulator.eventCount ?? 0,
      begun: this.#workloads.reduce((sum, { counts }) => sum + counts.begun, 0),
      succeeded: this.#workloads.reduce((sum, { counts }) => sum + counts.succeeded, 0),
      faults,
    };
  }

  async #phases(cluster: SimCluster, bugs: readonly unknown[]): Promise<number> {
    const { simulator, violations } = cluster;
    const positions = new Positions();
    const replicasMax = Math.min(3, cluster.options.csCount);
    const world = { simulation: cluster, positions };
    this.#workloads = [
      new FileWorkload(world, this.#prng.fork(), this.#prng.between(1, 4), replicasMax),
      new FileWorkload(world, this.#prng.fork(), this.#prng.between(2, 6), replicasMax, "small"),
      new TreeWorkload(world, this.#prng.between(1, 2)),
      new FreshWorkload(world),
    ];
    await simulator.run(this.#setUp(cluster), "the workloads to be set up");

    for (const node of cluster.clients) this.#work(node);
    const injector = new FaultInjector(cluster, this.#plan, this.#prng.fork(), {
      restart: (node) => this.#restart(cluster, node),
      powerFailed: () => {
        for (const workload of this.#workloads) workload.powerFailed();
      },
    });
    injector.begin();
    await this.#runFor(cluster, this.#safetyMs, bugs);
    injector.heal();
    this.#isStopping = true;
    await this.#endClients(cluster, injector, bugs);
    if (violations.all.length > 0 || bugs.length > 0) return total(injector);
    await simulator.runUntil(() => injector.isSettled, "the operator to end", { timeoutMs: STOP_MS_MAX });
    await this.#converge(cluster, injector);
    if (violations.all.length > 0) return total(injector);
    if (this.#plan.rotMs > 0) {
      await simulator.run(scrubAll(cluster), "all servers to read everything", { timeoutMs: SCRUB_MS_MAX });
      await this.#converge(cluster, injector);
      await simulator.run(checkDisks(cluster), "a look at the disks");
    }
    await simulator.run(checkQuietState(cluster), "a look at the quiet state");
    await this.#readBack(cluster);
    for (const workload of this.#workloads) {
      for (const complaint of workload.check()) violations.add(workload.name, complaint);
    }
    return total(injector);
  }

  async #setUp(cluster: SimCluster): Promise<void> {
    const first = cluster.clients[0]?.cluster;
    if (first === undefined) throw new Error("the first client is not connected");
    for (const workload of this.#workloads) await workload.setUp(first);
  }

  /** Once everything is healed, no request may wait for ever. */
  async #endClients(cluster: SimCluster, injector: FaultInjector, bugs: readonly unknown[]): Promise<void> {
    const { simulator, violations } = cluster;
    const endMs = simulator.nowMs + STOP_MS_MAX;
    while (this.#working.size > 0 && simulator.nowMs < endMs) {
      await this.#runFor(cluster, 250, bugs);
      injector.mend();
      if (violations.all.length > 0 || bugs.length > 0) return;
    }
    if (this.#working.size === 0) return;
    const unfinished = await simulator.run(whatIsUnfinished(cluster), "a look at what is unfinished");
    const clients = [...this.#working.values()].join(", ");
    violations.add(
      "liveness",
      `${clients} did not end within ${STOP_MS_MAX} ms; ${unfinished ?? "all is quiet"}`,
    );
  }

  /** In slices, so that a bug ends the run soon. */
  async #runFor(cluster: SimCluster, durationMs: number, bugs: readonly unknown[]): Promise<void> {
    const { simulator, violations } = cluster;
    const endMs = simulator.nowMs + durationMs;
    while (simulator.nowMs < endMs) {
      await simulator.runFor(Math.min(250, endMs - simulator.nowMs));
      this.#fence(cluster);
      if (violations.all.length > 0 || bugs.length > 0) return;
    }
  }

  #restart(cluster: SimCluster, node: SimNode): void {
    const client = cluster.clients.find((one) => one === node);
    if (client === undefined) void node.start();
    else void client.start().then(() => this.#work(client));
  }

  /** The program of one life of a client: works until it dies or is told to stop. */
  #work(node: ClientNode): void {
    const { cluster } = node;
    if (cluster === undefined) return;
    const actor: Actor = {
      process: `${node.name}#${node.life}`,
      node,
      cluster,
      prng: this.#prng.fork(),
      isStopping: () => this.#isStopping,
    };
    const working = this.#loop(actor);
    this.#working.set(working, actor.process);
    const isOver = (): void => void this.#working.delete(working);
    node.host.onDeath(() => {
      isOver();
      this.#dead.set(actor.process, cluster.sessionId);
    });
    void working.then(isOver);
  }

  /** Whose session has ended, and whose files are recovered, can change nothing any more. */
  #fence(cluster: SimCluster): void {
    const over = new Set<string>();
    for (const { server } of cluster.mds) {
      const tables = server?.store.tables;
      if (tables === undefined || tables.recoveries.size > 0) continue;
      for (const [process, id] of this.#dead) {
        const isKnown = (tables.counters.get()?.session ?? 0) >= id;
        if (isKnown && tables.sessions.get(sessionId(id)) === undefined) over.add(process);
      }
    }
    for (const process of over) this.#dead.delete(process);
    if (over.size > 0) for (const workload of this.#workloads) workload.fence((process) => over.has(process));
  }

  async #loop(actor: Actor): Promise<void> {
    const beside = this.#workloads.map((workload) =>
      workload.beside?.({ ...actor, prng: actor.prng.fork() }),
    );
    while (!this.#isStopping) await actor.prng.pick(this.#workloads).work(actor);
    await Promise.all(beside);
    await actor.cluster.close();
  }

  /** Within bounded time everything that was begun is finished, and every chunk has all its replicas. */
  async #converge(cluster: SimCluster, injector: FaultInjector): Promise<void> {
    const { simulator, violations } = cluster;
    const endMs = simulator.nowMs + QUIET_MS_MAX;
    let unfinished: string | undefined = "nothing was looked at";
    while (unfinished !== undefined && simulator.nowMs < endMs) {
      await simulator.runFor(1000);
      injector.mend();
      this.#fence(cluster);
      unfinished = await simulator.run(whatIsUnfinished(cluster), "a look at what is unfinished");
    }
    if (unfinished !== undefined) violations.add("convergence", `after ${QUIET_MS_MAX} ms: ${unfinished}`);
  }

  async #readBack(cluster: SimCluster): Promise<void> {
    const { simulator } = cluster;
    const node = cluster.clients[0];
    if (node === undefined) return;
    node.kill();
    await simulator.run(node.start(), "a client for reading back", { timeoutMs: 60_000 });
    if (node.cluster === undefined) throw new Error("the client is not connected");
    const actor: Actor = {
      process: `${node.name}#${node.life}`,
      node,
      cluster: node.cluster,
      prng: this.#prng.fork(),
      isStopping: () => false,
    };
    for (const workload of this.#workloads) {
      await simulator.run(workload.readBack(actor), `${workload.name} to be read back`, {
        timeoutMs: 120_000,
      });
    }
    await simulator.run(actor.cluster.close(), "the reader to end", { timeoutMs: 60_000 });
  }
}

function total({ counts }: FaultInjector): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}
