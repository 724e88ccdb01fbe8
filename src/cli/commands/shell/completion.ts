import { Argument, type Command } from "commander";
import type { Invocation } from "../../invocation.js";
import { completionScript, SHELLS, type Shell } from "../../manual/completion.js";

/** `completion`: a script for the shell. */
export function defineCompletion(program: Command, invocation: Invocation): void {
  program
    .command("completion")
    .description("print a script that completes commands and options on the TAB key")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .action((shell: Shell) => invocation.print(completionScript(program, shell).trimEnd()));
}
