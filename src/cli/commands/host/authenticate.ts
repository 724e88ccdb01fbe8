import type { Command } from "commander";
import { parseList } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { readPassword } from "../../password.js";
import { authenticateHost } from "../../setup/authenticate-host.js";

interface Flags {
  readonly bootstrap?: string;
  readonly P?: boolean;
}

/** `auth-node`: once for a host, whatever roles it takes later. */
export function defineAuthNode(program: Command, invocation: Invocation): void {
  program
    .command("auth-node")
    .description("authenticate this host by the cluster password; once, whatever it becomes later")
    .option(
      "-b, --bootstrap <ip[:port]>",
      "a metadata server of the cluster (default: bs.list, DNS, the local network)",
    )
    .option("-P", "read the password from standard input instead of asking for it")
    .action(async (flags: Flags) => {
      const { clusterName } = invocation;
      const bootstrap = parseList(flags.bootstrap) ?? [];
      const password = await readPassword(invocation.terminal, { fromInput: flags.P === true, isNew: false });
      const credential = await authenticateHost(invocation.host, { clusterName, password, bootstrap });
      if (!invocation.isQuiet)
        invocation.print(`host ${credential.hostId} is authenticated for cluster ${clusterName}`);
    });
}
