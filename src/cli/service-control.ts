import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { storageError } from "../base/index.js";
import { type HostFiles, readText, type Service, type ServiceKind, writeText } from "./host-files.js";
import { installedPath } from "./installation.js";

/** A service with what its repository says about it. */
export interface LocalService extends Service {
  /** MDSID or CSID. */
  readonly id: number;
  /** Process id while its daemon runs. */
  readonly pid: number | undefined;
}

/** How long a daemon may take until it serves: one of many replicas reads its records first, on a disk that may be slow. */
const START_TIMEOUT_MS = 300_000;
/** And until it has stopped in order. */
const STOP_TIMEOUT_MS = 60_000;

/** The repositories of this host, with the state of their daemons. */
export async function localServices(files: HostFiles, kind: ServiceKind): Promise<LocalService[]> {
  const found: LocalService[] = [];
  for (const service of await files.services(kind)) {
    const id = await repositoryId(service);
    found.push({ ...service, id, pid: await runningPid(files, service, id) });
  }
  return found;
}

/** Those of one cluster, of one directory, or all without a selection. None is an error if one was asked for. */
export function selectServices(
  services: readonly LocalService[],
  selection: string | undefined,
): LocalService[] {
  if (selection === undefined) return [...services];
  const directory = selection.replace(/\/+$/, "");
  const selected = services.filter(
    (service) => service.clusterName === selection || service.directory === directory,
  );
  if (selected.length > 0) return selected;
  throw storageError(
    "not_found",
    `no repository of this host belongs to "${selection}"; see pstorage list-services`,
  );
}

/** Starts the daemon and resolves when it serves. False if it ran already. */
export async function startService(files: HostFiles, service: LocalService): Promise<boolean> {
  if (service.pid !== undefined) return false;
  const logs = join(service.directory, "logs");
  await mkdir(logs, { recursive: true });
  const fatalPath = join(logs, "fatal-log");
  const pidFile = files.pidFile(service.kind, service.clusterName, service.id);
  const pidBefore = await readText(pidFile);
  const fatal = openSync(fatalPath, "a");
  const fatalBegin = statSync(fatalPath).size;
  const child = spawn(process.execPath, daemonArguments(service), {
    cwd: "/",
    detached: true,
    env: { ...process.env, PSTORAGE_ROOT: files.root },
    stdio: ["ignore", fatal, fatal, "ipc"],
  });
  closeSync(fatal);
  const starting = outcomeOf(child, () => lastWords(fatalPath, fatalBegin));
  // Before it serves: if this process ends now the daemon goes on, and must be known.
  if (child.pid !== undefined) await writeText(pidFile, `${child.pid}\n`);
  const outcome = await starting;
  child.removeAllListeners();
  if (child.connected) child.disconnect();
  child.unref();
  if (outcome === "ready") return true;
  child.kill("SIGTERM");
  // One that had ended by itself before still has; and somebody else may have started it meanwhile.
  const isOurs = (await readText(pidFile))?.trim() === String(child.pid);
  if (isOurs && pidBefore === undefined) rmSync(pidFile, { force: true });
  throw storageError("unavailable", `${describeService(service)} did not start: ${outcome}`);
}

/** `ready`, or why the daemon does not serve. */
function outcomeOf(child: ChildProcess, lastWords: () => string | undefined): Promise<string> {
  return new Promise((resolve) => {
    const timer = setTimeout(
      () => resolve(`it is not ready after ${START_TIMEOUT_MS / 1000} s; see its log`),
      START_TIMEOUT_MS,
    );
    child.once("message", () => {
      clearTimeout(timer);
      resolve("ready");
    });
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => {
      clearTimeout(timer);
      resolve(lastWords() ?? `it ended with ${signal ?? `status ${code}`}`);
    });
  });
}

/** Stops the daemon in order and resolves when it is gone. False if it did not run. */
export async function stopService(files: HostFiles, service: LocalService): Promise<boolean> {
  if (service.pid === undefined) return false;
  signal(service.pid, "SIGTERM");
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while (isAlive(service.pid)) {
    if (performance.now() > deadline) {
      throw storageError(
        "timed_out",
        `${describeService(service)} (pid ${service.pid}) does not stop: see its log, or kill it`,
      );
    }
    await sleep(20);
  }
  rmSync(files.pidFile(service.kind, service.clusterName, service.id), { force: true });
  return true;
}

/** Sends a signal to the daemon, and after SIGKILL waits until it is gone. Nothing is tidied up: this is for tests. */
export async function killService(service: LocalService, name: NodeJS.Signals): Promise<void> {
  if (service.pid === undefined) {
    throw storageError(
      "unavailable",
      `${describeService(service)} is not running; pstorage-${service.kind}d start starts it`,
    );
  }
  signal(service.pid, name);
  while (name === "SIGKILL" && isAlive(service.pid)) await sleep(5);
}

/** Which service of which cluster. */
export interface ServiceName {
  readonly kind: ServiceKind;
  readonly clusterName: string;
  readonly id: number;
}

/**
 * If the service the cluster forgot was one of this host: stops its daemon, and starts it never again. `hostCount` is how many
 * of that kind the cluster knew on this host, that one among them; 0 if it was none of this host.
 */
export async function retireLocalService(
  files: HostFiles,
  { kind, clusterName, id }: ServiceName,
  hostCount = 0,
): Promise<LocalService | undefined> {
  const services = (await localServices(files, kind)).filter(
    (service) => service.clusterName === clusterName,
  );
  const found =
    services.find((service) => service.id === id) ??
    (services.length === hostCount ? await lostService(files, services, id) : undefined);
  if (found === undefined) return undefined;
  await stopService(files, found);
  await files.removeService(kind, found.directory);
  return found;
}

/** Of services that all are known to the cluster: the one whose directory is gone with its disk, if it can be no other. */
async function lostService(
  files: HostFiles,
  services: readonly LocalService[],
  id: number,
): Promise<LocalService | undefined> {
  const [lost, ...others] = services.filter((service) => service.id === 0);
  if (lost === undefined || others.length > 0) return undefined;
  return { ...lost, id, pid: await runningPid(files, lost, id) };
}

/** Has the daemon read its configuration and open its log anew. */
export function reloadService(service: LocalService): void {
  if (service.pid === undefined)
    throw storageError(
      "unavailable",
      `${describeService(service)} is not running; pstorage-${service.kind}d start starts it`,
    );
  signal(service.pid, "SIGHUP");
}

/** `MDS#1`, `CS#1025`. */
export function serviceName({ kind, id }: LocalService): string {
  return `${kind.toUpperCase()}#${id}`;
}

export function describeService(service: LocalService): string {
  return `${serviceName(service)} of ${service.clusterName} (${service.directory})`;
}

function daemonArguments({ kind, directory, metrics, dashboard }: Service): string[] {
  const places = [
    ...(metrics === undefined ? [] : ["--metrics", metrics]),
    ...(dashboard === undefined || kind === "cs" ? [] : ["--dashboard", dashboard]),
  ];
  return [daemonProgram(kind), "-r", directory, ...places];
}

function daemonProgram(kind: ServiceKind): string {
  return installedPath(`bin/${kind}d.js`);
}

/** The id in the repository's identity.json; 0 if it cannot be read. */
async function repositoryId({ kind, directory }: Service): Promise<number> {
  const text = await readText(join(directory, "identity.json")).catch(() => undefined);
  try {
    const identity = JSON.parse(text ?? "{}") as { mdsId?: number; csId?: number };
    return (kind === "mds" ? identity.mdsId : identity.csId) ?? 0;
  } catch {
    // A damaged identity: the daemon will say so when it is started.
    return 0;
  }
}

async function runningPid(files: HostFiles, service: Service, id: number): Promise<number | undefined> {
  const text = await readText(files.pidFile(service.kind, service.clusterName, id));
  const pid = Number.parseInt(text ?? "", 10);
  return pid > 0 && isAlive(pid) && isDaemonOf(pid, service) ? pid : undefined;
}

/** Process ids are used again: is it really the daemon of this repository? */
function isDaemonOf(pid: number, { directory }: Service): boolean {
  try {
    readlinkSync(`/proc/${pid}/exe`);
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(directory);
  } catch {
    // It ended in between.
    return false;
  }
}

/** Whether there is a process of that id that has not ended. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A daemon whose parent did not wait for it is a zombie: as good as gone.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Why a daemon ended, out of what it has written since: what it said itself, else what Node said. */
function lastWords(path: string, begin: number): string | undefined {
  const text = readFileSync(path).subarray(begin).toString();
  const lines = text.split("\n").map((line) => line.trim());
  const own = lines.find((line) => /^(mdsd|csd): /.test(line));
  return (
    own?.replace(/^\w+: /, "") ??
    lines.find((line) => /\bError\b/.test(line)) ??
    lines.findLast((line) => line !== "")
  );
}
