import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import type { RepairPreview } from "../../../meta/index.js";
import { withAdmin } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { formatTable } from "../../output.js";

/** `repair --dry-run`: what the cluster is about to do by itself. */
export function defineRepair(program: Command, invocation: Invocation): void {
  program
    .command("repair")
    .description(
      "show what the cluster is about to do about missing and misplaced replicas (it does so by itself)",
    )
    .option("--dry-run", "show it")
    .option("--json", "print JSON")
    .action(async (flags: { readonly dryRun?: boolean; readonly json?: boolean }) => {
      if (flags.dryRun !== true) {
        throw storageError(
          "invalid",
          "the cluster repairs by itself; repair --dry-run shows what it is about to do",
        );
      }
      const isJson = flags.json === true;
      const preview = await withAdmin(invocation, (admin) => admin.previewRepairs(), { isSilent: isJson });
      if (isJson) invocation.printJson(preview);
      else invocation.printLines(repairLines(preview));
    });
}

/** What would be done, and what keeps the rest from it. */
export function repairLines(preview: RepairPreview): string[] {
  const { steps, suppressed, delayedCount, homelessCount, isPartial } = preview;
  const servers = (ids: readonly number[]): string => ids.map((id) => `CS#${id}`).join(" ") || "-";
  const table = formatTable(
    [
      { title: "CHUNK", alignRight: true },
      ...["STATE", "ADD", "REMOVE", "REASON"].map((title) => ({ title })),
    ],
    steps.map(({ chunkId, state, add, remove, reason }) => [
      ...[String(chunkId), state, servers(add), servers(remove), reason],
    ]),
  );
  return [
    ...(steps.length === 0 ? ["nothing is to be done now"] : table),
    ...(suppressed === "" ? [] : [`replication is suppressed: ${suppressed}`]),
    ...(delayedCount === 0 ? [] : [`${delayedCount} more chunks wait for their turn (mds.repair.max_syncs)`]),
    ...(homelessCount === 0 ? [] : [`${homelessCount} chunks wait for a chunk server with room for them`]),
    ...(isPartial ? ["there are more chunks than were looked at"] : []),
  ];
}
