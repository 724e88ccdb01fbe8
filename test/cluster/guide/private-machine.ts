import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CommandResult } from "../harness.js";
import { type Machine, noMachines } from "../ordeal/machines.js";
import { RUN_DIRECTORY } from "../run-directory.js";
import { CHECKOUT } from "./pages.js";

/**
 * What the first process of a machine does: whatever the machine writes goes to memory, above the files of this
 * one; it sees no process but its own. bash collects processes that nobody waits for.
 */
const INIT = `set -e
mount -t tmpfs tmpfs "$1"
cd "$1"
mkdir upper work root
mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root
cd root
test -e ".$2/package.json"
rm -rf etc/pstorage var/log/pstorage run/pstorage pstorage disks ssd backup
mkdir -p old_root
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc
pivot_root . old_root
cd /
umount -l old_root
hostname "$3"
echo up
while read -r _; do :; done`;

const NAMESPACES = ["--mount", "--pid", "--uts", "--fork", "--kill-child", "--propagation", "private"];

/** Why machines cannot have files of their own here; undefined: they can. */
export function noPrivateMachines(): string | undefined {
  const why = noMachines();
  if (why !== undefined) return why;
  const directory = join(RUN_DIRECTORY, "probe");
  mkdirSync(directory, { recursive: true });
  const probe = spawnSync("unshare", [
    ...NAMESPACES,
    "bash",
    "-c",
    INIT,
    "init",
    directory,
    CHECKOUT,
    "probe",
  ]);
  return probe.status === 0 ? undefined : `no overlay file systems in namespaces here (${probe.stderr})`;
}

/**
 * A machine with files, processes and a name of its own, besides its network: what a document says can be typed there as it
 * stands, with `/etc/pstorage` and all. The file system is this machine's until something is written.
 */
export class PrivateMachine {
  readonly address: string;
  readonly #init: ChildProcess;
  readonly #pid: number;

  private constructor(address: string, init: ChildProcess, pid: number) {
    this.address = address;
    this.#init = init;
    this.#pid = pid;
  }

  static async start(machine: Machine, name: string): Promise<PrivateMachine> {
    const init = spawn(
      "nsenter",
      [
        `--net=/run/netns/${machine.namespace}`,
        ...["unshare", ...NAMESPACES, "bash", "-c", INIT, "init", machine.root, CHECKOUT, name],
      ],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    await new Promise<void>((resolve, reject) => {
      init.stdout?.once("data", () => resolve());
      init.once("exit", () => reject(new Error(`${name} did not start`)));
    });
    const children = readFileSync(`/proc/${init.pid}/task/${init.pid}/children`, "utf8");
    return new PrivateMachine(machine.address, init, Number(children.trim()));
  }

  /** The beginning of a command line that runs the rest of it on this machine. */
  get enter(): readonly string[] {
    return ["nsenter", "-t", String(this.#pid), "--mount", "--pid", "--uts", "--net"];
  }

  /** Runs a line of bash there, without a terminal. */
  async run(line: string, input = ""): Promise<CommandResult> {
    const [program = "", ...args] = [...this.enter, "bash", "-c", line];
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
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

  /** All its processes are killed; what was in its files is gone. */
  async destroy(): Promise<void> {
    if (this.#init.exitCode !== null || this.#init.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#init.once("exit", resolve));
    process.kill(this.#pid, "SIGKILL");
    await ended;
  }
}
