import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { composeCommand, run, type Said } from "./engine.js";

/** Ten programs start at once on what may be a small machine. */
const HEALTHY_MS = 600_000;
const LOOK_MS = 1000;

/** The services of docker-compose.yml as one project of its own, by the commands that people type. */
export class ComposedCluster {
  readonly #project: string;
  readonly #env: Readonly<Record<string, string>>;

  constructor(project: string, env: Readonly<Record<string, string>>) {
    this.#project = project;
    this.#env = env;
  }

  /** Throws what compose said if it failed. */
  async compose(...args: readonly string[]): Promise<string> {
    const command = [...(composeCommand() ?? []), "-p", this.#project, ...args];
    return succeeded(command, await run(command, { env: this.#env })).toString();
  }

  async docker(...args: readonly string[]): Promise<string> {
    return succeeded(["docker", ...args], await run(["docker", ...args])).toString();
  }

  async services(): Promise<string[]> {
    return (await this.compose("config", "--services")).trim().split("\n");
  }

  /** The id of the service's container, running or not. */
  async container(service: string): Promise<string> {
    const label = `label=com.docker.compose.service=${service}`;
    const project = `label=com.docker.compose.project=${this.#project}`;
    return (await this.docker("ps", "-aq", "--filter", label, "--filter", project)).trim();
  }

  async inside(service: string, command: readonly string[], input?: Uint8Array): Promise<Buffer> {
    const line = ["docker", "exec", "-i", await this.container(service), ...command];
    return succeeded(line, await run(line, input === undefined ? {} : { input }));
  }

  async stat(service: string): Promise<string> {
    return (await this.inside(service, ["pstorage", "-q", "stat"])).toString();
  }

  /** Until every container says that it is healthy, and the cluster says so too. */
  async healthy(csCount: number): Promise<void> {
    const endMs = Date.now() + HEALTHY_MS;
    for (;;) {
      const ill = await this.#ill();
      const said = ill.length > 0 ? "" : await this.stat("client").catch((error: Error) => error.message);
      if (said.startsWith("Cluster 'compose': healthy") && said.includes(`(${csCount} avail`)) return;
      if (Date.now() > endMs) throw new Error(`not healthy: ${ill.join(", ")}\n${said}`);
      await sleep(LOOK_MS);
    }
  }

  /** Waits for the first line of stat to be another one. */
  async noticed(health: string): Promise<void> {
    const endMs = Date.now() + HEALTHY_MS;
    while (!(await this.stat("client").catch(() => "")).startsWith(`Cluster 'compose': ${health}`)) {
      if (Date.now() > endMs) throw new Error(`the cluster does not become ${health}`);
      await sleep(LOOK_MS);
    }
  }

  /** Writes the bytes by a program on the mount. */
  async write(path: string, bytes: Uint8Array): Promise<void> {
    await this.inside("client", ["sh", "-c", `cat > ${path} && sync ${path}`], bytes);
  }

  /** Throws unless a program on the mount reads exactly those bytes. */
  async expectBytes(path: string, bytes: Uint8Array): Promise<void> {
    const [sum] = (await this.inside("client", ["sha256sum", path])).toString().split(" ");
    if (sum !== createHash("sha256").update(bytes).digest("hex")) throw new Error(`${path} has other bytes`);
  }

  async #ill(): Promise<string[]> {
    const ill: string[] = [];
    for (const service of await this.services()) {
      const id = await this.container(service);
      const state = (await this.docker("inspect", "-f", "{{.State.Health.Status}}", id)).trim();
      if (state !== "healthy") ill.push(`${service} is ${state}`);
    }
    return ill;
  }
}

function succeeded(command: readonly string[], { status, output, errors }: Said): Buffer {
  if (status === 0) return output;
  throw new Error(`${command.join(" ")} ended with ${status}: ${errors || output.toString()}`);
}
