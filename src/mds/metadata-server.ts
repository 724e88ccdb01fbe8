import { failureOf, StorageError, storageError } from "../base/index.js";
import { LEVEL } from "../chunk/index.js";
import type { Clock, Disk, Kv, Random } from "../io/index.js";
import type { MdsLoad } from "../meta/index.js";
import { raftId } from "../raft/index.js";
import { ADMIN, type Rpc, type RpcListener } from "../rpc/index.js";
import { type Logger, type MetricSample, RequestTimes } from "../telemetry/index.js";
import { AdminService } from "./admin-service.js";
import { ClientService } from "./client-service.js";
import { clientAddress, type MdsConfig } from "./config.js";
import { epochOf } from "./core/epochs.js";
import { defineEnrollment } from "./enrollment-service.js";
import { completeRecovery } from "./epoch-work.js";
import { Leadership } from "./leadership.js";
import { clusterSamples, MDS_REQUESTS, mdsSamples } from "./metrics.js";
import { Proposals } from "./proposals.js";
import { RaftLink } from "./raft-link.js";
import { RegistryService } from "./registry-service.js";
import { REPLICA_DEFAULTS, Replica } from "./replica.js";
import { forgetGenesis, forgetRecovery, noteMembership, wasMember } from "./repository.js";
import { clusterStatus } from "./status-report.js";
import { encodeCommand } from "./store/command-codec.js";
import { MetadataStore } from "./store/metadata-store.js";
import { RaftLogStore } from "./store/raft-log.js";

export interface MdsWorld {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly rpc: Rpc;
  readonly random: Random;
  readonly log: Logger;
  /** What this process costs, for `stat`. */
  readonly load?: (() => MdsLoad) | undefined;
}

/**
 * One metadata server: a member of the Raft group over the metadata and, while it leads, what answers clients,
 * chunk servers and operators.
 */
export class MetadataServer {
  readonly #config: MdsConfig;
  readonly #world: MdsWorld;
  readonly #store: MetadataStore;
  readonly #replica: Replica;
  readonly #link: RaftLink;
  readonly #proposals: Proposals;
  readonly #requestTimes: RequestTimes;
  readonly #listeners: RpcListener[] = [];
  #leadership: Leadership | undefined;
  #isClosed = false;
  /** The repository says that this server was a member. */
  #isNoted = false;

  private constructor(
    config: MdsConfig,
    world: MdsWorld,
    store: MetadataStore,
    replica: Replica,
    link: RaftLink,
  ) {
    this.#config = config;
    this.#world = world;
    this.#store = store;
    this.#replica = replica;
    this.#link = link;
    this.#requestTimes = new RequestTimes(world.clock, MDS_REQUESTS);
    this.#proposals = new Proposals({
      clock: world.clock,
      encode: encodeCommand,
      submit: (command) => this.#submit(command),
    });
  }

  /**
   * Opens the repository and joins the group. Fails with `log_corrupt`, and the way to mend it, if something that
   * was promised is damaged. `onHalt` is called if that turns out later: the process should end.
   */
  static async start(
    config: MdsConfig,
    world: MdsWorld,
    onHalt: (error: unknown) => void,
  ): Promise<MetadataServer> {
    const { identity } = config;
    const { store, kv } = await openStores(config, world);
    const id = raftId(identity.mdsId);
    const link = new RaftLink({
      ...world,
      clusterId: identity.clusterId,
      id,
      hostOf: (member) => store.tables.mdsServers.get(member)?.hostId,
      epoch: () => Math.max(identity.epoch ?? 0, epochOf(store.tables)),
      onSuperseded: (epoch) => onHalt(superseded(config, epoch)),
    });
    const peers = identity.peers.map(({ mdsId, address }) => ({
      id: raftId(mdsId),
      address,
      role: "voter" as const,
    }));
    const raftWorld = { ...world, kv };
    const replica = new Replica({ ...REPLICA_DEFAULTS, id, peers }, raftWorld, store, link);
    const server = new MetadataServer(config, world, store, replica, link);
    try {
      if (RaftLogStore.isNew(kv)) {
        await refuseEmptied(config, world.disk, store);
        if (identity.isFirst) await Replica.bootstrap(raftWorld, id, identity.address);
      }
      await server.#begin(onHalt);
    } catch (error) {
      await server.close();
      throw withRepair(error, config);
    }
    return server;
  }

  get isLeader(): boolean {
    return this.#leadership !== undefined;
  }

  /** For tests: the state of this member, whether it leads or not. */
  get store(): MetadataStore {
    return this.#store;
  }

  get replica(): Replica {
    return this.#replica;
  }

  /** Of this server, and of the whole cluster while it leads. */
  async metrics(): Promise<MetricSample[]> {
    const { isLeader, leaderId, term, appliedIndex, commitIndex } = this.#replica.status();
    const hasLeader = leaderId !== undefined;
    const logSeconds = this.#replica.logTimeMs / 1000;
    const own = mdsSamples({ isLeader, hasLeader, term, appliedIndex, commitIndex, logSeconds });
    const all = [...own, ...this.#requestTimes.samples()];
    const leadership = this.#leadership;
    if (leadership === undefined) return all;
    return [...all, ...clusterSamples(await clusterStatus(leadership, this.#config.identity.mdsId))];
  }

  /** Hands the leadership over if it can, and stops. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#replica.isLeader && this.#replica.members().length > 1) {
      // Whoever does not answer in time is not worth waiting for: the others elect a leader anyway.
      await this.#replica.transferLeadership().catch(() => undefined);
    }
    this.#leadership?.close();
    this.#leadership = undefined;
    await this.#replica.close();
    this.#link.close();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await this.#store.close();
  }

  async #begin(onHalt: (error: unknown) => void): Promise<void> {
    const { rpc, log } = this.#world;
    const { identity } = this.#config;
    this.#store.onEffects((effects) => {
      for (const effect of effects) this.#leadership?.carryOut(effect);
    });
    this.#replica.onLeadershipChange(({ isLeader, term }) => {
      if (isLeader && this.#leadership?.term === term) return;
      this.#leadership?.close();
      this.#leadership = undefined;
      if (isLeader) void this.#lead(term);
    });
    this.#replica.onMembersChange((members) => {
      if (members.some(({ id }) => id === identity.mdsId)) this.#noteMembership(onHalt);
    });
    this.#replica.onFailure((error) => onHalt(withRepair(error, this.#config)));
    await this.#replica.start();
    this.#listeners.push(await rpc.serve(identity.address, (service) => this.#link.define(service)));
    const services = {
      clusterId: identity.clusterId,
      mdsId: identity.mdsId,
      leadership: () => this.#mustLead(),
      load: this.#load,
      times: this.#requestTimes,
    };
    const listener = await rpc.serve(clientAddress(identity.address), (service) => {
      new ClientService(services).define(service);
      new RegistryService(services).define(service);
      new AdminService(services).define(service);
      defineEnrollment(service, { ...this.#world, tables: this.#store.tables });
    });
    this.#listeners.push(listener);
    log.info("metadata server is up", { mdsId: identity.mdsId, address: identity.address });
  }

  /** From now on an empty log means that it was lost. */
  #noteMembership(onHalt: (error: unknown) => void): void {
    if (this.#isNoted) return;
    this.#isNoted = true;
    noteMembership(this.#world.disk, this.#config.directory).catch(onHalt);
  }

  /** Begins to lead once everything of earlier terms is applied here. */
  async #lead(term: number): Promise<void> {
    try {
      await this.#replica.readBarrier();
      if (!this.#isStill(term)) return;
      await this.#genesis();
      if (!this.#isStill(term)) return;
      await this.#recover(term);
      if (!this.#isStill(term)) return;
      const { clock, log, rpc } = this.#world;
      const propose = this.#proposals.propose;
      const loadOf = (address: string): Promise<MdsLoad> =>
        rpc.call(ADMIN.getMdsLoad, clientAddress(address), {}, { deadlineMs: LOAD_MS });
      this.#leadership = new Leadership(
        { clock, log, store: this.#store, replica: this.#replica, propose, load: this.#load, loadOf },
        term,
      );
      log.info("this MDS leads", { mdsId: this.#config.identity.mdsId, term });
      const { mdsId, address } = this.#config.identity;
      await this.#leadership.proposeQuietly({
        type: "recordEvent",
        body: { system: "JRN", severity: "info", message: `MDS#${mdsId} at ${address} became master` },
      });
    } catch (error) {
      if (failureOf(error) === undefined) throw error;
      this.#world.log.info("the leadership was lost before it began", { term });
    }
  }

  readonly #load = (): MdsLoad => ({ ...(this.#world.load?.() ?? NO_LOAD), level: LEVEL });

  #isStill(term: number): boolean {
    return !this.#isClosed && this.#replica.isLeader && this.#replica.term === term;
  }

  async #genesis(): Promise<void> {
    const { genesis, identity, directory } = this.#config;
    if (this.#store.tables.cluster.get() === undefined) {
      if (genesis === undefined) throw storageError("log_corrupt", "the metadata of the cluster are gone");
      const { clusterId, clusterName: name, address, hostId } = identity;
      await this.#proposals.propose({
        type: "genesis",
        body: { clusterId, name, secrets: genesis, address, hostId, level: LEVEL },
      });
    }
    if (genesis !== undefined) await forgetGenesis(this.#world.disk, directory);
  }

  /** Nobody is served before a recovery of the metadata is complete. */
  async #recover(term: number): Promise<void> {
    const { recovery, identity, directory } = this.#config;
    const { clock, disk, log } = this.#world;
    await completeRecovery(
      {
        clock,
        log,
        store: this.#store,
        propose: this.#proposals.propose,
        isStill: () => this.#isStill(term),
      },
      recovery && { ...recovery, mdsId: identity.mdsId, address: identity.address, hostId: identity.hostId },
    );
    if (recovery !== undefined && this.#isStill(term)) await forgetRecovery(disk, directory);
  }

  async #submit(command: Uint8Array): Promise<unknown> {
    try {
      return await this.#replica.propose(command);
    } catch (error) {
      throw failureOf(error)?.code === "not_leader" ? this.#notLeader() : error;
    }
  }

  #mustLead(): Leadership {
    if (this.#leadership === undefined) throw this.#notLeader();
    return this.#leadership;
  }

  #notLeader(): StorageError {
    const leader = this.#replica.leader();
    const isOther = leader !== undefined && leader.id !== this.#config.identity.mdsId;
    const leaderHint = isOther ? clientAddress(leader.address) : undefined;
    return new StorageError({ code: "not_leader", detail: "this MDS does not lead", leaderHint });
  }
}

const NO_LOAD: MdsLoad = {
  commitsPerSecond: 0,
  logTimePercent: 0,
  cpuPercent: 0,
  memoryBytes: 0,
  uptimeSeconds: 0,
};

/** A member of the group that does not say what it costs for so long is not waited for. */
const LOAD_MS = 2000;

async function openStores(
  config: MdsConfig,
  { disk, clock }: MdsWorld,
): Promise<{ store: MetadataStore; kv: Kv }> {
  const { directory } = config;
  try {
    const kv = await disk.openKv(`${directory}/state`, "mds.state.open");
    const store = await MetadataStore.open(kv, clock);
    return { store, kv: await disk.openKv(`${directory}/raft`, "mds.raft.open") };
  } catch (error) {
    throw withRepair(error, config);
  }
}

/**
 * An empty log of a server that was a member was lost: it has forgotten what it voted and promised, and must not come
 * back under its id.
 */
async function refuseEmptied(config: MdsConfig, disk: Disk, store: MetadataStore): Promise<void> {
  const { identity, genesis, directory } = config;
  const isGenesisDue = genesis !== undefined || !identity.isFirst;
  const isNew = store.appliedIndex() === 0 && !(await wasMember(disk, directory));
  if (isGenesisDue && isNew) return;
  throw storageError("log_corrupt", "the Raft log of this MDS is gone");
}

/** A peer is of a group that goes on without this server. */
function superseded({ identity, directory }: MdsConfig, epoch: number): StorageError {
  const { clusterName, mdsId } = identity;
  return storageError(
    "refused",
    `the metadata of ${clusterName} were recovered (epoch ${epoch}) without MDS#${mdsId}: what it knows is of before, and it must ` +
      `not come back. Put a new one in its place: pstorage -c ${clusterName} make-mds --replace ${mdsId} -r ${directory}`,
  );
}

/** Adds what to do to a failure of the log. */
function withRepair(error: unknown, { identity, directory }: MdsConfig): unknown {
  const failure = failureOf(error);
  if (failure?.code !== "log_corrupt") return error;
  const { clusterName, mdsId } = identity;
  const detail =
    `${failure.detail}. This MDS stops rather than lie. While the others have a majority, replace it: ` +
    `pstorage -c ${clusterName} make-mds --replace ${mdsId} -r ${directory}`;
  return new StorageError({ code: "log_corrupt", detail }, error);
}
