import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import type { Cluster } from "../../../client/index.js";
import { DashboardServer, viewOfFile, Watcher } from "../../../dashboard/index.js";
import { hostAndPort } from "../../address.js";
import { openCluster } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";

const LISTEN = "127.0.0.1:2580";
const LOOK_MS = 2000;

/** `dashboard`: the state of the cluster as a web page, until Ctrl-C. */
export function defineDashboard(program: Command, invocation: Invocation): void {
  program
    .command("dashboard")
    .description(
      "show the state of the cluster as a web page, until Ctrl-C: health, space, servers, chunks, an hour of rates, clients, events. It only shows; who can reach the address sees it without a password",
    )
    .option("-l, --listen <ip:port>", "where the page is served", LISTEN)
    .action(async ({ listen }: { readonly listen: string }) => {
      const { host, port } = hostAndPort(listen);
      if (port < 1 || port > 65_535) throw storageError("invalid", `--listen ${listen}: the port is missing`);
      const cluster = await openCluster(invocation.host, invocation.clusterName);
      try {
        await serve(invocation, cluster, host, port);
      } finally {
        await cluster.close();
      }
    });
}

async function serve(invocation: Invocation, cluster: Cluster, host: string, port: number): Promise<void> {
  const stopped = new Promise<void>((resolve) => invocation.terminal.onStop(resolve));
  const watcher = new Watcher(cluster.admin, invocation.host.world.clock, LOOK_MS);
  const server = new DashboardServer({
    watcher,
    fileOf: async (path) => viewOfFile(cluster.admin, (await cluster.fileSystem.stat(path)).ino),
  });
  await server.listen(host, port).catch((error: NodeJS.ErrnoException) => {
    throw storageError(
      "invalid",
      `cannot listen at ${host}:${port}: ${error.code}; choose another place with --listen`,
    );
  });
  try {
    await watcher.start();
    invocation.print(
      `http://${host.includes(":") ? `[${host}]` : host}:${port}/ shows the cluster; Ctrl-C ends it`,
    );
    await stopped;
  } finally {
    await server.close();
    await watcher.close();
  }
}
