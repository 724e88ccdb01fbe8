import type { Command } from "commander";
import type { Invocation } from "../../invocation.js";
import { Lab } from "../../lab/lab.js";
import { LAB_DIRECTORY } from "../../lab/lab-plan.js";
import { PLAIN_VIEW, statLines } from "../../screen/view.js";
import { serviceLines } from "../service/list.js";

/** Exit status when a daemon does not run, as init scripts have it. */
const NOT_RUNNING = 3;

/** `lab status`: the daemons, and what the cluster says. */
export function defineLabStatus(lab: Command, invocation: Invocation): void {
  lab
    .command("status")
    .description(
      "show the daemons of the lab and the state of its cluster; exit status 3 if a daemon does not run",
    )
    .option("--dir <dir>", "directory of the lab", LAB_DIRECTORY)
    .option("--json", "print JSON")
    .action(async ({ dir, json }: { readonly dir: string; readonly json?: boolean }) => {
      const found = await Lab.open(dir);
      const services = await found.services();
      if (services.some(({ pid }) => pid === undefined)) invocation.exitStatus = NOT_RUNNING;
      const isAsked = services.some(({ kind, pid }) => kind === "mds" && pid !== undefined);
      if (json === true) {
        const status = isAsked ? await found.status() : undefined;
        return invocation.printJson({ services, status });
      }
      invocation.printLines(serviceLines(services));
      if (isAsked) invocation.printLines(["", ...statLines(await found.status(), PLAIN_VIEW)]);
    });
}
