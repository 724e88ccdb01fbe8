import type { Command } from "commander";
import type { Invocation } from "../../invocation.js";
import { formatTable } from "../../output.js";
import { type LocalService, localServices } from "../../service-control.js";

interface Flags {
  readonly M?: boolean;
  readonly C?: boolean;
  readonly json?: boolean;
}

/** `list-services`: the repositories of this host. Scripts look for the path in its lines. */
export function defineListServices(program: Command, invocation: Invocation): void {
  program
    .command("list-services")
    .description("list the metadata and chunk servers of this host")
    .option("-M", "metadata servers only")
    .option("-C", "chunk servers only")
    .option("--json", "print JSON")
    .action(async (flags: Flags) => {
      const { files } = invocation.host;
      const services = [
        ...(flags.C === true && flags.M !== true ? [] : await localServices(files, "mds")),
        ...(flags.M === true && flags.C !== true ? [] : await localServices(files, "cs")),
      ];
      if (flags.json === true) invocation.printJson(services);
      else invocation.printLines(serviceLines(services));
    });
}

export function serviceLines(services: readonly LocalService[]): string[] {
  return formatTable(
    [
      { title: "TYPE" },
      { title: "ID", alignRight: true },
      { title: "STATUS" },
      { title: "PID", alignRight: true },
      { title: "CLUSTER" },
      { title: "PATH" },
    ],
    services.map(({ kind, id, pid, clusterName, directory }) => [
      kind.toUpperCase(),
      String(id),
      pid === undefined ? "stopped" : "running",
      pid === undefined ? "-" : String(pid),
      clusterName,
      directory,
    ]),
  );
}
