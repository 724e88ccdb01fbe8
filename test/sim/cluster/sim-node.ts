import type { Role } from "../../../src/auth/index.js";
import { Admin } from "../../../src/client/index.js";
import type { Rpc } from "../../../src/rpc/index.js";
import { type ClaimedIdentity, NetRpc } from "../../../src/rpc/inproc/index.js";
import type { Logger } from "../../../src/telemetry/index.js";
import type { SimHost, Simulator } from "../world/index.js";
import { simLog } from "./sim-log.js";
import type { Violations } from "./violations.js";

/** What all nodes of a simulated cluster share. */
export interface NodeWorld {
  readonly clusterId: string;
  readonly clusterName: string;
  readonly host: SimHost;
  readonly violations: Violations;
  readonly simulator: Simulator;
}

/** A host with one daemon that can be started, killed and started again. */
export abstract class SimNode {
  readonly host: SimHost;
  readonly hostId: string;
  protected readonly world: NodeWorld;
  protected readonly log: Logger;
  /** Grows with every start, so that what an older life began is told apart. */
  #life = 0;

  constructor(world: NodeWorld) {
    this.world = world;
    this.host = world.host;
    this.hostId = hostIdOf(world.host.ip);
    this.log = simLog(world.simulator, world.host.name, world.violations);
  }

  get name(): string {
    return this.host.name;
  }

  get life(): number {
    return this.#life;
  }

  get isUp(): boolean {
    return this.host.isAlive;
  }

  /** Begins a new life of the process, if it has none. Resolves when it serves, or never if it dies before. */
  start(): Promise<void> {
    if (!this.host.isAlive) this.host.restart();
    this.#life++;
    return this.begin();
  }

  /** kill -9. */
  kill(): void {
    this.host.crash();
    this.died();
  }

  powerLoss(): void {
    this.host.powerLoss();
    this.died();
  }

  /** The tools of an operator on this host; good for the present life. */
  admin(mdsAddresses: readonly string[]): Admin {
    const { clock, random } = this.host;
    return new Admin({ clock, random, rpc: this.rpc() }, mdsAddresses);
  }

  /** Calls of an operator on this host; good for the present life. */
  rpc(): Rpc {
    return new NetRpc(this.host.net, this.host.clock, { identity: this.identity("client", "admin") });
  }

  protected abstract begin(): Promise<void>;

  /** Drops what the dead life held. */
  protected abstract died(): void;

  protected identity(...roles: Role[]): ClaimedIdentity {
    return { clusterId: this.world.clusterId, hostId: this.hostId, roles };
  }
}

/** Sixteen hexadecimal digits. */
export function hostIdOf(ip: string): string {
  return ip
    .split(".")
    .map((part) => Number(part).toString(16).padStart(4, "0"))
    .join("");
}
