import { failureOf, type StorageError, storageError } from "../base/index.js";
import { type Cluster, connectCluster } from "../client/connect.js";
import { Admin, type FileSystem } from "../client/index.js";
import { clientAddressOf, findMds, parseMdsNames } from "../discovery/index.js";
import type { ClusterStatus } from "../meta/index.js";
import { GrpcRpc } from "../rpc/grpc/index.js";
import { noopLogger } from "../telemetry/index.js";
import type { Host } from "./host.js";
import type { Invocation } from "./invocation.js";
import { ownCredential } from "./setup/own-credential.js";

/** A connection for administration, which its owner closes. */
export interface AdminConnection {
  readonly admin: Admin;
  /** As it was when the connection was made. */
  readonly status: ClusterStatus;
  close(): Promise<void>;
}

export interface AccessOptions {
  /** `HOST:PORT` of metadata servers; without any they are looked for. */
  readonly bootstrap?: readonly string[] | undefined;
  /** How long to look for the leader. */
  readonly timeoutMs?: number | undefined;
}

export interface OutputOptions {
  /** `-b`, as it was written. */
  readonly bootstrap?: string | undefined;
  /** Standard output is for something else than people. */
  readonly isSilent?: boolean | undefined;
  /** Where it is not -c or the environment that says it. */
  readonly clusterName?: string | undefined;
}

/** How long a command looks for somebody who answers: longer than an election, on a busy machine too. */
const FIND_MS = 20_000;

/** Finds the leader of the cluster. Fails with `unavailable` if nobody leads it in time. */
export async function openAdmin(
  host: Host,
  clusterName: string,
  options: AccessOptions = {},
): Promise<AdminConnection> {
  const credential = await ownCredential(host, clusterName);
  const addresses = await addressesOf(host, clusterName, options);
  const { clock, random } = host.world;
  const rpc = new GrpcRpc(
    { credential, authorization: {}, serverRoles: { "pstorage.Admin": ["mds"] } },
    { clock, log: noopLogger },
  );
  const admin = new Admin({ clock, random, rpc }, addresses.map(clientAddressOf));
  try {
    const status = await reached(addresses, admin.status({ timeoutMs: options.timeoutMs ?? FIND_MS }));
    requireSameName(status.clusterName, clusterName, addresses);
    return { admin, status, close: () => rpc.close() };
  } catch (error) {
    await rpc.close();
    throw error;
  }
}

/** Runs `work` with the administration of the cluster of the invocation, and says first who answered. */
export async function withAdmin<T>(
  invocation: Invocation,
  work: (admin: Admin) => Promise<T>,
  { bootstrap, isSilent = false }: OutputOptions = {},
): Promise<T> {
  const { host, clusterName } = invocation;
  const connection = await openAdmin(host, clusterName, { bootstrap: parseList(bootstrap) });
  try {
    if (!isSilent) sayConnected(invocation, connection.status.mdsId);
    return await work(connection.admin);
  } finally {
    await connection.close();
  }
}

/** A session with the cluster, which its owner closes. */
export async function openCluster(
  host: Host,
  clusterName: string,
  options: AccessOptions = {},
): Promise<Cluster> {
  await ownCredential(host, clusterName);
  const addresses = await addressesOf(host, clusterName, options);
  const connecting = connectCluster({
    cluster: clusterName,
    root: host.files.root,
    bootstrap: addresses.join(","),
    program: "command",
    timeoutMs: options.timeoutMs ?? FIND_MS,
  });
  return await reached(addresses, connecting);
}

/** Runs `work` with a session of the cluster of the invocation, and says first who answered. */
export async function withCluster<T>(
  invocation: Invocation,
  work: (cluster: Cluster) => Promise<T>,
  { bootstrap, isSilent = false, clusterName = invocation.clusterName }: OutputOptions = {},
): Promise<T> {
  const { host } = invocation;
  const cluster = await openCluster(host, clusterName, { bootstrap: parseList(bootstrap) });
  try {
    if (!isSilent && cluster.leader !== undefined) sayConnected(invocation, cluster.leader.mdsId);
    return await work(cluster);
  } finally {
    await cluster.close();
  }
}

/** Runs `work` with the file system of the cluster of the invocation, and says first who answered. */
export function withFileSystem<T>(
  invocation: Invocation,
  work: (fileSystem: FileSystem) => Promise<T>,
  options: OutputOptions = {},
): Promise<T> {
  return withCluster(invocation, ({ fileSystem }) => work(fileSystem), options);
}

/** What follows `-b`: addresses separated by commas. */
export function parseList(bootstrap: string | undefined): string[] | undefined {
  return bootstrap === undefined ? undefined : parseMdsNames(bootstrap);
}

function sayConnected(invocation: Invocation, mdsId: number): void {
  if (!invocation.isQuiet) invocation.print(`connected to MDS#${mdsId}`);
}

async function addressesOf(
  { files, world, search }: Host,
  clusterName: string,
  { bootstrap = [] }: AccessOptions,
): Promise<readonly string[]> {
  const options = { cluster: clusterName, root: files.root, bootstrap: bootstrap.join() };
  return await findMds(world.disk, options, search);
}

/** The result, or a failure that says whom was asked in vain. */
async function reached<T>(addresses: readonly string[], result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw unreachable(addresses, error) ?? error;
  }
}

function unreachable(addresses: readonly string[], error: unknown): StorageError | undefined {
  const code = failureOf(error)?.code;
  if (code !== "unavailable" && code !== "timed_out" && code !== "not_leader") return undefined;
  return storageError(
    "unavailable",
    `no leading metadata server answers; asked ${addresses.join(", ")}: start them, or give others with -b`,
    error,
  );
}

function requireSameName(found: string, clusterName: string, addresses: readonly string[]): void {
  if (found === clusterName) return;
  throw storageError(
    "wrong_cluster",
    `${addresses.join(", ")} belongs to the cluster "${found}", not "${clusterName}"; say -c ${found}, or give others with -b`,
  );
}
