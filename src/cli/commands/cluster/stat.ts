import type { Command } from "commander";
import { withAdmin } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { cut } from "../../screen/table.js";
import { statLines } from "../../screen/view.js";
import { toXml } from "../../screen/xml.js";
import { chooseScreen, defineScreenOptions, type ScreenFlags } from "../../screen-options.js";

interface StatFlags extends ScreenFlags {
  readonly verbose?: boolean;
  readonly xml?: boolean;
  readonly json?: boolean;
}

/** `stat`: the state of the cluster, once. On a terminal that is too narrow lines go on below; what scripts read is whole. */
export function defineStat(program: Command, invocation: Invocation): void {
  defineScreenOptions(program.command("stat").description("show the state of the cluster"))
    .option("-v, --verbose", "every state of chunks, space by tier")
    .option("-X, --xml", "print XML")
    .option("--json", "print JSON")
    .action(async (flags: StatFlags) => {
      const isSilent = flags.json === true || flags.xml === true;
      const choice = await chooseScreen(invocation, flags);
      const { bootstrap } = flags;
      const status = await withAdmin(invocation, (admin) => admin.status(), { bootstrap, isSilent });
      if (flags.json === true) return invocation.printJson(status);
      if (flags.xml === true) return invocation.print(toXml("cluster", status));
      await choice.prepare(status);
      const { settings, orders, show } = choice;
      const isVerbose = flags.verbose === true;
      const { thresholds } = settings;
      const width = invocation.terminal.outputWidth;
      const view = { thresholds, isVerbose, width, show, orders, columnSet: undefined };
      invocation.printLines(statLines(status, view).map((line) => cut(line, width)));
    });
}
