import { failureOf } from "../base/index.js";
import type { Clock, Random } from "../io/index.js";
import type { Rpc } from "../rpc/index.js";
import type { Logger, MetricSample } from "../telemetry/index.js";
import { Admin } from "./admin.js";
import type { BlockCache, BlockCacheStatus } from "./block-cache.js";
import type { CacheListener } from "./cache-listener.js";
import { ChunkClients } from "./chunk-client.js";
import type { ChunkIoWorld } from "./chunk-io.js";
import { CoherentCache } from "./coherent-cache.js";
import { FileSystem } from "./file-system.js";
import { InodeOperations } from "./inode-operations.js";
import { type LocalDisk, LocalFiles } from "./local-files.js";
import { Locks } from "./locks.js";
import { clientSamples } from "./metrics.js";
import { OpenFiles } from "./open-files.js";
import { ReadAheadMemory } from "./read-ahead.js";
import { ReplicaAccess } from "./replica-access.js";
import { Session } from "./session.js";
import { SessionListeners } from "./session-listeners.js";
import { Room, type WaitOptions, withinLimits } from "./waiting.js";
import { slotMemory, WRITE_BEHIND_LIMITS, type WriteBehindLimits } from "./write-behind.js";
import { WriteNumbers } from "./write-numbers.js";

/** Everything a client needs of the outside. */
export interface ClusterConfig extends WaitOptions {
  readonly clusterName: string;
  /** From the host's credential; another cluster refuses it. */
  readonly clusterId: string;
  /** Of this machine, to read from its own chunk servers first; empty if it has none. */
  readonly hostId: string;
  /** Client addresses (`IP:PORT`, the port after the MDS's own); any one that is alive is enough. */
  readonly mdsAddresses: readonly string[];
  readonly world: { readonly clock: Clock; readonly random: Random };
  readonly rpc: Rpc;
  readonly log: Logger;
  /** Shown to operators. */
  readonly hostname: string;
  /** What the client is, for `top`: `mount`, `library`, `command`. */
  readonly program: string;
  /**
   * Keeps names and attributes, so that asking again costs no round trip while nothing changes; never stale, since the
   * MDS has every change by others acknowledged here before it answers it. Default false.
   */
  readonly cacheMetadata?: boolean | undefined;
  /**
   * Answers mutations of what nobody else knows anything of before the MDS has carried them out, as a local file system
   * does: in order, and safe with the next sync (`FileSystem.sync`, `FileHandle.sync`). Who loses its session loses what
   * it did not sync. Only with `cacheMetadata`. Default false: what is answered is done.
   */
  readonly earlyAnswers?: boolean | undefined;
  /** Keeps copies of what is cached here; only with `cacheMetadata`. */
  readonly cacheListener?: CacheListener | undefined;
  /** Whether file handles are buffered (`HandleOptions`) unless they are opened otherwise; default false. */
  readonly buffered?: boolean | undefined;
  /** How much buffered handles may keep. */
  readonly writeBehind?: Partial<WriteBehindLimits> | undefined;
  /** What was read ahead for buffered handles is kept up to so many bytes; default 128 MiB. */
  readonly readAheadBytesMax?: number | undefined;
  /** Keeps what buffered handles read at random; whoever made it closes it after the cluster. */
  readonly blockCache?: BlockCache | undefined;
  /**
   * Disks of this machine: data files of its own chunk servers are read past them, each block checked against the checksum
   * that the server tells. What cannot be read so comes from the servers. Default: everything does.
   */
  readonly localDisk?: LocalDisk | undefined;
  /** Called when the cluster is closed: whoever made `rpc` for it closes it here. */
  readonly onClosed?: (() => Promise<void>) | undefined;
}

const READ_AHEAD_BYTES_MAX = 128 << 20;

/** A connection to a cluster: one session, its file system and its administration. */
export class Cluster {
  readonly name: string;
  readonly fileSystem: FileSystem;
  readonly admin: Admin;
  readonly locks: Locks;
  readonly replicas: ReplicaAccess;
  readonly #session: Session;
  readonly #files: OpenFiles;
  readonly #servers: ChunkClients;
  readonly #log: Logger;
  readonly #blockCache: BlockCache | undefined;
  readonly #localFiles: LocalFiles | undefined;
  readonly #onClosed: (() => Promise<void>) | undefined;
  #closing: Promise<void> | undefined;

  private constructor(config: ClusterConfig) {
    const { world, rpc, log, hostId } = config;
    const { clock, random } = world;
    this.name = config.clusterName;
    this.#log = log;
    this.#onClosed = config.onClosed;
    this.#servers = new ChunkClients(rpc, clock);
    this.replicas = new ReplicaAccess(this.#servers);
    const numbers = new WriteNumbers(() => this.#session.sessionId);
    const limits = { ...WRITE_BEHIND_LIMITS, ...config.writeBehind };
    const writeBehind = { limits, room: new Room(limits.clientBytesMax), memory: slotMemory() };
    const readAhead = new ReadAheadMemory(config.readAheadBytesMax ?? READ_AHEAD_BYTES_MAX);
    const { cacheListener: listener } = config;
    const leaseComesDown = listener?.leaseComesDown.bind(listener);
    const { blockCache, localDisk } = config;
    this.#blockCache = blockCache;
    const localFiles = localDisk && new LocalFiles(localDisk, clock);
    this.#localFiles = localFiles;
    const level: ChunkIoWorld["level"] = { has: (what) => this.#session.level.has(what) };
    const machine = { clock, random, log, hostId, servers: this.#servers, numbers, level };
    this.#files = new OpenFiles(
      { ...machine, writeBehind, readAhead, blockCache, localFiles, leaseComesDown },
      () => this.#session,
      config.buffered,
    );
    this.locks = new Locks(() => this.#session, clock);
    const events = new SessionListeners([this.#files, this.locks]);
    const cache = config.cacheMetadata === true ? new CoherentCache(clock, config.cacheListener) : undefined;
    const told = { ...config, load: () => this.#servers.meter.take() };
    this.#session = new Session({ clock, random, rpc, log }, told, events, cache);
    this.fileSystem = new FileSystem(new InodeOperations(this.#session, this.#files, clock, cache));
    this.admin = new Admin({ clock, random, rpc }, config.mdsAddresses);
  }

  /** Resolves with a session at the leading MDS; fails if the cluster refuses this client, or by its limits. */
  static async connect(config: ClusterConfig): Promise<Cluster> {
    const cluster = new Cluster(config);
    try {
      await withinLimits(config.world.clock, config, (signal) => cluster.#session.start(signal));
    } catch (error) {
      await cluster.#session.close();
      throw error;
    }
    return cluster;
  }

  /** Changes when the session had to be begun anew. */
  get sessionId(): number {
    return this.#session.sessionId;
  }

  /** The MDS that leads, while connected to it. */
  get leader(): { readonly mdsId: number; readonly address: string } | undefined {
    return this.#session.leader;
  }

  /** How the read cache does; undefined if there is none. */
  get readCache(): BlockCacheStatus | undefined {
    return this.#blockCache?.status;
  }

  /** What this client has done, for whoever watches it. */
  metrics(): MetricSample[] {
    return clientSamples(this.#servers.meter.totals, this.leader !== undefined, this.readCache);
  }

  /** Reports what is not reported, ends the session, closes connections. Idempotent. Handles fail afterwards. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    if (this.#session.isUsable) {
      await this.#files.flushAll().catch((error) => {
        const failure = failureOf(error);
        if (failure === undefined) throw error;
        this.#log.warn("sizes could not be reported before the end", { code: failure.code });
      });
    }
    await this.#session.close();
    this.#files.dispose();
    this.#servers.close();
    this.#localFiles?.close();
    await this.#onClosed?.();
  }
}
