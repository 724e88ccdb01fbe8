import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import type { Invocation } from "../../invocation.js";
import { Lab } from "../../lab/lab.js";
import { unmountLab } from "../../lab/lab-mount.js";
import { LAB_DIRECTORY } from "../../lab/lab-plan.js";

/** `lab destroy`: stops the daemons and removes everything they kept. */
export function defineLabDestroy(lab: Command, invocation: Invocation): void {
  lab
    .command("destroy")
    .description("stop the lab and remove it with all its data")
    .option("--dir <dir>", "directory of the lab", LAB_DIRECTORY)
    .option("--yes", "do not ask")
    .action(async ({ dir, yes }: { readonly dir: string; readonly yes?: boolean }) => {
      const found = await Lab.open(dir);
      if (yes !== true) await requireConsent(invocation, found.directory);
      await unmountLab(found);
      await found.destroy((line) => invocation.print(line));
      invocation.print(`the lab in ${found.directory} is gone`);
    });
}

async function requireConsent({ terminal }: Invocation, directory: string): Promise<void> {
  const answer = await terminal.ask(`Remove the cluster in ${directory} and everything stored in it? [y/N] `);
  if (answer === undefined) throw storageError("invalid", "there is no terminal to ask; say --yes");
  if (!/^y(es)?$/i.test(answer.trim()))
    throw storageError("cancelled", "nothing was removed; y would have done it");
}
