import { assert, defined } from "../../../src/base/index.js";
import { type HostOptions, SimHost } from "./sim-host.js";
import { SimNetwork } from "./sim-network.js";
import { Simulator, type SimulatorOptions } from "./simulator.js";

/** A simulator, its network and its hosts. */
export class SimWorld {
  readonly simulator: Simulator;
  readonly network: SimNetwork;
  readonly #hosts = new Map<string, SimHost>();

  constructor(options: SimulatorOptions) {
    this.simulator = new Simulator(options);
    this.network = new SimNetwork(this.simulator);
  }

  /** Adds a host that is up; its address is the next of 10.0.0.0/16. */
  addHost(name: string, options: Omit<HostOptions, "name" | "ip"> = {}): SimHost {
    assert(!this.#hosts.has(name), "hosts have different names");
    const number = this.#hosts.size + 1;
    const ip = `10.0.${Math.floor(number / 250)}.${(number % 250) + 1}`;
    const host = new SimHost(this.network, { ...options, name, ip });
    this.#hosts.set(name, host);
    return host;
  }

  host(name: string): SimHost {
    return defined(this.#hosts.get(name), `there is a host ${name}`);
  }

  get hosts(): readonly SimHost[] {
    return [...this.#hosts.values()];
  }
}
