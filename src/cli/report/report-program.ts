import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { Command, CommanderError } from "commander";
import { storageError } from "../../base/index.js";
import { errorLine } from "../error-line.js";
import { machineHost } from "../host.js";
import { checkedClusterName } from "../host-files.js";
import { formatSize } from "../output.js";
import { collectReport } from "./collect-report.js";

/** It tells much about a host. */
const MODE = 0o600;

/** The command line of `pstorage-make-report`, ready to parse. */
export function reportCommand(name: string): Command {
  return new Command(name)
    .description(
      "Collects what somebody who helps wants to know of a cluster and of this host: state, events, settings, logs. No keys, no contents of files.",
    )
    .argument("<cluster>", "name of the cluster")
    .option("-f, --file <file>", "the archive to write (default: pstorage-report-CLUSTER-HOST.tgz)")
    .addHelpText("after", `\nExample:\n  ${name} -f /tmp/report.tgz stor1`)
    .helpOption("-h, --help", "show help")
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
}

/** `pstorage-make-report` and `vstorage-make-report`. */
export async function runReportProgram(): Promise<void> {
  const name = basename(process.argv[1] ?? "").replace(/\.js$/, "");
  const program = reportCommand(name);
  try {
    program.parse();
    const [clusterName = ""] = program.args;
    const { file } = program.opts<{ readonly file?: string }>();
    checkedClusterName(clusterName);
    const path = resolve(file ?? `pstorage-report-${clusterName}-${hostname()}.tgz`);
    await writeReport(clusterName, path);
    process.stdout.write(`${path}: ${formatSize((await stat(path)).size)}\n`);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    process.stderr.write(`${name}: ${errorLine(error)}\n`);
    process.exitCode = 1;
  }
}

/** There is either a whole archive at the path, or none. */
async function writeReport(clusterName: string, path: string): Promise<void> {
  const host = machineHost(process.env["PSTORAGE_ROOT"] ?? "/");
  const top = basename(path).replace(/\.(tgz|tar\.gz)$/, "");
  const directory = await mkdtemp(join(tmpdir(), "pstorage-report-"));
  const unfinished = `${path}.${process.pid}.tmp`;
  try {
    for (const { name, bytes } of await collectReport(host, clusterName)) {
      await mkdir(dirname(join(directory, top, name)), { recursive: true });
      await writeFile(join(directory, top, name), bytes);
    }
    // An empty file first: it tells whether it can be written, and nobody else may read it.
    await writeFile(unfinished, "", { mode: MODE }).catch((error: NodeJS.ErrnoException) => {
      throw storageError("invalid", `cannot write ${path}: ${error.code}; choose another file with -f`);
    });
    await promisify(execFile)("tar", ["-czf", unfinished, "-C", directory, top]);
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
    await rm(directory, { recursive: true, force: true });
  }
}
