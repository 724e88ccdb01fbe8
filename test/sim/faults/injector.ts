import type { Prng } from "../../../src/base/index.js";
import { chunkId } from "../../../src/chunk/index.js";
import type { CsNode } from "../cluster/cs-node.js";
import type { MdsNode } from "../cluster/mds-node.js";
import type { SimCluster } from "../cluster/sim-cluster.js";
import type { SimNode } from "../cluster/sim-node.js";
import { Damage } from "./damage.js";
import type { FaultKind, FaultPlan } from "./fault-plan.js";
import { Upkeep } from "./upkeep.js";

/** What the injector needs of whoever runs the clients. */
export interface Restarter {
  /** Starts the daemon or the program of a node whose process is dead. */
  restart(node: SimNode): void;
  /** So many hosts lost power that only what was synced is sure to be there. */
  powerFailed(): void;
}

/** Makes things go wrong as the plan says, and right again after a while. */
export class FaultInjector {
  readonly #cluster: SimCluster;
  readonly #plan: FaultPlan;
  readonly #prng: Prng;
  readonly #restarter: Restarter;
  readonly #damage: Damage;
  /** How often each kind struck. */
  readonly counts = new Map<FaultKind, number>();
  readonly #upkeep: Upkeep;
  #isOver = false;
  #isCalm = false;

  constructor(cluster: SimCluster, plan: FaultPlan, prng: Prng, restarter: Restarter) {
    this.#cluster = cluster;
    this.#plan = plan;
    this.#prng = prng;
    this.#restarter = restarter;
    this.#damage = new Damage(cluster);
    this.#upkeep = new Upkeep(cluster, prng.fork());
  }

  begin(): void {
    const { network, hosts } = this.#cluster.world;
    const { latencyMsMax, resetRate, spikeRate, spikeMs, latenessMsMax } = this.#plan;
    network.faults.latencyMs = [0.05, latencyMsMax];
    network.faults.resetRate = resetRate;
    network.faults.spikeRate = spikeRate;
    network.faults.spikeMs = spikeMs;
    for (const { clockFaults } of hosts) {
      clockFaults.latenessMsMax = latenessMsMax;
      clockFaults.rate = 1 + (this.#prng.float() * 2 - 1) * this.#plan.clockRateError;
    }
    for (const kind of Object.keys(this.#actions) as FaultKind[]) this.#schedule(kind);
    this.#lookAfterDamage();
    this.#changeWeather();
  }

  /** Nothing that an operator began is unfinished. */
  get isSettled(): boolean {
    return this.#upkeep.isIdle;
  }

  /** No more faults, and everything runs again. */
  heal(): void {
    this.#isOver = true;
    const { network, hosts } = this.#cluster.world;
    this.#cluster.simulator.note("faults", "all is healed");
    network.heal();
    network.faults.resetRate = 0;
    network.faults.spikeRate = 0;
    network.faults.latencyMs = [0.05, 0.4];
    for (const host of hosts) {
      host.clockFaults.latenessMsMax = 0;
      host.clockFaults.rate = 1;
      host.diskFaults.timing.slowness = 1;
      host.diskFaults.clear();
      if (host.isPaused) host.resume();
    }
    for (const node of this.#cluster.nodes) {
      if (!node.isUp && !this.#upkeep.isAway(node)) this.#restarter.restart(node);
    }
  }

  readonly #actions: Readonly<Partial<Record<FaultKind, () => void>>> = {
    mdsKillMs: () => this.#killForAWhile(this.#prng.pick(this.#cluster.mds)),
    csKillMs: () => this.#killForAWhile(this.#prng.pick(this.#cluster.chunkServers)),
    clientKillMs: () => this.#killForAWhile(this.#prng.pick(this.#cluster.clients)),
    massKillMs: () => this.#massKill(),
    mdsPowerMs: () => this.#losePower(this.#some(this.#cluster.mds)),
    csPowerMs: () => this.#losePower([this.#prng.pick(this.#cluster.chunkServers)]),
    blackoutMs: () => this.#blackout(),
    partitionMs: () => this.#partition(),
    pauseMs: () => this.#pause(this.#prng.pick(this.#cluster.nodes)),
    slowDiskMs: () => this.#slowDisk(this.#prng.pick(this.#servers)),
    hangingDiskMs: () => this.#hangingDisk(this.#prng.pick(this.#servers)),
    wallClockMs: () => this.#jumpWallClock(this.#prng.pick(this.#cluster.nodes)),
    leaderTransferMs: () => this.#transferLeader(),
    wipeMs: () => this.#wipe(this.#prng.pick(this.#cluster.chunkServers)),
    rotMs: () => this.#rot(),
    drainMs: () => this.#upkeep.drain(this.#prng.pick(this.#cluster.chunkServers)),
    membershipMs: () => this.#upkeep.replaceMds(this.#prng.pick(this.#cluster.mds)),
  };

  get #servers(): readonly SimNode[] {
    return [...this.#cluster.mds, ...this.#cluster.chunkServers];
  }

  /** Poisson: as many as the plan says on average, at any time. */
  #schedule(kind: FaultKind): void {
    const meanMs = this.#plan[kind];
    if (meanMs === 0) return;
    const delayMs = -Math.log(1 - this.#prng.float()) * meanMs;
    this.#cluster.simulator.schedule("faults", kind, delayMs, () => {
      if (this.#isOver) return;
      if (!this.#isCalm) {
        this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
        this.#actions[kind]?.();
      }
      this.#schedule(kind);
    });
  }

  #later(what: string, delayMs: number, act: () => void): void {
    this.#cluster.simulator.schedule("faults", what, delayMs, () => {
      if (!this.#isOver) act();
    });
  }

  #some<T>(items: readonly T[]): T[] {
    return this.#prng.shuffle(items).slice(0, this.#prng.between(1, items.length));
  }

  #killForAWhile(node: SimNode): void {
    if (!node.isUp || this.#upkeep.isAway(node)) return;
    node.kill();
    this.#restartLater(node);
  }

  #restartLater(node: SimNode): void {
    this.#later(`restart of ${node.name}`, this.#prng.float() * this.#plan.downMsMax, () => {
      if (!node.isUp && !this.#upkeep.isAway(node)) this.#restarter.restart(node);
    });
  }

  #massKill(): void {
    const { mds, chunkServers, clients } = this.#cluster;
    const everybody: readonly SimNode[] = [...mds, ...chunkServers, ...clients];
    const victims = this.#prng.pick<readonly SimNode[]>([mds, chunkServers, this.#servers, everybody]);
    for (const node of victims) this.#killForAWhile(node);
  }

  #losePower(nodes: readonly (MdsNode | CsNode)[]): void {
    for (const node of nodes) {
      if (this.#upkeep.isAway(node)) continue;
      const isChunkServer = "csId" in node;
      if (isChunkServer && !this.#damage.mayDamage(node)) continue;
      if (isChunkServer) this.#damage.damaged(node);
      node.powerLoss();
      this.#restartLater(node);
    }
  }

  #blackout(): void {
    const { mds, chunkServers, clients } = this.#cluster;
    const victims: SimNode[] = [...mds, ...chunkServers, ...(this.#prng.chance(0.5) ? clients : [])];
    for (const node of chunkServers) this.#damage.damaged(node);
    for (const node of victims) {
      if (this.#upkeep.isAway(node)) continue;
      node.powerLoss();
      this.#restartLater(node);
    }
    this.#restarter.powerFailed();
  }

  #wipe(node: CsNode): void {
    if (this.#upkeep.isAway(node) || !this.#damage.mayDamage(node)) return;
    this.#damage.damaged(node);
    this.#upkeep.replaceChunkServer(node);
  }

  /** All on one host, so that there is always a good replica elsewhere. */
  #rot(): void {
    const node = this.#cluster.chunkServers[0];
    if (node === undefined || !this.#damage.mayDamage(node)) return;
    this.#damage.damagedForGood(node);
    const files = rottable(node);
    if (files.length === 0) return;
    const path = this.#prng.pick(files);
    if (node.host.media.rot(path, this.#prng))
      this.#cluster.simulator.note(node.name, `fault: a bit of ${path} flips`);
  }

  /**
   * Undoes rot where nobody else has the data: when all other replicas of a chunk were cut off before anybody read the bit, two
   * things failed at once, and that is beyond promise. To be called now and then when all is healed.
   */
  mend(): void {
    const node = this.#cluster.chunkServers[0];
    const tables = this.#cluster.leader?.server?.store.tables;
    if (this.#plan.rotMs === 0 || node === undefined || tables === undefined) return;
    for (const path of rottable(node)) {
      const id = Number.parseInt(path.slice(path.lastIndexOf("/") + 1), 16);
      const others = tables.chunks
        .get(chunkId(id))
        ?.chain.filter(({ csId, syncing }) => csId !== node.csId && !syncing);
      if (others?.length === 0) node.host.media.mend(path);
    }
  }

  /** One node from all others, or any two sides; sometimes one direction only. */
  #partition(): void {
    const { network, hosts } = this.#cluster.world;
    const shuffled = this.#prng.shuffle(hosts.map(({ ip }) => ip));
    const count = this.#prng.chance(0.6) ? 1 : this.#prng.between(1, shuffled.length - 1);
    const some = shuffled.slice(0, count);
    const others = shuffled.slice(count);
    const ways = this.#prng.pick(["both", "both", "to", "from"] as const);
    const cuts = some.flatMap((a) =>
      others.flatMap((b): [string, string][] =>
        ways === "both"
          ? [
              [a, b],
              [b, a],
            ]
          : ways === "to"
            ? [[b, a]]
            : [[a, b]],
      ),
    );
    for (const [from, to] of cuts) network.cut(from, to);
    this.#later("partition ends", this.#prng.between(50, 10_000), () => {
      for (const [from, to] of cuts) network.mend(from, to);
    });
  }

  #pause(node: SimNode): void {
    const { host } = node;
    if (!host.isAlive || host.isPaused) return;
    host.pause();
    this.#later(`${node.name} goes on`, this.#prng.between(10, 8000), () => {
      if (host.isPaused) host.resume();
    });
  }

  #slowDisk({ host, name }: SimNode): void {
    host.diskFaults.timing.slowness = this.#prng.pick([5, 50, 300]);
    this.#later(`disk of ${name} is fast again`, this.#prng.between(100, 5000), () => {
      host.diskFaults.timing.slowness = 1;
    });
  }

  #hangingDisk({ host, name }: SimNode): void {
    host.diskFaults.add({ label: "*", effect: "hang" });
    this.#later(`disk of ${name} goes on`, this.#prng.between(100, 6000), () => host.diskFaults.clear());
  }

  #jumpWallClock({ host }: SimNode): void {
    host.clockFaults.wallSkewMs = this.#prng.pick([0, 1, 60_000, -60_000, 86_400_000, -3_600_000]);
  }

  #transferLeader(): void {
    const server = this.#cluster.leader?.server;
    // Whoever is asked may have lost it already, or nobody else may be ready.
    server?.replica.transferLeadership().catch(() => undefined);
  }

  /** Storms and calm, in turn. */
  #changeWeather(): void {
    const { calmMsMax, stormMsMax } = this.#plan;
    if (calmMsMax === 0) return;
    this.#isCalm = !this.#isCalm;
    const durationMs = this.#prng.float() * (this.#isCalm ? calmMsMax : stormMsMax);
    this.#later(this.#isCalm ? "calm ends" : "storm ends", durationMs, () => this.#changeWeather());
  }

  /** Looks once a second whether what was damaged is whole again. */
  #lookAfterDamage(): void {
    this.#later("look after damage", 1000, () => {
      void this.#damage.look();
      this.#lookAfterDamage();
    });
  }
}

function rottable(node: CsNode): string[] {
  return node.host.media.paths("/cs/chunks").filter((path) => path.endsWith(".data"));
}
