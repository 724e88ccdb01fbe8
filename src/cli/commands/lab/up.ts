import { relative } from "node:path";
import type { Command } from "commander";
import { errorLine } from "../../error-line.js";
import type { Invocation } from "../../invocation.js";
import { Lab } from "../../lab/lab.js";
import { waitHealthy } from "../../lab/lab-health.js";
import { LabLock } from "../../lab/lab-lock.js";
import { mountLab, unmountLab } from "../../lab/lab-mount.js";
import { LAB_DIRECTORY, LAB_SIZE_DEFAULT } from "../../lab/lab-plan.js";
import { superviseLab } from "../../lab/lab-supervisor.js";
import { parseCount } from "../../output.js";
import { Progress } from "../../progress.js";
import { PLAIN_VIEW, statLines } from "../../screen/view.js";

interface Flags {
  readonly mds?: number;
  readonly cs?: number;
  readonly dir: string;
  readonly detach?: boolean;
  readonly mount?: string;
}

/** `lab up`: makes the lab on first use, starts it, and stays until Ctrl-C. */
export function defineLabUp(lab: Command, invocation: Invocation): void {
  lab
    .command("up")
    .description("start the lab, and make it on first use; Ctrl-C stops it")
    .option("--mds <count>", `metadata servers (default: ${LAB_SIZE_DEFAULT.mdsCount})`, parseCount)
    .option("--cs <count>", `chunk servers (default: ${LAB_SIZE_DEFAULT.csCount})`, parseCount)
    .option("--dir <dir>", "directory of the lab", LAB_DIRECTORY)
    .option("--mount <dir>", "mount the cluster there too, if this user may")
    .option("--detach", "return when it is healthy, and leave it running")
    .action((flags: Flags) => up(invocation, flags));
}

async function up(invocation: Invocation, flags: Flags): Promise<void> {
  const stop = new AbortController();
  invocation.terminal.onStop(() => stop.abort());
  const lab = await Lab.plan(flags.dir, { mdsCount: flags.mds, csCount: flags.cs });
  const lock = await LabLock.take(lab.directory);
  let staysUp = false;
  try {
    await bringUp(invocation, lab, flags, stop.signal);
    if (flags.detach === true) {
      staysUp = true;
      invocation.print(`The lab runs on its own; stop it with: ${commandFor(flags, "down")}`);
      return;
    }
    invocation.print("Ctrl-C stops it; the data stay.");
    await superviseLab(lab, (line) => invocation.print(line), stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    if (!staysUp) await bringDown(invocation, lab);
    await lock.release();
  }
}

async function bringUp(invocation: Invocation, lab: Lab, flags: Flags, signal: AbortSignal): Promise<void> {
  const { mdsCount, csCount } = lab.size;
  const what = `a cluster of ${mdsCount} metadata servers and ${csCount} chunk servers in ${lab.directory}`;
  invocation.print(lab.isComplete ? `Starting ${what}` : `Making ${what}`);
  const progress = new Progress(invocation.terminal);
  const report = (line: string): void => {
    progress.clear();
    invocation.print(`  ${line}`);
  };
  await lab.start(report, signal);
  const status = await waitHealthy(
    lab,
    (line) => progress.show(`  waiting until it is healthy: ${line}`),
    signal,
  );
  progress.clear();
  invocation.printLines(["", ...statLines(status, PLAIN_VIEW), ""]);
  const mountPoint =
    flags.mount === undefined ? undefined : await mountIfPossible(invocation, lab, flags.mount);
  invocation.printLines(mountPoint === undefined ? hints(lab) : mountHints(lab, mountPoint));
}

/** A cluster that cannot be mounted here is one all the same. */
async function mountIfPossible(
  invocation: Invocation,
  lab: Lab,
  directory: string,
): Promise<string | undefined> {
  try {
    const mountPoint = await mountLab(lab, directory);
    invocation.printLines([`The cluster is mounted at ${shown(mountPoint)}`, ""]);
    return mountPoint;
  } catch (error) {
    invocation.printLines([`Not mounted at ${directory}: ${errorLine(error)}`, ""]);
    return undefined;
  }
}

async function bringDown(invocation: Invocation, lab: Lab): Promise<void> {
  invocation.print("\nStopping");
  const mountPoint = await unmountLab(lab);
  if (mountPoint !== undefined) invocation.print(`  ${shown(mountPoint)} unmounted`);
  await lab.stop((line) => invocation.print(`  ${line}`));
  invocation.print("The lab is down; its data are kept.");
}

function mountHints(lab: Lab, mountPoint: string): string[] {
  const program = programPath();
  return [
    "In another terminal:",
    `  export PSTORAGE_ROOT=${lab.root(1)} PSTORAGE_NAME=${lab.clusterName}`,
    `  cp -r docs ${shown(mountPoint)}/ && ls -l ${shown(mountPoint)}/docs`,
    `  df -h ${shown(mountPoint)}`,
    `  ${program} get-attr ${shown(mountPoint)}/docs`,
    `  ${program} stat`,
    "Kill a daemon with kill -9 while you write, and look at stat; the process ids:",
    `  ${program} lab status --dir ${shown(lab.directory)}`,
    "",
  ];
}

/** What to try next: lines that can be pasted into another terminal. */
function hints(lab: Lab): string[] {
  const program = programPath();
  return [
    "In another terminal:",
    `  export PSTORAGE_ROOT=${lab.root(1)} PSTORAGE_NAME=${lab.clusterName}`,
    `  ${program} fs put -r docs /docs`,
    `  ${program} fs ls /docs`,
    `  ${program} fs cat /docs/README.md`,
    `  ${program} stat`,
    `  ${program} get-event -n 5`,
    "Kill a daemon with kill -9 and look at stat again; the process ids:",
    `  ${program} lab status --dir ${shown(lab.directory)}`,
    "",
  ];
}

function commandFor({ dir }: Flags, verb: string): string {
  return `${programPath()} lab ${verb} --dir ${shown(dir)}`;
}

/** The program as it was called, so that the line can be pasted. */
function programPath(): string {
  return shown(process.argv[1] ?? "pstorage");
}

function shown(path: string): string {
  const near = relative(process.cwd(), path);
  return near !== "" && !near.startsWith("..") ? near : path;
}
