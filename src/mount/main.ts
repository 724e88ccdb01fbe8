import { constants } from "node:fs";
import { failureOf, storageError } from "../base/index.js";
import { type Cluster, type ConnectOptions, connectCluster } from "../client/connect.js";
import { leaveGarbage, processReadings, realWorld, servePages } from "../io/real/index.js";
import {
  type Logger,
  type MetricSample,
  openLog,
  parseMetricsAddress,
  RequestTimes,
  serveMetrics,
} from "../telemetry/index.js";
import { DevFuse } from "./dev-fuse.js";
import { MountedFileSystem } from "./filesystem.js";
import { FuseConnection } from "./fuse-connection.js";
import { initWishes } from "./init-wishes.js";
import { givingUp } from "./interrupted.js";
import { MOUNT_REQUESTS } from "./metrics.js";
import type { MountConfig, MountOutcome } from "./mount-config.js";
import { mountFuse, setReadahead, unmount } from "./mount-point.js";
import { KernelListener } from "./nodes/kernel-listener.js";
import { processStatus } from "./process-status.js";

/**
 * The daemon behind one mount point. Started by `pstorage-mount`, which has checked what it is told (a `MountConfig` as
 * JSON, the only argument), and told over its channel when the file system is mounted. Ends when it is unmounted;
 * SIGTERM and SIGINT unmount it, SIGHUP opens its log file anew.
 */

/** How long to look for a leading metadata server before giving up on mounting. */
const CONNECT_MS = 30_000;
/** How long unmounting may take, and giving back what the cluster keeps for us. */
const UNMOUNT_MS = 10_000;
const GOODBYE_MS = 10_000;

/** Left alone, V8 collects the data that pass through all the time (docs/benchmarks.md). */
const GARBAGE_BYTES = 192 << 20;

async function main(): Promise<void> {
  leaveGarbage(GARBAGE_BYTES);
  const config = JSON.parse(process.argv[2] ?? "{}") as MountConfig;
  // A starter that goes away does not end a daemon.
  process.on("disconnect", () => undefined);
  const daemonLog = openLog({
    destination: config.log,
    level: config.logLevel,
    fields: { daemon: "mount", cluster: config.clusterName, directory: config.directory },
  });
  const log = daemonLog.logger;
  const halt = (error: unknown): void => {
    log.error("mount halts", { error });
    process.stderr.write(`pstorage-mount: ${messageOf(error)}\n`);
    process.exit(1);
  };
  process.on("uncaughtException", halt);
  process.on("unhandledRejection", halt);
  process.on("SIGHUP", () => daemonLog.reopen());
  const stop = new AbortController();
  let connected: FuseConnection | undefined;
  const end = (): void => {
    stop.abort();
    if (connected !== undefined) void takeDown(config, connected, log);
  };
  // From the beginning: a signal between mount(2) and here would leave a dead mount.
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  try {
    if (config.metrics !== undefined) parseMetricsAddress(config.metrics);
    const mounted = await mount(config, log, stop.signal);
    const { cluster, connection, fileSystem } = mounted;
    connected = connection;
    if (stop.signal.aborted) void takeDown(config, connection, log);
    await watched(config, mounted, log);
    tell({ type: "mounted", pid: process.pid });
    const error = await connection.ended;
    if (error === undefined) log.info("unmounted");
    else log.error("the connection with the kernel broke", { error });
    const goodbye = fileSystem.close().then(() => cluster.close());
    await Promise.race([goodbye, realWorld().clock.sleep("mount.goodbye", GOODBYE_MS)]);
    await daemonLog.close();
    process.exit(error === undefined ? 0 : 1);
  } catch (error) {
    log.warn("not mounted", { reason: messageOf(error) });
    await daemonLog.close();
    tell({ type: "failed", reason: messageOf(error) });
    process.exitCode = 1;
    process.disconnect?.();
    // Sockets of a cluster that does not answer keep nobody.
    setTimeout(() => process.exit(1), 1000).unref();
  }
}

interface Mounted {
  readonly cluster: Cluster;
  readonly connection: FuseConnection;
  readonly fileSystem: MountedFileSystem;
  readonly times: RequestTimes;
}

async function mount(config: MountConfig, log: Logger, signal: AbortSignal): Promise<Mounted> {
  const { clock } = realWorld();
  const device = DevFuse.open();
  const times = new RequestTimes(clock, MOUNT_REQUESTS);
  const wishes = initWishes(config.hasAcls);
  const connection = new FuseConnection(device, wishes, log, givingUp(clock, processStatus), times);
  const listener = new KernelListener(clock, log);
  const cluster = await connectCluster({
    cluster: config.clusterName,
    root: config.root,
    bootstrap: config.bootstrap,
    log,
    program: "mount",
    cacheMetadata: true,
    cacheListener: listener,
    earlyAnswers: config.answersEarly,
    buffered: true,
    readCache: readCacheOf(config),
    timeoutMs: CONNECT_MS,
    signal,
  });
  try {
    const { uid, gid, mode, noatime, isReadOnly, hasAcls } = config;
    const fileSystem = new MountedFileSystem(
      { cluster, kernel: connection, listener, clock, log },
      { rootOwner: { uid, gid, mode }, noatime, isReadOnly, hasAcls, directFlag: constants.O_DIRECT },
    );
    await mountFuse({
      source: config.source,
      type: config.type,
      directory: config.directory,
      options: config.kernelOptions,
      fd: device.fd,
    });
    connection.start(fileSystem);
    const agreed = await connection.agreed;
    const isFar = await setReadahead(config.directory, wishes.readaheadBytesMax);
    if (!isFar) log.info("the kernel reads ahead 128 KiB only");
    log.info("mounted", {
      source: config.source,
      protocol: `7.${agreed.minor}`,
      sessionId: cluster.sessionId,
    });
    return { cluster, connection, fileSystem, times };
  } catch (error) {
    connection.close();
    await cluster.close();
    throw error;
  }
}

/** Serves the metrics, if somebody wants them. A mount is not given up because they cannot be. */
async function watched(
  { clusterName, directory, metrics }: MountConfig,
  { cluster, times }: Mounted,
  log: Logger,
): Promise<void> {
  const labels = { cluster: clusterName, mount: directory };
  const samples = async (): Promise<readonly MetricSample[]> => [...cluster.metrics(), ...times.samples()];
  await serveMetrics({ servePages, processReadings }, metrics, labels, samples).catch((error: unknown) => {
    log.warn("metrics are not served", { reason: messageOf(error) });
  });
}

/** In megabytes, where only the file is given. */
const CACHE_MEGABYTES = 1024;

function readCacheOf({
  cacheFile,
  cacheMegabytes = CACHE_MEGABYTES,
}: MountConfig): ConnectOptions["readCache"] {
  return cacheFile === undefined ? undefined : { path: cacheFile, megabytes: cacheMegabytes };
}

let isGoingDown = false;

/** Unmounts in order; what is in use is taken out of sight, and cut off after a while. A second signal does not wait. */
async function takeDown({ directory }: MountConfig, connection: FuseConnection, log: Logger): Promise<void> {
  if (isGoingDown) {
    connection.close();
    return;
  }
  isGoingDown = true;
  const { clock } = realWorld();
  const late = clock.sleep("mount.unmount", UNMOUNT_MS);
  const isUnmounted = await Promise.race([unmount(directory, "plain"), late.then(() => false)]);
  if (!isUnmounted) {
    log.warn("the mount point is in use");
    await Promise.race([unmount(directory, "lazy"), late]);
  }
  await Promise.race([connection.ended, late]);
  connection.close();
}

/** A starter that has gone does not hear it. */
function tell(outcome: MountOutcome): void {
  process.send?.(outcome, undefined, undefined, () => undefined);
}

function messageOf(error: unknown): string {
  const failure = failureOf(error);
  if (failure !== undefined)
    return failure.detail === "" ? failure.code.replaceAll("_", " ") : failure.detail;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

if (process.argv[2] === undefined) throw storageError("invalid", "this daemon is started by pstorage-mount");
await main();
