import type { Prng } from "../../../src/base/index.js";
import type { SimNet } from "./sim-net.js";
import type { Simulator } from "./simulator.js";

/** How the wires behave. Everything may be changed while it runs. */
export interface NetworkFaults {
  /** One way, shortest and longest, evenly spread. */
  latencyMs: readonly [number, number];
  /** Of one direction of one connection. */
  bytesPerMs: number;
  /** Chance of a packet to reset its connection. */
  resetRate: number;
  /** Chance of a packet to be `spikeMs` late; those behind it wait. */
  spikeRate: number;
  spikeMs: number;
  /** Chance of received bytes to be handed over in other pieces than they were written. */
  fragmentRate: number;
  /** A sender that hears nothing for so long gives its connection up. */
  giveUpMs: number;
  /** More than so many bytes under way make `write` say false. */
  highWaterMarkBytes: number;
}

/** A connection that waits for the way to be open again. */
export interface Stuck {
  retry(): void;
}

/** What the network knows of a host. */
interface HostEntry {
  readonly name: string;
  isUp: boolean;
  /** Of the process that runs; without one, connections are refused. */
  net: SimNet | undefined;
}

/**
 * The switch between the hosts.
 *
 * Fault model: each direction between two addresses may be cut. What is sent over a cut way is held and sent again
 * when it opens, as TCP does; when that takes longer than `giveUpMs`, the sender's end breaks, and the other end
 * learns it only from the answer to something it sends itself. With only the way back cut, data arrives but the sender does not
 * learn it, and gives up just the same. A host without power is silent: it takes no packets and sends none. A host
 * that is up answers for connections that it does not know (any more) with a reset. Packets of one direction of a
 * connection never overtake each other; those of different connections do.
 */
export class SimNetwork {
  readonly simulator: Simulator;
  readonly prng: Prng;
  readonly faults: NetworkFaults = {
    latencyMs: [0.05, 0.4],
    bytesPerMs: 1_000_000,
    resetRate: 0,
    spikeRate: 0.001,
    spikeMs: 30,
    fragmentRate: 0.1,
    giveUpMs: 20_000,
    highWaterMarkBytes: 256 * 1024,
  };
  readonly #hosts = new Map<string, HostEntry>();
  /** `from>to` */
  readonly #cuts = new Set<string>();
  readonly #stuck = new Set<Stuck>();

  constructor(simulator: Simulator) {
    this.simulator = simulator;
    this.prng = simulator.prng.fork();
  }

  addHost(ip: string, name: string): void {
    this.#hosts.set(ip, { name, isUp: false, net: undefined });
  }

  /** The host is up, and this is the network of the process on it, if one runs. */
  hostUp(ip: string, net: SimNet | undefined): void {
    const entry = this.#hosts.get(ip);
    if (entry === undefined) return;
    entry.isUp = true;
    entry.net = net;
    this.#retryStuck();
  }

  hostDown(ip: string): void {
    const entry = this.#hosts.get(ip);
    if (entry === undefined) return;
    entry.isUp = false;
    entry.net = undefined;
  }

  netOf(ip: string): SimNet | undefined {
    return this.#hosts.get(ip)?.net;
  }

  nameOf(ip: string): string {
    return this.#hosts.get(ip)?.name ?? ip;
  }

  /** Whether a packet sent there now would arrive at a host that is up. */
  isOpen(fromIp: string, toIp: string): boolean {
    return !this.#cuts.has(`${fromIp}>${toIp}`) && (this.#hosts.get(toIp)?.isUp ?? false);
  }

  /** Cuts one direction. */
  cut(fromIp: string, toIp: string): void {
    this.simulator.note(this.nameOf(fromIp), `fault: cut from ${this.nameOf(toIp)}`);
    this.#cuts.add(`${fromIp}>${toIp}`);
  }

  mend(fromIp: string, toIp: string): void {
    this.#cuts.delete(`${fromIp}>${toIp}`);
    this.#retryStuck();
  }

  /** Cuts both directions between every member of one group and every member of another. */
  partition(...groups: readonly (readonly string[])[]): void {
    for (const [index, group] of groups.entries()) {
      for (const others of groups.slice(index + 1)) {
        for (const a of group) {
          for (const b of others) {
            this.cut(a, b);
            this.cut(b, a);
          }
        }
      }
    }
  }

  /** Mends every cut. */
  heal(): void {
    this.simulator.note("network", "healed");
    this.#cuts.clear();
    this.#retryStuck();
  }

  /** Calls `retry` whenever a way has opened, until it is forgotten. */
  remember(stuck: Stuck): void {
    this.#stuck.add(stuck);
  }

  forget(stuck: Stuck): void {
    this.#stuck.delete(stuck);
  }

  latencyMs(): number {
    const [min, max] = this.faults.latencyMs;
    const spikeMs = this.prng.chance(this.faults.spikeRate) ? this.faults.spikeMs : 0;
    return min + this.prng.float() * (max - min) + spikeMs;
  }

  #retryStuck(): void {
    for (const stuck of [...this.#stuck]) stuck.retry();
  }
}
