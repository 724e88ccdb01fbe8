import type { Command } from "commander";
import { withFileSystem } from "../../cluster-access.js";
import { about } from "../../files/path-failure.js";
import type { Invocation } from "../../invocation.js";
import { SILENT } from "./silent.js";

/** `fs ln`. */
export function defineFileLink(fs: Command, invocation: Invocation): void {
  fs.command("ln <EXISTING> <NAME>")
    .description("give a file one more name, or with -s make a symbolic link")
    .option("-s, --symbolic", "make a symbolic link that says EXISTING, whatever is there")
    .action((existing: string, name: string, flags: { readonly symbolic?: boolean }) =>
      withFileSystem(
        invocation,
        async (files) => {
          await about(
            name,
            flags.symbolic === true ? files.symlink(existing, name) : files.link(existing, name),
          );
        },
        SILENT,
      ),
    );
}
