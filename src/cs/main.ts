import { join, resolve } from "node:path";
import { type AuthorizationTable, loadCredential, type Role } from "../auth/index.js";
import { failureOf, storageError } from "../base/index.js";
import { clientAddressOf, findMds, machineSearch } from "../discovery/index.js";
import { becomeDaemon, csdProgram, type DaemonFlags, logLevelOf } from "../io/real/daemon/index.js";
import { filesId, leaveGarbage, processReadings, realWorld, servePages } from "../io/real/index.js";
import { DataChannels } from "../rpc/channel/index.js";
import { GrpcRpc } from "../rpc/grpc/index.js";
import { CHUNK_CHANNEL, openDataChannel } from "../rpc/index.js";
import { openLog, serveMetrics } from "../telemetry/index.js";
import { hostLocation } from "./config.js";
import { RecurringServer } from "./recurring-server.js";
import { readIdentity } from "./store/chunk-store.js";
import { StorePaths } from "./store/paths.js";

/** Who may call what on a chunk server. */
const AUTHORIZATION: AuthorizationTable = {
  [CHUNK_CHANNEL.path]: ["client", "cs"],
  [openDataChannel(CHUNK_CHANNEL.path).path]: ["client", "cs"],
};
/** What the other end must be by its certificate when this server calls. */
const SERVER_ROLES: Readonly<Record<string, readonly Role[]>> = {
  "pstorage.Registry": ["mds"],
  "pstorage.ChunkService": ["cs"],
};

/** Left alone, V8 collects payloads at 40 % of the daemon's processor time (docs/benchmarks.md). */
const GARBAGE_BYTES = 192 << 20;

/**
 * The chunk server daemon, `csd`. Under `PSTORAGE_ROOT` it needs the host's credential and bs.list; everything else is
 * in its repository. SIGTERM and SIGINT stop it in order, SIGHUP opens its log file anew. A parent that gave it an IPC
 * channel is told `ready` when it serves.
 */
async function main(): Promise<void> {
  leaveGarbage(GARBAGE_BYTES);
  const flags = csdProgram().parse().opts<DaemonFlags>();
  if (await becomeDaemon(flags, process)) process.exit(0);
  const directory = resolve(flags.repository);
  const root = process.env["PSTORAGE_ROOT"] ?? "/";
  const world = realWorld();
  const identity = await readIdentity(world.disk, new StorePaths(directory));
  const { clusterId, clusterName, csId } = identity;
  const credential = await loadCredential(world.disk, root, clusterName);
  if (credential.clusterId !== clusterId) {
    throw storageError(
      "wrong_cluster",
      `the credential of this host is of another cluster than ${directory}`,
    );
  }
  const daemonLog = openLog({
    destination: flags.log ?? join(directory, "logs/log"),
    level: logLevelOf(flags),
    fields: { daemon: "csd", cluster: clusterName, csId },
  });
  const log = daemonLog.logger;
  const grpc = new GrpcRpc(
    { credential, authorization: AUTHORIZATION, serverRoles: SERVER_ROLES },
    { clock: world.clock, log },
  );
  const rpc = new DataChannels(
    grpc,
    { ...world, log },
    {
      methods: [{ path: CHUNK_CHANNEL.path, socketPath: join(directory, "data.sock") }],
      protection: process.env["PSTORAGE_ENCRYPT"] === "1" ? "encrypted" : "authenticated",
      filesId: filesId(world.disk),
    },
  );
  const halt = (error: unknown): void => {
    log.error("chunk server halts", { error });
    process.stderr.write(`csd: ${messageOf(error)}\n`);
    process.exit(1);
  };
  process.on("uncaughtException", halt);
  process.on("unhandledRejection", halt);
  const search = machineSearch(process.env["PSTORAGE_DISCOVERY"]);
  const mdsAddresses = async (): Promise<string[]> =>
    (await findMds(world.disk, { cluster: clusterName, root }, search)).map(clientAddressOf);
  const config = {
    directory,
    clusterId,
    mdsAddresses,
    bindAddress: identity.address ?? "0.0.0.0:0",
    hostId: credential.hostId,
    location: await hostLocation(world.disk, root),
  };
  // Refuses to start without them, rather than looking for ever.
  await mdsAddresses();
  const server = new RecurringServer(config, { ...world, rpc, log });
  await server.start(halt);
  const labels = { cluster: clusterName, cs: String(csId) };
  const machine = { servePages, processReadings };
  const metrics = await serveMetrics(machine, flags.metrics, labels, () => server.metrics());
  let isStopping = false;
  const stop = async (): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    await metrics?.close();
    await server.close();
    await rpc.close();
    await daemonLog.close();
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop());
  process.on("SIGINT", () => void stop());
  process.on("SIGHUP", () => daemonLog.reopen());
  // A parent that goes away, or has gone, does not end a daemon.
  process.on("disconnect", () => undefined);
  process.send?.("ready", undefined, undefined, () => undefined);
}

function messageOf(error: unknown): string {
  return (
    failureOf(error)?.detail ?? (error instanceof Error ? (error.stack ?? error.message) : String(error))
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`csd: ${messageOf(error)}\n`);
  process.exit(1);
});
