import { readdir, rm, rmdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { storageError } from "../../base/index.js";
import type { ClusterStatus } from "../../meta/index.js";
import { openAdmin } from "../cluster-access.js";
import { type Host, machineHost } from "../host.js";
import { HostFiles, type ServiceKind } from "../host-files.js";
import {
  killService,
  type LocalService,
  localServices,
  serviceName,
  startService,
  stopService,
} from "../service-control.js";
import { buildLab } from "./lab-builder.js";
import { type LabPlan, type LabSize, labPassword, loadPlan, planFor, savePlan } from "./lab-plan.js";

/** Gets a line for each thing that happens. */
export type Report = (line: string) => void;

/** A daemon of the lab and the host it runs on. */
export interface LabService extends LocalService {
  /** From 1. MDS i and CS i run on host i. */
  readonly host: number;
}

/**
 * A whole cluster on this machine, for trying out and for tests. Each of its hosts is a directory that serves as
 * `PSTORAGE_ROOT`; each daemon is a process of its own; everything is made with the functions behind the commands.
 *
 *     lab.json     the plan
 *     password     of the cluster, 0600
 *     hosts/N/     PSTORAGE_ROOT of host N, with the repositories mds/ and cs/
 */
export class Lab {
  readonly directory: string;
  #plan: LabPlan;

  private constructor(directory: string, plan: LabPlan) {
    this.directory = directory;
    this.#plan = plan;
  }

  /** The lab in that directory, planned there if there is none, grown if a greater size is asked for. */
  static async plan(directory: string, size: LabSize = {}): Promise<Lab> {
    const path = resolve(directory);
    const present = await loadPlan(path);
    if (present === undefined) await requireEmpty(path);
    const plan = await planFor(present, size);
    if (JSON.stringify(plan) !== JSON.stringify(present)) await savePlan(path, plan);
    return new Lab(path, plan);
  }

  /** The lab that is there. Throws `not_found`. */
  static async open(directory: string): Promise<Lab> {
    const path = resolve(directory);
    const plan = await loadPlan(path);
    if (plan === undefined)
      throw storageError("not_found", `there is no lab in ${path}; pstorage lab up makes one`);
    return new Lab(path, plan);
  }

  get size(): { readonly mdsCount: number; readonly csCount: number } {
    return this.#plan;
  }

  get clusterName(): string {
    return this.#plan.clusterName;
  }

  get mdsAddresses(): readonly string[] {
    return this.#plan.mdsAddresses;
  }

  /** False while it has not yet been made completely. */
  get isComplete(): boolean {
    return this.#plan.isComplete;
  }

  get hostCount(): number {
    return Math.max(this.#plan.mdsCount, this.#plan.csCount);
  }

  password(): Promise<string> {
    return labPassword(this.directory);
  }

  /** `PSTORAGE_ROOT` of a host, counted from 1. */
  root(host: number): string {
    return join(this.directory, "hosts", String(host));
  }

  host(host: number): Host {
    return machineHost(this.root(host));
  }

  /** What a command needs in its environment to run as if on that host. */
  env(host = 1): Readonly<Record<string, string>> {
    return { PSTORAGE_ROOT: this.root(host), PSTORAGE_NAME: this.clusterName };
  }

  /** The repository directory, whether it was made or not. */
  repository(kind: ServiceKind, host: number): string {
    return join(this.root(host), kind);
  }

  /** Every daemon there is, running or not: metadata servers first. */
  async services(): Promise<LabService[]> {
    const all: LabService[] = [];
    for (const kind of ["mds", "cs"] as const) {
      for (let host = 1; host <= this.hostCount; host++) {
        for (const service of await localServices(new HostFiles(this.root(host)), kind))
          all.push({ ...service, host });
      }
    }
    return all;
  }

  /** The daemon of that kind on that host. Throws `not_found`. */
  async service(kind: ServiceKind, host: number): Promise<LabService> {
    const found = (await this.services()).find((service) => service.kind === kind && service.host === host);
    if (found === undefined)
      throw storageError(
        "not_found",
        `host ${host} of the lab has no ${kind}; lab status shows what there is`,
      );
    return found;
  }

  /**
   * Starts every daemon, and makes what is missing of the plan. Resolves when each says that it serves; the cluster
   * may still be electing a leader.
   */
  async start(report: Report = ignore, signal?: AbortSignal): Promise<void> {
    await this.#startAll("mds", report);
    if (this.#plan.isComplete) await this.#startAll("cs", report);
    else await this.#complete(report, signal);
  }

  /** Stops every daemon in order: metadata servers first, so that nobody takes stopping for failing. */
  async stop(report: Report = ignore): Promise<void> {
    for (const kind of ["mds", "cs"] as const) {
      const running = (await this.services()).filter(
        (service) => service.kind === kind && service.pid !== undefined,
      );
      await Promise.all(
        running.map(async (service) => {
          await stopService(new HostFiles(this.root(service.host)), service);
          report(`${serviceName(service)} stopped`);
        }),
      );
    }
  }

  /** Starts one daemon; nothing happens if it runs. */
  async startOne(kind: ServiceKind, host: number): Promise<void> {
    await startService(new HostFiles(this.root(host)), await this.service(kind, host));
  }

  async stopOne(kind: ServiceKind, host: number): Promise<void> {
    await stopService(new HostFiles(this.root(host)), await this.service(kind, host));
  }

  /** Sends a signal, SIGKILL by default, and with SIGKILL waits until the process is gone. */
  async kill(kind: ServiceKind, host: number, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    await killService(await this.service(kind, host), signal);
  }

  /** What the leading MDS says. Fails if there is none within `timeoutMs`. */
  async status(timeoutMs = 10_000): Promise<ClusterStatus> {
    const admin = await openAdmin(this.host(1), this.clusterName, { timeoutMs });
    try {
      return admin.status;
    } finally {
      await admin.close();
    }
  }

  /** Stops everything and removes it. */
  async destroy(report: Report = ignore): Promise<void> {
    await this.stop(report);
    for (const entry of ["hosts", "password", "lab.lock", "lab.json"]) {
      await rm(join(this.directory, entry), { recursive: true, force: true });
    }
    // Not empty: somebody keeps things of his own there.
    await rmdir(this.directory).catch(() => undefined);
  }

  async #complete(report: Report, signal: AbortSignal | undefined): Promise<void> {
    await buildLab(this, report, signal);
    this.#plan = { ...this.#plan, isComplete: true };
    await savePlan(this.directory, this.#plan);
  }

  async #startAll(kind: ServiceKind, report: Report): Promise<void> {
    const idle = (await this.services()).filter(
      (service) => service.kind === kind && service.pid === undefined,
    );
    await Promise.all(
      idle.map(async (service) => {
        await startService(new HostFiles(this.root(service.host)), service);
        report(`${serviceName(service)} started`);
      }),
    );
  }
}

const ignore: Report = () => undefined;

async function requireEmpty(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException): string[] => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  if (!names.includes("hosts") && !names.includes("lost+found")) return;
  throw storageError(
    "exists",
    `${directory} holds something that is no lab of this version; choose another directory with --dir, or remove it`,
  );
}
