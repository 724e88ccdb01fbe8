import type { Command } from "commander";
import type { Invocation } from "../../invocation.js";
import { Lab } from "../../lab/lab.js";
import { LAB_DIRECTORY } from "../../lab/lab-plan.js";
import { statusLines } from "../../status-screen.js";
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
    .action(async ({ dir }: { readonly dir: string }) => {
      const found = await Lab.open(dir);
      const services = await found.services();
      invocation.printLines(serviceLines(services));
      if (services.some(({ pid }) => pid === undefined)) invocation.exitStatus = NOT_RUNNING;
      if (!services.some(({ kind, pid }) => kind === "mds" && pid !== undefined)) return;
      invocation.printLines(["", ...statusLines(await found.status())]);
    });
}
