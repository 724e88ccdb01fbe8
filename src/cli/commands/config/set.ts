import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import type { SetConfig } from "../../../meta/index.js";
import { withAdmin } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { pairOf } from "./get.js";

/** `set-config`: changes settings of the cluster, for all its servers, at once. */
export function defineSetConfig(program: Command, invocation: Invocation): void {
  program
    .command("set-config <NAME=VALUE...>")
    .description("change settings of the cluster")
    .action(async (pairs: readonly string[]) => {
      const changes = pairs.map(parsePair);
      await withAdmin(invocation, async (admin) => {
        for (const change of changes) invocation.print(pairOf(await admin.setConfig(change)));
      });
    });
}

export function parsePair(pair: string): SetConfig {
  const [, name, value] = /^([A-Za-z0-9_.-]+)=(.*)$/s.exec(pair) ?? [];
  if (name === undefined || value === undefined)
    throw storageError("invalid", `"${pair}" is not NAME=VALUE; get-config shows the names`);
  return { name, value };
}
