import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import type { ConfigEntry } from "../../../meta/index.js";
import { withAdmin } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { formatTable } from "../../output.js";

/** `get-config`: the settings of the cluster; with names, `NAME=VALUE` lines of those. */
export function defineGetConfig(program: Command, invocation: Invocation): void {
  program
    .command("get-config [NAME...]")
    .description("show the settings of the cluster")
    .option("--json", "print JSON")
    .action(async (names: readonly string[], flags: { readonly json?: boolean }) => {
      const isSilent = flags.json === true;
      const { entries } = await withAdmin(invocation, (admin) => admin.getConfig(), { isSilent });
      const chosen = names.length === 0 ? entries : names.map((name) => entryOf(entries, name));
      if (isSilent) invocation.printJson(chosen);
      else invocation.printLines(names.length === 0 ? configLines(chosen) : chosen.map(pairOf));
    });
}

/** As set-config takes it. */
export function pairOf({ name, value }: ConfigEntry): string {
  return `${name}=${value}`;
}

export function configLines(entries: readonly ConfigEntry[]): string[] {
  return formatTable(
    [
      { title: "NAME" },
      { title: "VALUE", alignRight: true },
      { title: "DEFAULT", alignRight: true },
      { title: "MEANING" },
    ],
    entries.map(({ name, value, defaultValue, description }) => [name, value, defaultValue, description]),
  );
}

function entryOf(entries: readonly ConfigEntry[], name: string): ConfigEntry {
  const entry = entries.find((known) => known.name === name);
  if (entry !== undefined) return entry;
  throw storageError("not_found", `there is no setting "${name}"; get-config lists them`);
}
