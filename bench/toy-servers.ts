import type { HostCredential } from "../src/auth/index.js";
import { defined } from "../src/base/index.js";
import {
  type ChunkId,
  type CsCommand,
  type CsHeartbeat,
  type CsId,
  type CsTotals,
  LEVEL,
  type RegisterCs,
  type ReplicaReport,
} from "../src/chunk/index.js";
import { ServiceLease } from "../src/cs/core/service-lease.js";
import { Registration } from "../src/cs/registration.js";
import { realWorld } from "../src/io/real/index.js";
import { REGISTRY_PROTOCOL_VERSION } from "../src/mds/registry-service.js";
import { GrpcRpc } from "../src/rpc/grpc/index.js";
import { noopLogger } from "../src/telemetry/index.js";

/** A disk of 4 TB, half full. */
export const TOY_SPACE = { totalBytes: 4e12, freeBytes: 2e12 };
/** Streams over one connection: a thousand handshakes are too much for the one process that has all the toys. */
const IN_CONNECTION = 50;
/** To fill a replica, ms. */
const FILL_MS = 100;

const NOTHING_DONE: CsTotals = {
  readBytes: 0,
  readCount: 0,
  writeBytes: 0,
  writeCount: 0,
  syncCount: 0,
  fillBytes: 0,
  servedFillBytes: 0,
};

/** Of all toys together. */
export interface ToyCounts {
  installed: number;
  filled: number;
}

/** Chunk servers of one process without disks: they register, tell their inventory, send heartbeats, and obey as real ones do. */
export class ToyServers {
  readonly counts: ToyCounts = { installed: 0, filled: 0 };
  readonly #servers: Registration[] = [];
  readonly #rpcs: GrpcRpc[] = [];

  constructor(
    credential: HostCredential,
    mdsAddress: string,
    inventories: ReadonlyMap<CsId, readonly ReplicaReport[]>,
  ) {
    const { clock, random } = realWorld();
    for (const [csId, replicas] of inventories) {
      if (this.#servers.length % IN_CONNECTION === 0)
        this.#rpcs.push(
          new GrpcRpc(
            { credential, authorization: {}, serverRoles: { "pstorage.Registry": ["mds"] } },
            { clock, log: noopLogger },
          ),
        );
      const rpc = defined(this.#rpcs.at(-1), "there is a connection");
      const toy = new Toy(credential, csId, replicas, this.counts);
      toy.registered = new Registration(
        { rpc, clock, random, log: noopLogger },
        [mdsAddress],
        new ServiceLease(),
        toy,
      );
      this.#servers.push(toy.registered);
    }
  }

  get attachedCount(): number {
    return this.#servers.filter(({ isAttached }) => isAttached).length;
  }

  start(): void {
    for (const server of this.#servers) server.start();
  }

  /** The last so many fall silent. */
  async stop(count: number = this.#servers.length): Promise<void> {
    await Promise.all(this.#servers.splice(-count).map((server) => server.close()));
  }

  async close(): Promise<void> {
    await this.stop();
    await Promise.all(this.#rpcs.map((rpc) => rpc.close()));
  }
}

class Toy {
  registered: Registration | undefined;
  readonly epoch = 0;
  readonly #credential: HostCredential;
  readonly #csId: CsId;
  readonly #replicas = new Map<ChunkId, ReplicaReport>();
  readonly #counts: ToyCounts;

  constructor(credential: HostCredential, csId: CsId, replicas: readonly ReplicaReport[], counts: ToyCounts) {
    this.#credential = credential;
    this.#csId = csId;
    this.#counts = counts;
    for (const replica of replicas) this.#replicas.set(replica.chunkId, replica);
  }

  async registration(): Promise<RegisterCs> {
    const { clusterId, hostId } = this.#credential;
    return {
      clusterId,
      csId: this.#csId,
      address: `127.0.0.1:${20_000 + this.#csId}`,
      hostId,
      location: "0.0.0",
      tier: 0,
      incarnation: 2,
      runs: ["first", "second"],
      protocolVersion: REGISTRY_PROTOCOL_VERSION,
      level: LEVEL,
      space: TOY_SPACE,
    };
  }

  inventory(): readonly ReplicaReport[] {
    return [...this.#replicas.values()];
  }

  async heartbeat(): Promise<CsHeartbeat> {
    return {
      space: TOY_SPACE,
      replicaCount: this.#replicas.size,
      load: {
        ...NOTHING_DONE,
        latencyMsAverage: 0,
        latencyMsMax: 0,
        queueDepth: 0,
        queueDepthAverage: 0,
        queueDepthMax: 0,
        ioWaitPercent: 0,
        elapsedMs: 1000,
        totals: NOTHING_DONE,
      },
      flags: "",
    };
  }

  async obey(command: CsCommand): Promise<number> {
    if (command.type === "deleteReplica") this.#replicas.delete(command.body.chunkId);
    if (command.type !== "install") return 0;
    const { chunkId, version, chain } = command.body;
    const position = chain.findIndex(({ csId }) => csId === this.#csId);
    const isFilled = chain[position]?.syncing !== true;
    this.#counts.installed++;
    this.#replicas.set(chunkId, reportOf({ chunkId, version }, position, !isFilled));
    if (!isFilled) setTimeout(() => this.#filled({ chunkId, version }, position), FILL_MS).unref();
    return 0;
  }

  #filled(at: Pick<ReplicaReport, "chunkId" | "version">, position: number): void {
    if (this.#replicas.get(at.chunkId)?.version !== at.version) return;
    this.#replicas.set(at.chunkId, reportOf(at, position, false));
    this.#counts.filled++;
    this.registered?.replicaSynced(at);
  }

  ordered(): void {}
  admitByTickets(): void {}
  async noteEpoch(): Promise<void> {}
  async accepted(): Promise<void> {}
  attached(): void {}
}

/** A replica that is as it should be, unless it is being filled. */
export function reportOf(
  { chunkId, version }: Pick<ReplicaReport, "chunkId" | "version">,
  position: number,
  syncing: boolean,
): ReplicaReport {
  return { chunkId, version, syncing, suspect: false, hostCrashed: false, filling: syncing, position };
}
