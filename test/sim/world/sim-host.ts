import { assert, type Prng } from "../../../src/base/index.js";
import { DiskFaults } from "./disk-faults.js";
import { type DiskHost, DiskOperations } from "./disk-operations.js";
import { type ClockFaults, SimClock } from "./sim-clock.js";
import { SimDisk } from "./sim-disk.js";
import { SimMedia } from "./sim-media.js";
import { type PortCounter, SimNet } from "./sim-net.js";
import type { SimNetwork } from "./sim-network.js";
import { SimProcess } from "./sim-process.js";
import { SimRandom } from "./sim-random.js";

export interface HostOptions {
  readonly name: string;
  readonly ip: string;
  /** Room on its disk; no limit unless given. */
  readonly capacityBytes?: number | undefined;
}

/** The world of one life of the process. */
interface Life {
  readonly process: SimProcess;
  readonly clock: SimClock;
  readonly disk: SimDisk;
  readonly net: SimNet;
  readonly random: SimRandom;
  readonly operations: DiskOperations;
}

/**
 * A machine with one process, one disk and one address: what a daemon gets as its world.
 *
 * Fault model: `crash` is `kill -9` (the page cache and the kernel live on), `powerLoss` takes the page cache too and
 * changes the boot id, `pause` is SIGSTOP. After a crash everything the process held is dead: calls on it never
 * resolve and have no effect. `restart` begins a new life with new objects over the same media.
 */
export class SimHost implements DiskHost {
  readonly name: string;
  readonly ip: string;
  readonly media: SimMedia;
  readonly diskFaults = new DiskFaults();
  readonly clockFaults: ClockFaults = { rate: 1, wallSkewMs: 0, latenessMsMax: 0 };
  readonly #network: SimNetwork;
  readonly #prng: Prng;
  readonly #ports: PortCounter = { next: 0 };
  #bootCount = 1;
  #life: Life;
  /** Of all lives since the boot: their kernel may still be sending. */
  #nets: SimNet[] = [];
  #onDeath: (() => void)[] = [];

  constructor(network: SimNetwork, options: HostOptions) {
    this.name = options.name;
    this.ip = options.ip;
    this.media = new SimMedia(options.capacityBytes ?? Number.POSITIVE_INFINITY);
    this.#network = network;
    this.#prng = network.simulator.prng.fork();
    network.addHost(options.ip, options.name);
    this.#life = this.#begin();
  }

  /** The objects of the present life; of the last one while the process is dead. */
  get clock(): SimClock {
    return this.#life.clock;
  }

  get disk(): SimDisk {
    return this.#life.disk;
  }

  get net(): SimNet {
    return this.#life.net;
  }

  get random(): SimRandom {
    return this.#life.random;
  }

  get isAlive(): boolean {
    return this.#life.process.isAlive;
  }

  get isPaused(): boolean {
    return this.#life.process.isPaused;
  }

  /** The disk of another host, as if it were in this machine: for a client that shares a machine with a server. */
  diskOf(other: SimHost): SimDisk {
    const operations = new DiskOperations(this.#life.process, other.media, other.diskFaults, other);
    return new SimDisk(operations, other.disk.bootId());
  }

  /** Kills the process: what was under way on the disk happened or not, peers see their connections end. */
  crash(): void {
    if (!this.isAlive) return;
    this.#note("fault: crash");
    this.#die();
    this.#life.net.processDied();
    this.#network.hostUp(this.ip, undefined);
    this.#tellDeath();
  }

  /** The host goes dark: the page cache is lost too, peers hear nothing. */
  powerLoss(): void {
    this.#note("fault: power loss");
    const wasAlive = this.isAlive;
    this.#die();
    for (const net of this.#nets.splice(0)) net.hostDied();
    this.media.losePower(this.#prng);
    this.#bootCount++;
    this.#network.hostDown(this.ip);
    if (wasAlive) this.#tellDeath();
  }

  /** A new life on the same media. The caller starts its daemon with the new objects. */
  restart(): void {
    assert(!this.isAlive, "a process that runs is killed before it is restarted");
    this.#note("restart");
    this.#life = this.#begin();
  }

  /** SIGSTOP. Disk and network go on below; the process learns what happened when it is continued. */
  pause(): void {
    this.#note("fault: pause");
    this.#life.process.pause();
  }

  /** SIGCONT. */
  resume(): void {
    this.#note("resume");
    this.#life.process.resume();
  }

  /** Called once, when the present life ends, also when a disk fault ends it. */
  onDeath(handler: () => void): void {
    this.#onDeath.push(handler);
  }

  #begin(): Life {
    const process = new SimProcess(this.name, this.#network.simulator, this.#prng.fork());
    const operations = new DiskOperations(process, this.media, this.diskFaults, this);
    const bootId = `00000000-0000-4000-8000-${this.#bootCount.toString(16).padStart(12, "0")}`;
    const life: Life = {
      process,
      operations,
      clock: new SimClock(process, this.clockFaults),
      disk: new SimDisk(operations, bootId),
      net: new SimNet(this.#network, process, this.ip, this.#ports),
      random: new SimRandom(process.prng.fork()),
    };
    this.#nets.push(life.net);
    this.#network.hostUp(this.ip, life.net);
    return life;
  }

  #die(): void {
    this.#life.process.kill();
    this.#life.operations.abandon();
  }

  #tellDeath(): void {
    for (const handler of this.#onDeath.splice(0)) handler();
  }

  #note(what: string): void {
    this.#network.simulator.note(this.name, what);
  }
}
