import type { Command } from "commander";
import type { Invocation } from "../../invocation.js";
import { Lab } from "../../lab/lab.js";
import { unmountLab } from "../../lab/lab-mount.js";
import { LAB_DIRECTORY } from "../../lab/lab-plan.js";

/** `lab down`: stops the daemons; the data stay. */
export function defineLabDown(lab: Command, invocation: Invocation): void {
  lab
    .command("down")
    .description("stop the lab; its data stay")
    .option("--dir <dir>", "directory of the lab", LAB_DIRECTORY)
    .action(async ({ dir }: { readonly dir: string }) => {
      const found = await Lab.open(dir);
      const mountPoint = await unmountLab(found);
      if (mountPoint !== undefined) invocation.print(`${mountPoint} unmounted`);
      await found.stop((line) => invocation.print(line));
      invocation.print(`the lab in ${found.directory} is down`);
    });
}
