import type { Command } from "commander";
import { withAdmin } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { statusLines } from "../../status-screen.js";

/** `stat`: the state of the cluster, once. */
export function defineStat(program: Command, invocation: Invocation): void {
  program
    .command("stat")
    .description("show the state of the cluster")
    .option("-n, --numeric-addrs", "addresses as numbers (they always are)")
    .option(
      "-b, --bootstrap <ip[:port]>",
      "a metadata server of the cluster (default: bs.list, DNS, the local network)",
    )
    .option("--json", "print JSON")
    .action(async (flags: { readonly json?: boolean; readonly bootstrap?: string }) => {
      const isSilent = flags.json === true;
      const status = await withAdmin(invocation, (admin) => admin.status(), {
        bootstrap: flags.bootstrap,
        isSilent,
      });
      if (isSilent) invocation.printJson(status);
      else invocation.printLines(statusLines(status));
    });
}
