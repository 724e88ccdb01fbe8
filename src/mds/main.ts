import { join, resolve } from "node:path";
import { type HostCredential, loadCredential } from "../auth/index.js";
import { failureOf, storageError } from "../base/index.js";
import type { RunningDashboard } from "../dashboard/serve.js";
import { canAnnounce, MdsAnnouncer } from "../discovery/index.js";
import { becomeDaemon, logLevelOf, type MdsdFlags, mdsdProgram } from "../io/real/daemon/index.js";
import { filesId, leaveGarbage, processReadings, realWorld, servePages } from "../io/real/index.js";
import { DataChannels } from "../rpc/channel/index.js";
import { GrpcRpc } from "../rpc/grpc/index.js";
import { METADATA_SESSION } from "../rpc/index.js";
import { type Logger, openLog, serveMetrics } from "../telemetry/index.js";
import { MDS_AUTHORIZATION, MDS_SERVER_ROLES } from "./authorization.js";
import { MetadataServer } from "./metadata-server.js";
import { processLoad } from "./process-load.js";
import { RAFT_PEER } from "./raft-wire.js";
import { loadGenesis, loadMdsIdentity, loadRecovery, type MdsIdentity } from "./repository.js";

/** Contents of small files pass through (docs/performance.md). */
const GARBAGE_BYTES = 96 << 20;
/** Of metadata servers, and of the next higher one for clients. */
const USUAL_PORT = 2510;

/**
 * The metadata daemon, `mdsd`. Under `PSTORAGE_ROOT` it needs the host's credential; everything else is in its
 * repository. SIGTERM and SIGINT stop it in order, SIGHUP opens its log file anew. A parent that gave it an IPC
 * channel is told `ready` when it serves.
 */
async function main(): Promise<void> {
  leaveGarbage(GARBAGE_BYTES);
  const flags = mdsdProgram().parse().opts<MdsdFlags>();
  if (await becomeDaemon(flags, process)) process.exit(0);
  const directory = resolve(flags.repository);
  const root = process.env["PSTORAGE_ROOT"] ?? "/";
  const world = realWorld();
  const identity = await loadMdsIdentity(world.disk, directory);
  const credential = await loadCredential(world.disk, root, identity.clusterName);
  if (credential.clusterId !== identity.clusterId) {
    throw storageError(
      "wrong_cluster",
      `the credential of this host is of another cluster than ${directory}`,
    );
  }
  const genesis = await loadGenesis(world.disk, directory);
  const recovery = await loadRecovery(world.disk, directory);
  const daemonLog = openLog({
    destination: flags.log ?? join(directory, "logs/log"),
    level: logLevelOf(flags),
    fields: { daemon: "mdsd", cluster: identity.clusterName, mdsId: identity.mdsId },
  });
  const log = daemonLog.logger;
  const grpc = new GrpcRpc(
    { credential, authorization: MDS_AUTHORIZATION, serverRoles: MDS_SERVER_ROLES },
    { clock: world.clock, log },
  );
  const rpc = new DataChannels(
    grpc,
    { ...world, log },
    {
      methods: [
        { path: RAFT_PEER.path, socketPath: join(directory, "raft.sock"), isLocalOnly: true },
        { path: METADATA_SESSION.path, socketPath: join(directory, "session.sock"), isLocalOnly: true },
      ],
      filesId: filesId(world.disk),
    },
  );
  const halt = (error: unknown): void => {
    log.error("metadata server halts", { error });
    process.stderr.write(`mdsd: ${messageOf(error)}\n`);
    process.exit(1);
  };
  let applied = (): number => 0;
  let logMs = (): number => 0;
  const load = processLoad(world.clock, {
    cpuMs: () => (process.cpuUsage().user + process.cpuUsage().system) / 1000,
    memoryBytes: () => process.memoryUsage.rss(),
    applied: () => applied(),
    logMs: () => logMs(),
  });
  const server = await MetadataServer.start(
    {
      identity,
      directory,
      genesis,
      // One that was begun and not completed does not count.
      recovery: recovery?.epoch === identity.epoch ? recovery : undefined,
    },
    { ...world, rpc, log, load },
    halt,
  );
  applied = () => server.replica.status().appliedIndex;
  logMs = () => server.replica.logTimeMs;
  const announcer = announce(identity, log);
  const labels = { cluster: identity.clusterName, mds: String(identity.mdsId) };
  const machine = { servePages, processReadings };
  const metrics = await serveMetrics(machine, flags.metrics, labels, () => server.metrics());
  const dashboard = startDashboard(flags.dashboard ?? usualDashboard(identity), identity, {
    credential,
    log,
    root,
  });
  let isStopping = false;
  const stop = async (): Promise<void> => {
    if (isStopping) return;
    isStopping = true;
    await announcer?.close();
    await metrics?.close();
    await dashboard.close();
    await server.close();
    await rpc.close();
    log.info("metadata server stopped");
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

/** A server that is one of several on a machine has another port; they would be in each other's way. */
function usualDashboard({ address }: MdsIdentity): string {
  return address.endsWith(`:${USUAL_PORT}`) ? String(USUAL_PORT + 2) : "off";
}

/** Serves the dashboard as soon as it can. Without one the cluster works as well. */
function startDashboard(
  place: string,
  { clusterName, address, peers }: MdsIdentity,
  { credential, log, root }: { credential: HostCredential; log: Logger; root: string },
): { close(): Promise<void> } {
  if (place === "off") return { close: async () => undefined };
  const mdsAddresses = [address, ...peers.map((peer) => peer.address)];
  const begin = async (): Promise<RunningDashboard | undefined> => {
    try {
      // Who does without it does not load it.
      const { serveDashboard } = await import("../dashboard/serve.js");
      const running = await serveDashboard({ place, clusterName, root, mdsAddresses, credential, log });
      log.info("the dashboard is served", { url: running.url });
      return running;
    } catch (error) {
      log.warn("no dashboard", { place, reason: failureOf(error)?.detail ?? String(error) });
      return undefined;
    }
  };
  const starting = begin();
  return { close: async () => (await starting)?.close() };
}

/** Has the server found on its network by the name of its cluster, unless `PSTORAGE_DISCOVERY` leaves `mdns` out. */
function announce(identity: MdsIdentity, log: Logger): MdsAnnouncer | undefined {
  const ways = process.env["PSTORAGE_DISCOVERY"]?.split(",") ?? ["mdns"];
  if (!ways.includes("mdns") || !canAnnounce(identity.address)) return undefined;
  let isTold = false;
  return new MdsAnnouncer(identity, (error) => {
    if (!isTold) log.warn("cannot be found by multicast DNS", { error });
    isTold = true;
  });
}

function messageOf(error: unknown): string {
  return (
    failureOf(error)?.detail ?? (error instanceof Error ? (error.stack ?? error.message) : String(error))
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`mdsd: ${messageOf(error)}\n`);
  process.exit(1);
});
