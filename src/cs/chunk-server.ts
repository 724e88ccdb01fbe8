import { type FailureCode, storageError, toHex } from "../base/index.js";
import {
  type ChunkId,
  type ChunkVersion,
  type CsCommand,
  type CsHeartbeat,
  type CsId,
  LEVEL,
  type RegisterCs,
} from "../chunk/index.js";
import type { Clock, Disk, DiskSpace, Random } from "../io/index.js";
import { CHUNK_CHANNEL, type Rpc, type RpcListener, serveCalls } from "../rpc/index.js";
import { BusyTime, type Logger, type MetricSample } from "../telemetry/index.js";
import { CargoMeter } from "./cargo.js";
import { Cleaner } from "./cleaner.js";
import { ServiceLease } from "./core/service-lease.js";
import { Courtesy } from "./courtesy.js";
import { DamageTally } from "./damage-tally.js";
import { type CsLimits, DEFAULT_LIMITS, type ReplicaEnvironment } from "./environment.js";
import { LoadMeter } from "./load-meter.js";
import { MeteredDisk } from "./metered-disk.js";
import { csSamples } from "./metrics.js";
import { RateLimit } from "./rate-limit.js";
import { type MdsAddresses, Registration } from "./registration.js";
import { ReplicaTable } from "./replica-table.js";
import { Room } from "./room.js";
import { Scrubber } from "./scrubber.js";
import { ChunkRequests } from "./server.js";
import { ChunkStore } from "./store/chunk-store.js";
import { SuccessorLinks } from "./successor-links.js";
import { TicketGate } from "./ticket-gate.js";

/** Of the messages between chunk servers, clients and the MDS. */
const PROTOCOL_VERSION = 2;
const DRAIN_POLL_MS = 20;
/** A stream's requests are bounded where clients come in; streams between servers must never be stopped. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;

/** What a chunk server needs to know before it starts. */
export interface CsConfig {
  /** Repository directory, absolute, made by `createRepository`. */
  readonly directory: string;
  readonly clusterId: string;
  /** Client addresses of MDSs, `IP:PORT`, any of which may lead; a function is asked again when none of them does. */
  readonly mdsAddresses: MdsAddresses;
  /** `IP:PORT` to listen on; port 0 chooses one. */
  readonly bindAddress: string;
  readonly hostId: string;
  /** `room.row.rack`. */
  readonly location: string;
  readonly limits?: Partial<CsLimits> | undefined;
}

/** The world as a chunk server is given it. */
export interface CsWorld {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly rpc: Rpc;
  readonly random: Random;
  readonly log: Logger;
}

/** A chunk server: one directory of replicas, served to clients and other servers, obeying the leading MDS. */
export class ChunkServer {
  readonly #config: CsConfig;
  readonly #world: CsWorld;
  readonly #limits: CsLimits;
  readonly #lease = new ServiceLease();
  readonly #flags = new Set<string>();
  #isExhausted = false;
  readonly #damage = new DamageTally((blockCount) => this.#parts?.scrubber.noteDamage(blockCount));
  #parts: Parts | undefined;
  #closing: Promise<void> | undefined;

  constructor(config: CsConfig, world: CsWorld) {
    this.#config = config;
    this.#world = world;
    this.#limits = { ...DEFAULT_LIMITS, ...config.limits };
  }

  /** Opens the directory, listens, and begins to look for an MDS. Refuses a directory it must not touch. */
  async start(): Promise<void> {
    const { directory, clusterId, bindAddress, mdsAddresses } = this.#config;
    const { disk, clock, rpc, log, random } = this.#world;
    const diskTime = new BusyTime(clock);
    const store = await ChunkStore.open(directory, clusterId, toHex(random.bytes(16)), {
      disk: new MeteredDisk(disk, diskTime, (code) => this.#diskFailed(code)),
      clock,
    });
    const links = new SuccessorLinks(rpc, clock);
    const load = new LoadMeter(clock, diskTime);
    const env = this.#environment(store, links, load);
    const table = new ReplicaTable(
      env,
      store,
      new RateLimit(clock, this.#limits.fillBytesPerSecond),
      (chunkId, version) => this.#parts?.registration.replicaSynced({ chunkId, version }),
    );
    const { csId } = store.identity;
    const scrubber = new Scrubber({ clock, log, csId, store, table, load });
    const tickets = new TicketGate();
    const requests = new ChunkRequests(env, this.#lease, table, store, load, tickets);
    const listener = await this.#listen(bindAddress, requests).catch(async (error: unknown) => {
      await store.close(true);
      throw error;
    });
    const registration = new Registration(this.#world, mdsAddresses, this.#lease, {
      registration: () => this.#registration(store, listener.address),
      inventory: () => table.inventory(),
      heartbeat: () => this.#heartbeat(store, table, load),
      obey: (command) => obey(table, scrubber, command),
      ordered: (orders) => scrubber.obey(orders),
      admitByTickets: (key) => tickets.learn(key),
      get epoch() {
        return store.epoch;
      },
      noteEpoch: (epoch) => store.noteEpoch(epoch),
      accepted: () => store.accepted(),
      attached: () => table.tellFilled(),
    });
    const cleaner = new Cleaner(clock, this.#limits, store, table);
    this.#parts = { store, links, load, table, requests, listener, registration, cleaner, scrubber };
    registration.start();
    cleaner.start();
    scrubber.start();
    log.info("chunk server started", { csId, address: listener.address, lastEnd: store.lastEnd });
  }

  get csId(): CsId {
    return this.#started.store.identity.csId;
  }

  /** `IP:PORT` where its chunk service listens. */
  get address(): string {
    return this.#started.listener.address;
  }

  /** True while it may serve: the MDS has admitted it and its lease is not over. */
  get isServing(): boolean {
    return this.#lease.mayServe(this.#world.clock.monotonicMs());
  }

  /** A replica could not be written for want of space, and serves nobody until this server begins anew. */
  get isExhausted(): boolean {
    return this.#isExhausted;
  }

  space(): Promise<DiskSpace> {
    return this.#started.store.space();
  }

  /** True while a leader has its registration and answers; it may serve for a while without. */
  get isAttached(): boolean {
    return this.#parts?.registration.isAttached === true;
  }

  /** What it tells to whoever watches it. */
  async metrics(): Promise<MetricSample[]> {
    if (this.#parts === undefined) return [];
    const { store, load, table, scrubber } = this.#started;
    const { totalBytes, freeBytes } = await store.space();
    const { totals, queueDepth, diskBusySeconds } = load;
    const damagedBlocks = scrubber.report().damagedCount;
    const { isServing } = this;
    const kept = { totalBytes, freeBytes, replicaCount: table.count, damagedBlocks };
    const readings = { totals, queueDepth, diskBusySeconds, isServing, ...kept };
    return [...csSamples(readings), ...load.times.samples()];
  }

  /** Ends in order, for a while: the cluster knows that it will be back (`mds.wd.maintenance_tout`). */
  async leave(): Promise<void> {
    if (this.#closing === undefined) await this.#parts?.registration.leave();
    await this.close();
  }

  /** Ends in order: takes no more, finishes what is on its way, cleans everything. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#parts === undefined) return;
    const { store, links, table, requests, listener, registration, cleaner, scrubber } = this.#parts;
    requests.drain();
    await scrubber.close();
    const isDrained = await this.#drained(table);
    await registration.close();
    await cleaner.close();
    if (isDrained) await cleaner.cleanAll(() => Number.POSITIVE_INFINITY);
    await listener.close();
    links.close();
    await table.close({ code: "closed", detail: "this server has stopped" });
    await store.close(isDrained);
    this.#world.log.info("chunk server stopped", { csId: store.identity.csId, isDrained });
  }

  /** Resolves with true when nothing is on its way any more, false if that takes too long. */
  async #drained(table: ReplicaTable): Promise<boolean> {
    const { clock } = this.#world;
    const deadlineMs = clock.monotonicMs() + this.#limits.drainTimeoutMs;
    while (!table.replicas.every((replica) => replica.isIdle)) {
      if (clock.monotonicMs() >= deadlineMs) return false;
      await clock.sleep("cs.drain", DRAIN_POLL_MS);
    }
    return true;
  }

  #listen(bindAddress: string, requests: ChunkRequests): Promise<RpcListener> {
    return this.#world.rpc.serve(bindAddress, (service) => {
      service.stream(CHUNK_CHANNEL, (channel) => {
        serveCalls(channel, (call, context) => requests.handle(call, context), {
          concurrencyMax: UNBOUNDED,
        });
      });
    });
  }

  #environment(store: ChunkStore, links: SuccessorLinks, load: LoadMeter): ReplicaEnvironment {
    const { clock, log } = this.#world;
    const room = new Room(clock, () => store.space());
    return {
      selfId: store.identity.csId,
      incarnation: store.incarnation,
      clock,
      links,
      limits: this.#limits,
      cargoMeter: new CargoMeter(),
      log,
      report: (chunkId, version, csId, code) => this.#report(chunkId, version, csId, code),
      damageFound: (chunkId, offset, outcome) => this.#damage.found(chunkId, offset, outcome),
      filled: (bytes) => load.filled(bytes),
      courtesy: new Courtesy(this.#world.clock, () => load.unusedForMs),
      diskFailed: (code) => this.#diskFailed(code),
      takeRoom: (lengthBytes) => room.take(lengthBytes),
    };
  }

  #diskFailed(code: FailureCode): void {
    // H: the disk failed. A full disk is no failure of it, and damage is told as such.
    if (code === "no_space") this.#isExhausted = true;
    if (code === "no_space" || code === "chunk_corrupt") return;
    this.#flags.add("H");
    void this.#parts?.store.distrust();
  }

  #report(chunkId: ChunkId, version: ChunkVersion, csId: CsId, code: FailureCode): void {
    this.#world.log.info("reporting a replica", { chunkId, version, csId, code });
    this.#parts?.registration.reportReplica({ chunkId, version, csId, code });
  }

  async #registration(store: ChunkStore, address: string): Promise<RegisterCs> {
    const { clusterId, hostId, location } = this.#config;
    const { csId, tier } = store.identity;
    return {
      clusterId,
      csId,
      address,
      hostId,
      location,
      tier,
      incarnation: store.incarnation,
      runs: store.runs,
      protocolVersion: PROTOCOL_VERSION,
      level: LEVEL,
      space: await store.space(),
    };
  }

  async #heartbeat(store: ChunkStore, table: ReplicaTable, load: LoadMeter): Promise<CsHeartbeat> {
    const damage = this.#damage.take();
    if (damage !== undefined) this.#parts?.registration.reportDamage(damage);
    // h: bytes on the disk were not what was written.
    const isSuspicious = this.#parts?.scrubber.isSuspicious === true;
    return {
      space: await store.space(),
      replicaCount: table.count,
      load: load.take(),
      flags: [...this.#flags, ...(isSuspicious ? ["h"] : [])].join(""),
      scrub: this.#parts?.scrubber.report(),
    };
  }

  get #started(): Parts {
    if (this.#parts === undefined) throw storageError("closed", "this server was not started");
    return this.#parts;
  }
}

interface Parts {
  readonly store: ChunkStore;
  readonly links: SuccessorLinks;
  readonly load: LoadMeter;
  readonly table: ReplicaTable;
  readonly requests: ChunkRequests;
  readonly listener: RpcListener;
  readonly registration: Registration;
  readonly cleaner: Cleaner;
  readonly scrubber: Scrubber;
}

async function obey(table: ReplicaTable, scrubber: Scrubber, command: CsCommand): Promise<number> {
  switch (command.type) {
    case "install":
      return await table.install(command.body);
    case "deleteReplica":
      await table.delete(command.body);
      return 0;
    case "startScrub":
      await scrubber.begin();
      return 0;
  }
}
