import type { Command } from "commander";
import type { Invocation } from "../../invocation.js";
import { defineLabDestroy } from "./destroy.js";
import { defineLabDown } from "./down.js";
import { defineLabStatus } from "./status.js";
import { defineLabUp } from "./up.js";

/** `lab ...`: a cluster on this machine to try things out. */
export function defineLabCommands(program: Command, invocation: Invocation): void {
  const lab = program.command("lab").description("a whole cluster on this machine, to try things out");
  for (const define of [defineLabUp, defineLabDown, defineLabStatus, defineLabDestroy])
    define(lab, invocation);
}
