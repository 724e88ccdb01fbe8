import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { defineGetAttr } from "./commands/attribute/get.js";
import { defineSetAttr } from "./commands/attribute/set.js";
import { defineChunkInfo } from "./commands/chunk/chunk-info.js";
import { defineFileInfo } from "./commands/chunk/file-info.js";
import { defineRepair } from "./commands/chunk/repair.js";
import { defineScrub } from "./commands/chunk/scrub.js";
import { defineVerify } from "./commands/chunk/verify.js";
import { defineBackup } from "./commands/cluster/backup.js";
import { defineDashboard } from "./commands/cluster/dashboard.js";
import { defineDiscover } from "./commands/cluster/discover.js";
import { defineGetEvent } from "./commands/cluster/get-event.js";
import { defineRecovery } from "./commands/cluster/recovery.js";
import { defineRestore } from "./commands/cluster/restore.js";
import { defineStat } from "./commands/cluster/stat.js";
import { defineTop } from "./commands/cluster/top.js";
import { defineViewLimits } from "./commands/cluster/view-limits.js";
import { defineGetConfig } from "./commands/config/get.js";
import { defineSetConfig } from "./commands/config/set.js";
import { defineMakeCs } from "./commands/cs/make.js";
import { defineRmCs } from "./commands/cs/remove.js";
import { defineFileCommands } from "./commands/file/index.js";
import { defineAdviseConfiguration } from "./commands/host/advise-configuration.js";
import { defineAuthNode } from "./commands/host/authenticate.js";
import { defineDoctor } from "./commands/host/doctor.js";
import { defineLabCommands } from "./commands/lab/index.js";
import { defineRevoke } from "./commands/lease/revoke.js";
import { defineMakeMds } from "./commands/mds/make.js";
import { defineRmMds } from "./commands/mds/remove.js";
import { defineInstallServices } from "./commands/service/install.js";
import { defineListServices } from "./commands/service/list.js";
import { defineCompletion } from "./commands/shell/completion.js";
import { errorLine } from "./error-line.js";
import { exampleText } from "./examples.js";
import { machineHost } from "./host.js";
import { installedPath } from "./installation.js";
import { type GlobalOptions, Invocation } from "./invocation.js";
import { refreshUnits } from "./services/install.js";
import type { Terminal } from "./terminal.js";

/** Every command of `pstorage`, in the order of the help text: setting up, looking, tuning, files, trying out. */
const COMMANDS: readonly ((program: Command, invocation: Invocation) => void)[] = [
  defineMakeMds,
  defineAuthNode,
  defineMakeCs,
  defineRmCs,
  defineRmMds,
  defineBackup,
  defineRestore,
  defineRecovery,
  defineDoctor,
  defineAdviseConfiguration,
  defineDiscover,
  defineListServices,
  defineInstallServices,
  defineStat,
  defineTop,
  defineGetEvent,
  defineViewLimits,
  defineDashboard,
  defineFileInfo,
  defineChunkInfo,
  defineVerify,
  defineScrub,
  defineRepair,
  defineGetAttr,
  defineSetAttr,
  defineGetConfig,
  defineSetConfig,
  defineRevoke,
  defineFileCommands,
  defineLabCommands,
  defineCompletion,
];

/** Commands after which this host may have other servers than before. */
const CHANGE_SERVICES = new Set(["make-mds", "make-cs", "rm-mds", "rm-cs", "restore"]);

/** Runs one command line and resolves with its exit status. Whatever fails is one line on standard error. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  const root = terminal.env["PSTORAGE_ROOT"] ?? "/";
  const invocation = new Invocation(machineHost(root), terminal);
  const program = makeProgram(invocation);
  try {
    await program.parseAsync([...args], { from: "user" });
    return invocation.exitStatus;
  } catch (error) {
    // Help is printed already: asked for, or because a command was missing.
    if (error instanceof CommanderError && (error.exitCode === 0 || error.code === "commander.help")) {
      return error.exitCode;
    }
    terminal.printError(`${terminal.programName}: ${errorLine(error)}\n`);
    return 1;
  }
}

/** The commands, ready to parse arguments. */
export function makeProgram(invocation: Invocation): Command {
  const { terminal } = invocation;
  const program = new Command(terminal.programName)
    .description("A replicated storage cluster: set it up, look at it, use it.")
    .option("-c, --cluster <name>", "name of the cluster (default: PSTORAGE_NAME)")
    .option("-q, --quiet", 'do not print "connected to MDS#N"')
    .version(ownVersion(), "-V, --version", "show the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help of a command")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.print(text.replace(/\n$/, "")),
      writeErr: (text) => terminal.printError(text),
      // What commander has to complain about is printed where failures are caught.
      outputError: () => undefined,
    });
  invocation.useOptions(() => program.opts<GlobalOptions>());
  for (const define of COMMANDS) define(program, invocation);
  program.hook("postAction", async (_, command) => {
    if (!CHANGE_SERVICES.has(command.name())) return;
    // What the command did is done; that systemd does not know of it is another thing.
    await refreshUnits(invocation.host.files).catch((error: unknown) => {
      invocation.complain(`the units of this host are as they were: ${errorLine(error)}`);
    });
  });
  for (const command of allCommands(program)) {
    command
      .exitOverride()
      .configureOutput(program.configureOutput())
      .helpOption("-h, --help", "show help")
      .addHelpText("after", exampleText(program.name(), command));
  }
  return program;
}

/** Of the package that this program is part of. */
function ownVersion(): string {
  const text = readFileSync(installedPath("package.json"), "utf8");
  return (JSON.parse(text) as { readonly version: string }).version;
}

/** Every command below, however deep. */
export function allCommands(command: Command): Command[] {
  return command.commands.flatMap((child) => [child, ...allCommands(child)]);
}
