import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CommandResult } from "../harness.js";
import { RUN_DIRECTORY } from "../run-directory.js";

const CHECKOUT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
/** By it the guard of the run knows what to remove. */
const PREFIX = basename(RUN_DIRECTORY);
let networks = 0;

/** Why there can be no network namespaces here; undefined: there can. */
export function noMachines(): string | undefined {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const probe = `${PREFIX}-probe`;
  if (spawnSync("ip", ["netns", "add", probe]).status !== 0)
    return "no network namespaces here (ip netns add failed)";
  spawnSync("ip", ["netns", "del", probe]);
  return undefined;
}

/**
 * Machines on one Ethernet segment: each a network namespace with its own address, its own loopback and its own
 * `PSTORAGE_ROOT`. Nothing leaves the segment. They share the file system, the processes and the clock.
 */
export class Machines {
  readonly list: readonly Machine[];
  readonly #switch: string;

  constructor(directory: string, count: number) {
    const number = ++networks;
    const name = (end: string): string => `${PREFIX}-${number}-${end}`;
    this.#switch = name("switch");
    ip("netns", "add", this.#switch);
    inNamespace(this.#switch, "ip", "link", "add", "segment", "type", "bridge");
    inNamespace(this.#switch, "ip", "link", "set", "segment", "up");
    this.list = Array.from({ length: count }, (_, index) => {
      const machine = new Machine(
        name(`${index + 1}`),
        `10.37.130.${index + 1}`,
        join(directory, `${index + 1}`),
      );
      ip("netns", "add", machine.namespace);
      const port = `port${index + 1}`;
      inNamespace(
        this.#switch,
        "ip",
        "link",
        "add",
        port,
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        machine.namespace,
      );
      inNamespace(this.#switch, "ip", "link", "set", port, "master", "segment", "up");
      inNamespace(machine.namespace, "ip", "link", "set", "lo", "up");
      inNamespace(machine.namespace, "ip", "addr", "add", `${machine.address}/24`, "dev", "eth0");
      inNamespace(machine.namespace, "ip", "link", "set", "eth0", "up");
      return machine;
    });
  }

  /** Pulls the cable of a machine, or plugs it in. */
  plug(machine: Machine, isPlugged: boolean): void {
    const port = `port${this.list.indexOf(machine) + 1}`;
    inNamespace(this.#switch, "ip", "link", "set", port, isPlugged ? "up" : "down");
  }

  /** Their processes must have ended. */
  remove(): void {
    for (const { namespace } of this.list) ip("netns", "del", namespace);
    ip("netns", "del", this.#switch);
  }
}

export class Machine {
  readonly namespace: string;
  /** IPv4. */
  readonly address: string;
  /** `PSTORAGE_ROOT`. */
  readonly root: string;

  constructor(namespace: string, address: string, root: string) {
    this.namespace = namespace;
    this.address = address;
    this.root = root;
    mkdirSync(root, { recursive: true });
  }

  /** Runs one of the programs in bin/, or any other program, on this machine; resolves when it has ended. */
  async run(program: string, args: readonly string[], input = ""): Promise<CommandResult> {
    const isOurs = program.startsWith("pstorage");
    const command = isOurs ? [process.execPath, join(CHECKOUT, "bin", `${program}.js`)] : [program];
    // Not `ip netns exec`: it would hide mounts that are made.
    const child = spawn("nsenter", [`--net=/run/netns/${this.namespace}`, ...command, ...args], {
      env: { ...process.env, PSTORAGE_ROOT: this.root },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let [output, errors] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    });
    return { status, output, errors };
  }
}

function ip(...args: string[]): void {
  command("ip", args);
}

function inNamespace(namespace: string, ...args: string[]): void {
  command("nsenter", [`--net=/run/netns/${namespace}`, ...args]);
}

function command(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
}
