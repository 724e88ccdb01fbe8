import { rmSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Prng } from "../../src/base/index.js";
import type { ServiceKind } from "../../src/cli/host-files.js";
import { FaultyDisk } from "../cluster/ordeal/disk/faulty-disk.js";
import { type Machine, Machines } from "../cluster/ordeal/machines.js";

const CLUSTER = "chaos";
const PASSWORD = "four random words here";
const MDS_COUNT = 3;
const CS_COUNT = 5;
const MOUNTS = 2;
/** For one thing to come true, whatever else the machine does. */
const PATIENCE_MS = 300_000;

/** A daemon and what it stands on. */
export interface Server {
  readonly kind: ServiceKind;
  readonly machine: Machine;
  readonly repository: string;
  readonly disk: FaultyDisk;
}

export interface Health {
  readonly health: string;
  readonly chunkServers: readonly { readonly status: string }[];
  readonly mdsServers: readonly { readonly status: string; readonly isLeader?: boolean }[];
}

/**
 * A whole cluster made by its commands: machines in network namespaces of their own, every repository on a disk that can fail,
 * and two more machines that mount it. `close` must be called, whatever happens.
 */
export class Playground {
  readonly machines: Machines;
  readonly servers: Server[] = [];
  readonly mountPoints: string[] = [];
  readonly #directory: string;
  readonly #prng: Prng;

  constructor(directory: string, prng: Prng) {
    this.#directory = directory;
    this.#prng = prng;
    this.machines = new Machines(directory, CS_COUNT + MOUNTS);
  }

  async build(): Promise<void> {
    const [first] = this.machines.list;
    if (first === undefined) throw new Error("no machine");
    for (const [index, machine] of this.machines.list.entries()) {
      if (index > 0)
        await this.run(
          machine,
          "pstorage",
          ["-c", CLUSTER, "auth-node", "-b", first.address, "-P"],
          PASSWORD,
        );
      if (index < MDS_COUNT) {
        const make = index === 0 ? ["make-mds", "-I"] : ["make-mds"];
        await this.#make("mds", machine, [...make, "-a", machine.address], index === 0 ? ["-P"] : []);
      }
      if (index < CS_COUNT) await this.#make("cs", machine, ["make-cs"], []);
    }
    await this.run(first, "pstorage", ["-c", CLUSTER, "set-attr", "-p", "-R", "/", "replicas=3:2"]);
    for (const machine of this.machines.list.slice(CS_COUNT)) {
      const mountPoint = join(machine.root, "mnt");
      await mkdir(mountPoint);
      await this.run(machine, "pstorage-mount", ["-c", CLUSTER, mountPoint]);
      this.mountPoints.push(mountPoint);
    }
    await this.healthy();
  }

  /** Runs one of the programs on a machine; a status that is not 0 is an error. */
  async run(machine: Machine, program: string, args: readonly string[], input = ""): Promise<string> {
    const { status, output, errors } = await machine.run(program, args, input);
    if (status !== 0) throw new Error(`${machine.address}# ${program} ${args.join(" ")}: ${errors}`);
    return output;
  }

  async status(): Promise<Health | undefined> {
    for (const machine of this.machines.list.slice(0, MDS_COUNT)) {
      const { status, output } = await machine.run("pstorage", ["-c", CLUSTER, "stat", "--json"]);
      if (status === 0) return JSON.parse(output) as Health;
    }
    return undefined;
  }

  /** Resolves when all servers are there and the cluster says that it is healthy. */
  async healthy(): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = await this.status();
      const isWhole =
        found?.health === "healthy" &&
        found.chunkServers.filter(({ status }) => status === "active").length === CS_COUNT &&
        found.mdsServers.filter(({ status }) => status === "avail").length === MDS_COUNT;
      if (isWhole) return;
      if (Date.now() > end) throw new Error(`the cluster does not become healthy: ${JSON.stringify(found)}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** Undefined if it does not run. */
  async pid({ machine, repository }: Server): Promise<number | undefined> {
    const listed = await this.run(machine, "pstorage", ["list-services", "--json"]);
    const services = JSON.parse(listed) as { readonly directory: string; readonly pid?: number }[];
    return services.find(({ directory }) => directory === repository)?.pid ?? undefined;
  }

  async signal(server: Server, signal: NodeJS.Signals): Promise<void> {
    const pid = await this.pid(server);
    if (pid !== undefined) process.kill(pid, signal);
  }

  async start({ kind, machine, repository }: Server): Promise<void> {
    await this.run(machine, `pstorage-${kind}d`, ["start", repository]);
  }

  async close(): Promise<void> {
    for (const [index, mountPoint] of this.mountPoints.entries())
      await this.machines.list[CS_COUNT + index]?.run("umount", ["-f", "-l", mountPoint]);
    for (const server of this.servers) {
      await server.disk.suffer({}).catch(() => undefined);
      await this.signal(server, "SIGKILL").catch(() => undefined);
      await this.signal(server, "SIGCONT").catch(() => undefined);
    }
    for (const { disk } of this.servers) disk.remove();
    this.machines.remove();
    rmSync(this.#directory, { recursive: true, force: true, maxRetries: 5 });
  }

  async #make(kind: ServiceKind, machine: Machine, make: string[], more: string[]): Promise<void> {
    const mountPoint = join(machine.root, `${kind}-disk`);
    const disk = await FaultyDisk.mount(`${mountPoint}-below`, mountPoint, this.#prng.uint32());
    const repository = join(mountPoint, "repository");
    const server = { kind, machine, repository, disk };
    this.servers.push(server);
    const password = more.includes("-P") ? PASSWORD : "";
    await this.run(machine, "pstorage", ["-c", CLUSTER, ...make, "-r", repository, ...more], password);
    await this.start(server);
    await this.#has(kind);
  }

  /** The next metadata server is made when the last one is there. */
  async #has(kind: ServiceKind): Promise<void> {
    const wanted = this.servers.filter((server) => server.kind === kind).length;
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = await this.status();
      const list = kind === "mds" ? found?.mdsServers : found?.chunkServers;
      if (list?.filter(({ status }) => ["avail", "active"].includes(status)).length === wanted) return;
      if (Date.now() > end) throw new Error(`${wanted} ${kind} were expected: ${JSON.stringify(found)}`);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

/** The daemon's last words, for whoever looks for the reason of a failure. */
export async function complaints({ repository }: Server): Promise<string> {
  const read = (name: string): Promise<string> =>
    readFile(join(repository, "logs", name), "utf8").catch(() => "");
  const errors = (await read("log")).split("\n").filter((line) => /"level":"error"/.test(line));
  const deaths = (await read("fatal-log")).split("\n").filter((line) => line !== "");
  return [...errors.slice(-3), ...deaths.slice(-5)].join("\n");
}
