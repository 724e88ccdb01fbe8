import type { HostCredential } from "../auth/index.js";
import { type Failure, failureOf, type StorageError, storageError } from "../base/index.js";
import type {
  AddChunkServer,
  AddMds,
  ChunkServerAdded,
  ChunkServerRemoval,
  ClusterStatus,
  Config,
  ConfigEntry,
  Events,
  GetEvents,
  MdsAdded,
  RemoveChunkServer,
  RemoveMds,
  SetConfig,
} from "../meta/index.js";
import { GrpcRpc } from "../rpc/grpc/index.js";
import { ADMIN, type UnaryMethod } from "../rpc/index.js";
import { noopLogger } from "../telemetry/index.js";
import { clientAddressOf, parseBootstrapAddress } from "./address.js";
import type { Host } from "./host.js";
import type { Invocation } from "./invocation.js";
import { ownCredential } from "./setup/own-credential.js";

/** What operators ask of a cluster, whichever MDS leads it. */
export interface ClusterAdmin {
  getStatus(): Promise<ClusterStatus>;
  getConfig(): Promise<Config>;
  setConfig(change: SetConfig): Promise<ConfigEntry>;
  getEvents(request: GetEvents): Promise<Events>;
  addChunkServer(request: AddChunkServer): Promise<ChunkServerAdded>;
  removeChunkServer(request: RemoveChunkServer): Promise<ChunkServerRemoval>;
  addMds(request: AddMds): Promise<MdsAdded>;
  removeMds(request: RemoveMds): Promise<unknown>;
}

/** A connection for administration, which its owner closes. */
export interface AdminConnection {
  readonly admin: ClusterAdmin;
  /** Who answered first, and under which name the cluster knows itself. */
  readonly status: ClusterStatus;
  close(): Promise<void>;
}

export interface AdminOptions {
  /** `HOST:PORT` of metadata servers; without any those in bs.list are asked. */
  readonly bootstrap?: readonly string[] | undefined;
  /** How long to look for the leader. */
  readonly timeoutMs?: number | undefined;
}

/** How long a command looks for somebody who answers: longer than an election. */
const FIND_MS = 15_000;
const CALL_MS = 30_000;
const PAUSE_MS = 200;

/** Finds the leader of the cluster. Fails with `unavailable` if nobody leads it in time. */
export async function openAdmin(
  host: Host,
  clusterName: string,
  options: AdminOptions = {},
): Promise<AdminConnection> {
  const credential = await ownCredential(host, clusterName);
  const addresses = options.bootstrap ?? (await host.files.bootstrapAddresses(clusterName));
  if (addresses.length === 0) {
    throw storageError(
      "unavailable",
      `no metadata server of "${clusterName}" is known; give one with -b IP or write it to ${host.files.bootstrapFile(clusterName)}`,
    );
  }
  const leader = new LeaderCalls(
    host,
    credential,
    addresses.map(clientAddressOf),
    options.timeoutMs ?? FIND_MS,
  );
  try {
    const admin = adminOver(leader);
    const status = await admin.getStatus();
    if (status.clusterName !== clusterName) {
      throw storageError(
        "wrong_cluster",
        `${leader.address} belongs to the cluster "${status.clusterName}", not "${clusterName}"`,
      );
    }
    return { admin, status, close: () => leader.close() };
  } catch (error) {
    await leader.close();
    throw error;
  }
}

/**
 * Runs `work` against the cluster of the invocation. The first line of output says who answered, unless it is
 * unwanted (-q, --json).
 */
export async function withAdmin<T>(
  invocation: Invocation,
  bootstrap: string | undefined,
  work: (admin: ClusterAdmin) => Promise<T>,
  { isSilent = false } = {},
): Promise<T> {
  const addresses = bootstrap?.split(",").map(parseBootstrapAddress);
  const { admin, status, close } = await openAdmin(invocation.host, invocation.clusterName, {
    bootstrap: addresses,
  });
  try {
    if (!isSilent && !invocation.isQuiet) invocation.print(`connected to MDS#${status.mdsId}`);
    return await work(admin);
  } finally {
    await close();
  }
}

function adminOver(leader: LeaderCalls): ClusterAdmin {
  return {
    getStatus: () => leader.call(ADMIN.getStatus, {}),
    getConfig: () => leader.call(ADMIN.getConfig, {}),
    setConfig: (request) => leader.call(ADMIN.setConfig, request),
    getEvents: (request) => leader.call(ADMIN.getEvents, request),
    addChunkServer: (request) => leader.call(ADMIN.addChunkServer, request),
    removeChunkServer: (request) => leader.call(ADMIN.removeChunkServer, request),
    addMds: (request) => leader.call(ADMIN.addMds, request),
    removeMds: (request) => leader.call(ADMIN.removeMds, request),
  };
}

/** Unary calls to the leader: follows hints, asks the others in turn, until one answers or the time is up. */
class LeaderCalls {
  readonly #rpc: GrpcRpc;
  readonly #clock: Host["world"]["clock"];
  readonly #addresses: readonly string[];
  readonly #findMs: number;
  #leader: string;

  constructor({ world }: Host, credential: HostCredential, addresses: readonly string[], findMs: number) {
    const options = { credential, authorization: {}, serverRoles: { "pstorage.Admin": ["mds"] as const } };
    this.#rpc = new GrpcRpc(options, { clock: world.clock, log: noopLogger });
    this.#clock = world.clock;
    this.#addresses = addresses;
    this.#findMs = findMs;
    this.#leader = addresses[0] ?? "";
  }

  /** Who was asked last. */
  get address(): string {
    return this.#leader;
  }

  async call<Request, Reply>(method: UnaryMethod<Request, Reply>, request: Request): Promise<Reply> {
    const endMs = this.#clock.monotonicMs() + this.#findMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#rpc.call(method, this.#leader, request, { deadlineMs: CALL_MS });
      } catch (error) {
        const failure = failureOf(error);
        if (failure === undefined || !isElsewhere(failure)) throw error;
        if (this.#clock.monotonicMs() >= endMs) throw this.#nobody(error);
        await this.#moveOn(failure, attempt);
      }
    }
  }

  close(): Promise<void> {
    return this.#rpc.close();
  }

  async #moveOn({ leaderHint }: Failure, attempt: number): Promise<void> {
    const next = this.#addresses[attempt % this.#addresses.length] ?? this.#leader;
    const isHint = leaderHint !== undefined && leaderHint !== this.#leader;
    this.#leader = isHint ? leaderHint : next;
    if (!isHint && attempt % this.#addresses.length === 0)
      await this.#clock.sleep("cli.find-leader", PAUSE_MS);
  }

  #nobody(cause: unknown): StorageError {
    const code = failureOf(cause)?.code;
    const why = code === "not_leader" ? "no metadata server leads the cluster" : "no metadata server answers";
    return storageError("unavailable", `${why}; asked ${this.#addresses.join(", ")}`, cause);
  }
}

/** Worth asking another server: this one did not answer, or does not lead. */
function isElsewhere({ code }: Failure): boolean {
  return code === "not_leader" || code === "unavailable";
}
