/** Puts a client together on a real machine: the only file of this room that touches it. */
import { hostname } from "node:os";
import { loadCredential } from "../auth/index.js";
import { clientAddressOf, findMds, machineSearch } from "../discovery/index.js";
import { filesId, realWorld } from "../io/real/index.js";
import { DataChannels } from "../rpc/channel/index.js";
import { GrpcRpc } from "../rpc/grpc/index.js";
import { CHUNK_CHANNEL, METADATA_SESSION } from "../rpc/index.js";
import { type Logger, noopLogger } from "../telemetry/index.js";
import { BlockCache } from "./block-cache.js";
import type { CacheListener } from "./cache-listener.js";
import { Cluster, type ClusterConfig } from "./cluster.js";
import type { WaitOptions } from "./waiting.js";

export { StorageError } from "../base/index.js";
export * from "./index.js";

export interface ConnectOptions extends WaitOptions {
  /** Name of the cluster; this host must have been let in by `pstorage -c NAME auth-node`. */
  readonly cluster: string;
  /**
   * `IP[:PORT]` of metadata servers, separated by commas; default: those of the cluster's `bs.list`, else of DNS, else those that
   * answer on the local network.
   */
  readonly bootstrap?: string | undefined;
  /** Where `etc/pstorage` is; default `PSTORAGE_ROOT`, else `/`. */
  readonly root?: string | undefined;
  /** As in `ClusterConfig`. */
  readonly buffered?: boolean | undefined;
  readonly writeBehind?: ClusterConfig["writeBehind"];
  readonly readAheadBytesMax?: number | undefined;
  /**
   * Keeps blocks that buffered handles read again and again in a file on a fast disk, beyond the end of this process. The
   * file takes no more than so many megabytes; one connection at a time uses it. A file that cannot be used is no failure
   * (`cluster.readCache` tells). Default: none.
   */
  readonly readCache?: { readonly path: string; readonly megabytes: number } | undefined;
  /**
   * Whether data files of chunk servers on this host are read directly where that is possible, each block checked against
   * the checksum that its server tells. Default true.
   */
  readonly localReads?: boolean | undefined;
  /** Default: silence. */
  readonly log?: Logger | undefined;
  /** Shown to operators; default `library`. */
  readonly program?: string | undefined;
  /**
   * Whether file data are encrypted on their way between hosts, at some 0.4 ms of processor time a MiB and hop; they are
   * protected from changes in any case. Default: the environment's `PSTORAGE_ENCRYPT=1`, else no.
   */
  readonly encrypt?: boolean | undefined;
  /** As in `ClusterConfig`. */
  readonly cacheMetadata?: boolean | undefined;
  readonly cacheListener?: CacheListener | undefined;
  /** As in `ClusterConfig`. */
  readonly earlyAnswers?: boolean | undefined;
}

/** Connects to a cluster as this host. Close the cluster when done. */
export async function connectCluster(options: ConnectOptions): Promise<Cluster> {
  const { cluster, bootstrap, log = noopLogger, program = "library", signal, timeoutMs } = options;
  const root = options.root ?? process.env["PSTORAGE_ROOT"] ?? "/";
  const world = realWorld();
  const search = machineSearch(process.env["PSTORAGE_DISCOVERY"]);
  const servers = await findMds(world.disk, { cluster, root, bootstrap }, search);
  const credential = await loadCredential(world.disk, root, cluster);
  const grpc = new GrpcRpc(
    { credential, authorization: {}, serverRoles: SERVER_ROLES },
    { clock: world.clock, log },
  );
  const encrypt = options.encrypt ?? process.env["PSTORAGE_ENCRYPT"] === "1";
  const rpc = new DataChannels(
    grpc,
    { ...world, log },
    {
      methods: [{ path: CHUNK_CHANNEL.path }, { path: METADATA_SESSION.path, isLocalOnly: true }],
      protection: encrypt ? "encrypted" : "authenticated",
      filesId: filesId(world.disk),
    },
  );
  const blockCache =
    options.readCache &&
    (await BlockCache.open({ ...world, log }, { ...options.readCache, clusterId: credential.clusterId }));
  const closeAll = async (): Promise<void> => {
    await blockCache?.close();
    await rpc.close();
  };
  try {
    return await Cluster.connect({
      clusterName: cluster,
      clusterId: credential.clusterId,
      hostId: credential.hostId,
      mdsAddresses: servers.map(clientAddressOf),
      world,
      rpc,
      log,
      hostname: hostname(),
      program,
      signal,
      timeoutMs,
      buffered: options.buffered,
      writeBehind: options.writeBehind,
      readAheadBytesMax: options.readAheadBytesMax,
      cacheMetadata: options.cacheMetadata,
      cacheListener: options.cacheListener,
      earlyAnswers: options.earlyAnswers,
      blockCache,
      localDisk: options.localReads === false ? undefined : world.disk,
      onClosed: closeAll,
    });
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** A host that is only a client cannot pose as a server. */
const SERVER_ROLES = {
  "pstorage.Metadata": ["mds"],
  "pstorage.Admin": ["mds"],
  "pstorage.ChunkService": ["cs"],
} as const;
