import { assert, Prng } from "../../../../src/base/index.js";
import type { CsId, Extent } from "../../../../src/chunk/index.js";
import type { DiskFaultRule } from "../../../sim/world/index.js";
import { CHUNK, ChainWorld } from "./chain-world.js";

export interface RandomRun {
  readonly seed: number;
  readonly csCount: number;
  readonly steps: number;
  readonly faults: readonly ("kill" | "kill_all" | "power_loss" | "partition" | "pause" | "stop")[];
  readonly chunkBytes?: number;
  readonly truncates?: boolean;
  /** A fault of the disk of the first server, put in after some steps. */
  readonly diskFault?: DiskFaultRule;
}

const KINDS = ["write", "write", "write", "extents", "read", "read", "zero", "sync"] as const;

interface Pending {
  readonly from: number;
  readonly to: number;
}

/**
 * Random writes, zeros, reads, syncs and truncations with many on their way, while servers die and come back; a model
 * says what every read may see. At the end all members must hold exactly the model.
 */
export async function randomRun(options: RandomRun): Promise<ChainWorld> {
  const chunkBytes = options.chunkBytes ?? 3 << 20;
  const chain = await ChainWorld.of(options.seed, options.csCount, { cleanIdleMs: 150 });
  await chain.make(chunkBytes);
  const run = new Run(chain, options, chunkBytes);
  await run.all();
  return chain;
}

class Run {
  readonly #chain: ChainWorld;
  readonly #options: RandomRun;
  readonly #chunkBytes: number;
  readonly #prng: Prng;
  readonly #model: Uint8Array;
  #highWaterBytes = 0;
  readonly #pending = new Set<Pending>();
  readonly #running = new Set<Promise<void>>();
  #failure: unknown;
  readonly #down = new Set<CsId>();

  constructor(chain: ChainWorld, options: RandomRun, chunkBytes: number) {
    this.#chain = chain;
    this.#options = options;
    this.#chunkBytes = chunkBytes;
    this.#prng = new Prng(options.seed * 7919 + 1);
    this.#model = new Uint8Array(chunkBytes);
  }

  async all(): Promise<void> {
    for (let step = 0; step < this.#options.steps; step++) {
      this.#operate();
      if (this.#options.faults.length > 0 && this.#prng.chance(0.06)) await this.#fault();
      if (step === 10 && this.#options.diskFault !== undefined) this.#breakDisk(this.#options.diskFault);
      await this.#restartDead();
      if (this.#prng.chance(0.02) && this.#options.truncates === true) await this.#truncate();
      await this.#chain.runFor(this.#prng.float() * 8);
      if (this.#failure !== undefined) throw this.#failure;
    }
    await this.#heal();
    await this.#finish();
    await this.#check();
  }

  #operate(): void {
    if (this.#running.size > 24) return;
    const lengthMax = this.#prng.pick([100, 4096, 20_000, 200_000]);
    const isAligned = this.#prng.chance(0.4);
    const unit = isAligned ? 4096 : 1;
    const span = Math.min(this.#chunkBytes, this.#prng.pick([40_000, this.#chunkBytes]));
    const from = Math.floor(this.#prng.below(span) / unit) * unit;
    const length = Math.ceil((1 + this.#prng.below(lengthMax)) / unit) * unit;
    const to = Math.min(this.#chunkBytes, from + length);
    const kind = this.#prng.pick(KINDS);
    if (kind === "extents") this.#scatter();
    else if (kind === "sync") this.#watch(this.#chain.client.sync(CHUNK));
    else if ([...this.#pending].some((one) => one.from < to && from < one.to)) return;
    else if (kind === "read") this.#watch(this.#read(from, to));
    else this.#watch(this.#change(kind, from, to));
  }

  async #change(kind: "write" | "zero", from: number, to: number): Promise<void> {
    const range = { from, to };
    this.#pending.add(range);
    if (kind === "write") {
      const bytes = new Uint8Array(to - from).fill(this.#prng.between(1, 255));
      await this.#chain.client.write(CHUNK, from, bytes, this.#prng.chance(0.2));
      this.#model.set(bytes, from);
      this.#highWaterBytes = Math.max(this.#highWaterBytes, to);
    } else {
      await this.#chain.client.zero(CHUNK, from, to - from);
      this.#model.fill(0, from, to);
    }
    this.#pending.delete(range);
  }

  /** One write of some of a few neighbouring blocks. */
  #scatter(): void {
    const blockCount = Math.floor(this.#chunkBytes / 4096);
    const first = this.#prng.below(blockCount - 8);
    const blocks = [0, 1, 2, 3, 4, 5, 6, 7]
      .filter(() => this.#prng.chance(0.4))
      .map((block) => first + block);
    const extents = blocks.map((block) => ({ offset: block * 4096, lengthBytes: 4096 }));
    const ranges = extents.map(({ offset, lengthBytes }) => ({ from: offset, to: offset + lengthBytes }));
    const isFree = (range: Pending): boolean =>
      ![...this.#pending].some((one) => one.from < range.to && range.from < one.to);
    if (extents.length > 0 && ranges.every(isFree)) this.#watch(this.#writeExtents(extents, ranges));
  }

  async #writeExtents(extents: readonly Extent[], ranges: readonly Pending[]): Promise<void> {
    for (const range of ranges) this.#pending.add(range);
    const byte = this.#prng.between(1, 255);
    await this.#chain.client.writeExtents(CHUNK, extents, byte);
    for (const range of ranges) {
      this.#model.fill(byte, range.from, range.to);
      this.#highWaterBytes = Math.max(this.#highWaterBytes, range.to);
      this.#pending.delete(range);
    }
  }

  /** Nothing else touches the range meanwhile, so it must be exactly the model. */
  async #read(from: number, to: number): Promise<void> {
    const range = { from, to };
    this.#pending.add(range);
    const expected = this.#model.slice(from, to);
    const bytes = await this.#chain.client.read(CHUNK, from, to - from, (count) => this.#prng.below(count));
    this.#pending.delete(range);
    const wrong = bytes.findIndex((byte, index) => byte !== expected[index]);
    if (wrong >= 0) {
      throw new Error(
        `seed ${this.#options.seed}: byte ${from + wrong} of a read is ${bytes[wrong]}, not ${expected[wrong]}`,
      );
    }
  }

  async #truncate(): Promise<void> {
    await this.#heal();
    await this.#finish();
    const at = this.#prng.below(this.#highWaterBytes + 1);
    await this.#chain.run(this.#chain.mds.reinstall(CHUNK, at), "a truncation");
    this.#model.fill(0, at);
    this.#highWaterBytes = Math.min(this.#highWaterBytes, at);
  }

  #watch(promise: Promise<void>): void {
    const watched = promise
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#running.delete(watched));
    this.#running.add(watched);
  }

  #breakDisk(rule: DiskFaultRule): void {
    const [id] = this.#chain.csIds;
    assert(id !== undefined, "there are servers");
    this.#chain.host(id).diskFaults.add(rule);
  }

  /** A fault of a disk may be the death of its server. */
  async #restartDead(): Promise<void> {
    for (const id of this.#chain.csIds) {
      const host = this.#chain.host(id);
      if (host.isAlive || this.#down.has(id)) continue;
      host.diskFaults.clear();
      await this.#chain.start(id);
    }
  }

  /** At most one server is away at a time, so that nothing acknowledged can be lost. */
  async #fault(): Promise<void> {
    const [id] = this.#down;
    if (id !== undefined) {
      await this.#bringBack(id);
      return;
    }
    const chunk = this.#chain.mds.chunks.get(CHUNK);
    const good = chunk?.members.filter(({ syncing }) => !syncing).length ?? 0;
    if (good < 2 || chunk?.isActive !== true) return;
    const victim = this.#prng.pick(this.#chain.csIds);
    const fault = this.#prng.pick(this.#options.faults);
    if (fault === "kill_all") {
      for (const id of this.#chain.csIds) this.#chain.kill(id);
      for (const id of this.#prng.shuffle(this.#chain.csIds)) await this.#chain.start(id);
      return;
    }
    if (fault === "kill") this.#chain.kill(victim);
    else if (fault === "power_loss") this.#chain.powerLoss(victim);
    else if (fault === "pause") this.#chain.host(victim).pause();
    else if (fault === "stop") {
      const server = this.#chain.servers.get(victim);
      assert(server !== undefined, "a server that is up is known");
      await this.#chain.run(server.close(), "an orderly stop");
      this.#chain.kill(victim);
    } else this.#isolate(victim);
    this.#down.add(victim);
    if (this.#prng.chance(0.5)) await this.#bringBack(victim);
  }

  #isolate(victim: CsId): void {
    const { network, hosts } = this.#chain.world;
    const { ip } = this.#chain.host(victim);
    for (const host of hosts) {
      if (host.ip === ip) continue;
      network.cut(ip, host.ip);
      network.cut(host.ip, ip);
    }
  }

  async #bringBack(id: CsId): Promise<void> {
    this.#down.delete(id);
    const host = this.#chain.host(id);
    if (host.isPaused) {
      host.resume();
      return;
    }
    this.#chain.world.network.heal();
    if (!host.isAlive) await this.#chain.start(id);
  }

  async #heal(): Promise<void> {
    for (const id of [...this.#down]) await this.#bringBack(id);
    await this.#restartDead();
    for (const id of this.#chain.csIds) this.#chain.host(id).diskFaults.clear();
    await this.#chain.healed(this.#options.csCount);
  }

  async #finish(): Promise<void> {
    await this.#chain.world.simulator.runUntil(() => this.#running.size === 0, "operations to end", {
      timeoutMs: 60_000,
    });
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #check(): Promise<void> {
    for (const [index, contents] of (await this.#chain.contents(this.#chunkBytes)).entries()) {
      const wrong = contents.findIndex((byte, at) => byte !== this.#model[at]);
      if (wrong < 0) continue;
      throw new Error(
        `seed ${this.#options.seed}: byte ${wrong} of member ${index} is ${contents[wrong]}, not ${this.#model[wrong]}`,
      );
    }
    for (const highWaterBytes of await this.#chain.highWaters()) {
      if (highWaterBytes === this.#highWaterBytes) continue;
      throw new Error(
        `seed ${this.#options.seed}: high-water mark ${highWaterBytes}, not ${this.#highWaterBytes}`,
      );
    }
  }
}
