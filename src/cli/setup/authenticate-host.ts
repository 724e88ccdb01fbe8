import {
  enroll,
  ensureHostId,
  type HostCredential,
  loadCredential,
  ROLES,
  saveCredential,
} from "../../auth/index.js";
import { type FailureCode, failureOf, type StorageError, storageError } from "../../base/index.js";
import { clientAddressOf, findMds } from "../../discovery/index.js";
import type { ClusterStatus } from "../../meta/index.js";
import { GrpcRpc } from "../../rpc/grpc/index.js";
import { ADMIN, ENROLLMENT } from "../../rpc/index.js";
import { noopLogger } from "../../telemetry/index.js";
import type { Host } from "../host.js";
import { checkedClusterName } from "../host-files.js";

/** What `auth-node` is told. */
export interface HostAuthentication {
  readonly clusterName: string;
  readonly password: string;
  /** `IP:PORT` of metadata servers given on the command line; none: they are looked for. */
  readonly bootstrap: readonly string[];
}

const CALL_MS = 15_000;
const ROUNDS_MAX = 3;
const ROUND_PAUSE_MS = 500;
/** Answers that another server may give differently. */
const UNREACHABLE: readonly FailureCode[] = ["unavailable", "timed_out", "not_leader"];
/** An election takes a second or two; a cluster without a leader for longer cannot tell its name. */
const STATUS_MS = 3000;
/** Servers that say who leads, one after the other. */
const HOPS_MAX = 2;

/**
 * Proves the cluster password and keeps the credential that this host gets for it. Repeating it is safe: the new
 * credential replaces the old one. A host of one cluster is not turned into one of another of the same name.
 */
export async function authenticateHost(
  host: Host,
  { clusterName, password, bootstrap }: HostAuthentication,
): Promise<HostCredential> {
  const { files, world } = host;
  checkedClusterName(clusterName);
  const options = { cluster: clusterName, root: files.root, bootstrap: bootstrap.join() };
  const addresses = await findMds(world.disk, options, host.search);
  const expectedClusterId = await presentClusterId(host, clusterName);
  const hostId = await ensureHostId(world.disk, files.root, world.random);
  const known = expectedClusterId === undefined ? {} : { expectedClusterId };
  const request = { password, hostId, roles: ROLES, ...known };
  const { credential, address } = await enrollAtAny(host, addresses, request);
  const servers = await serversOf(host, credential, address, clusterName);
  await saveCredential(world.disk, files.root, clusterName, credential);
  // Any server that answers is enough to find the cluster: the more this host knows, the better.
  for (const known of [...addresses, ...servers]) await files.addBootstrapAddress(clusterName, known);
  return credential;
}

/** The cluster whose credential this host has, if it has one that can be read. */
async function presentClusterId({ files, world }: Host, clusterName: string): Promise<string | undefined> {
  try {
    return (await loadCredential(world.disk, files.root, clusterName)).clusterId;
  } catch (error) {
    // A damaged credential is replaced like a missing one.
    if (failureOf(error) === undefined) throw error;
    return undefined;
  }
}

type Enrolment = { readonly credential: HostCredential; readonly address: string };

/** Asks one server after the other until one answers; a refusal is an answer. A server that is starting gets a second chance. */
async function enrollAtAny(
  host: Host,
  addresses: readonly string[],
  request: Parameters<typeof enroll>[0],
): Promise<Enrolment> {
  for (let round = 1; ; round++) {
    const outcome = await enrollRound(host, addresses, request);
    if ("credential" in outcome) return outcome;
    if (round === ROUNDS_MAX) {
      throw storageError(
        "unavailable",
        `no metadata server answers at ${addresses.join(", ")}; start one, or give others with -b`,
        outcome,
      );
    }
    await host.world.clock.sleep("cli.enroll", ROUND_PAUSE_MS);
  }
}

async function enrollRound(
  host: Host,
  addresses: readonly string[],
  request: Parameters<typeof enroll>[0],
): Promise<Enrolment | StorageError> {
  let last = storageError("unavailable", "no metadata server is known");
  for (const address of addresses) {
    try {
      return { credential: await enrollAt(host, clientAddressOf(address), request), address };
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined || !UNREACHABLE.includes(failure.code)) throw error;
      last = storageError(failure.code, failure.detail, error);
    }
  }
  return last;
}

async function enrollAt(
  { world }: Host,
  address: string,
  request: Parameters<typeof enroll>[0],
): Promise<HostCredential> {
  const stranger = { credential: undefined, authorization: {}, serverRoles: {} };
  const options = { deadlineMs: CALL_MS };
  // Each over a connection of its own: in between the password is stretched, and on a busy machine this process is silent
  // for so long that the server has given the connection up.
  const calling = async <T>(ask: (rpc: GrpcRpc) => Promise<T>): Promise<T> => {
    const rpc = new GrpcRpc(stranger, { clock: world.clock, log: noopLogger });
    return await ask(rpc).finally(() => rpc.close());
  };
  return await enroll(
    request,
    {
      start: (message) => calling((rpc) => rpc.call(ENROLLMENT.start, address, message, options)),
      finish: (message) => calling((rpc) => rpc.call(ENROLLMENT.finish, address, message, options)),
    },
    world.clock,
  );
}

/**
 * Addresses of all metadata servers. Throws `wrong_cluster` if the cluster has another name: its password may be the
 * same. Without a leader nobody can tell, and the host is let in.
 */
async function serversOf(
  { world }: Host,
  credential: HostCredential,
  mdsAddress: string,
  clusterName: string,
): Promise<string[]> {
  const rpc = new GrpcRpc(
    { credential, authorization: {}, serverRoles: {} },
    { clock: world.clock, log: noopLogger },
  );
  try {
    const status = await statusAt(rpc, clientAddressOf(mdsAddress), HOPS_MAX);
    if (status === undefined || status.clusterName === clusterName) {
      return (status?.mdsServers ?? []).map(({ address }) => address);
    }
    throw storageError(
      "wrong_cluster",
      `the metadata server at ${mdsAddress} belongs to the cluster "${status.clusterName}", not "${clusterName}"; give another with -b`,
    );
  } finally {
    await rpc.close();
  }
}

/** What the leader says; undefined if there is none. */
async function statusAt(rpc: GrpcRpc, address: string, hopsMax: number): Promise<ClusterStatus | undefined> {
  try {
    return await rpc.call(ADMIN.getStatus, address, {}, { deadlineMs: STATUS_MS });
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined || !UNREACHABLE.includes(failure.code)) throw error;
    if (failure.leaderHint === undefined || hopsMax === 0) return undefined;
    return await statusAt(rpc, failure.leaderHint, hopsMax - 1);
  }
}
