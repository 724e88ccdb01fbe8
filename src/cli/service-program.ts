import { Command } from "commander";
import { errorLine } from "./error-line.js";
import { HostFiles, type ServiceKind } from "./host-files.js";
import {
  describeService,
  type LocalService,
  localServices,
  reloadService,
  selectServices,
  startService,
  stopService,
} from "./service-control.js";

/** Exit status of `status` when a daemon does not run, as init scripts have it. */
const NOT_RUNNING = 3;

/** `pstorage-mdsd` and `pstorage-csd`: the daemons of this host, all, of one cluster, or of one directory. */
export async function runServiceProgram(kind: ServiceKind): Promise<void> {
  try {
    await serviceCommand(kind).parseAsync();
  } catch (error) {
    process.stderr.write(`pstorage-${kind}d: ${errorLine(error)}\n`);
    process.exitCode = 1;
  }
}

/** The command line, ready to parse. */
export function serviceCommand(kind: ServiceKind): Command {
  const files = new HostFiles(process.env["PSTORAGE_ROOT"] ?? "/");
  const program = new Command(`pstorage-${kind}d`);
  program.description(`Starts and stops the ${kind.toUpperCase()} daemons of this host.`);
  const verb = (name: string, description: string, act: (service: LocalService) => Promise<string>): void => {
    program
      .command(`${name} [CLUSTER_OR_DIR]`)
      .description(description)
      .addHelpText("after", `\nExamples:\n  pstorage-${kind}d ${name}\n  pstorage-${kind}d ${name} stor1`)
      .action((selection: string | undefined) => forEachService(files, kind, selection, act));
  };
  const start = async (service: LocalService): Promise<string> =>
    (await startService(files, service)) ? "started" : "is running already";
  const stop = async (service: LocalService): Promise<string> =>
    (await stopService(files, service)) ? "stopped" : "was not running";
  verb("start", "start the daemons and wait until they serve", start);
  verb("stop", "stop the daemons in order", stop);
  verb("restart", "stop and start", async (service) => {
    await stop(service);
    await startService(files, { ...service, pid: undefined });
    return "restarted";
  });
  verb("reload", "open log files anew", async (service) => {
    reloadService(service);
    return "reloaded";
  });
  verb("status", "tell which daemons run; exit status 3 if one does not", async ({ pid }) => {
    if (pid === undefined) process.exitCode = NOT_RUNNING;
    return pid === undefined ? "is stopped" : `is running (pid ${pid})`;
  });
  return program;
}

async function forEachService(
  files: HostFiles,
  kind: ServiceKind,
  selection: string | undefined,
  act: (service: LocalService) => Promise<string>,
): Promise<void> {
  for (const service of selectServices(await localServices(files, kind), selection)) {
    try {
      process.stdout.write(`${describeService(service)} ${await act(service)}\n`);
    } catch (error) {
      process.stderr.write(`pstorage-${kind}d: ${errorLine(error)}\n`);
      process.exitCode = 1;
    }
  }
}
