import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import type { CsScrub } from "../../../meta/index.js";
import { withAdmin } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { formatPercent, formatSize, formatTable, formatTime, parseId } from "../../output.js";

interface Flags {
  readonly cs?: string;
  readonly json?: boolean;
}

/** `scrub [start|status]`: reading everything again, to find what rotted on the disks. */
export function defineScrub(program: Command, invocation: Invocation): void {
  program
    .command("scrub [start|status]")
    .description("read all data again and mend what rotted on the disks; without a word: how far that is")
    .option("--cs <CSID>", "only this chunk server")
    .option("--json", "print JSON")
    .action(async (word: string | undefined, flags: Flags) => {
      if (word !== undefined && word !== "start" && word !== "status") {
        throw storageError("invalid", `"${word}" is neither start nor status; say one of them, or nothing`);
      }
      const csId = flags.cs === undefined ? 0 : parseId("CS", flags.cs);
      if (word === "start") await start(invocation, csId, flags.json === true);
      else await show(invocation, csId, flags.json === true);
    });
}

async function start(invocation: Invocation, csId: number, isJson: boolean): Promise<void> {
  const begun = await withAdmin(invocation, (admin) => admin.beginScrub({ csId }), { isSilent: isJson });
  if (isJson) invocation.printJson(begun);
  else for (const id of begun.csIds) invocation.print(`CS#${id} reads everything again`);
  for (const id of begun.silentCsIds) invocation.complain(`CS#${id} does not answer`);
}

async function show(invocation: Invocation, csId: number, isJson: boolean): Promise<void> {
  const status = await withAdmin(invocation, (admin) => admin.scrubStatus(), { isSilent: isJson });
  const servers = status.chunkServers.filter((server) => csId === 0 || server.csId === csId);
  if (csId !== 0 && servers.length === 0)
    throw storageError("not_found", `there is no CS#${csId}; stat shows those that there are`);
  if (isJson) invocation.printJson(servers);
  else invocation.printLines(scrubLines(servers));
}

/** One line for each chunk server. */
export function scrubLines(servers: readonly CsScrub[]): string[] {
  const time = (wallMs: number): string => (wallMs === 0 ? "never" : formatTime(wallMs));
  return formatTable(
    [
      { title: "CSID", alignRight: true },
      { title: "STATUS" },
      { title: "SCRUB" },
      { title: "BEGAN" },
      { title: "ENDED" },
      { title: "CHECKED", alignRight: true },
      { title: "DAMAGED", alignRight: true },
      { title: "QUARANTINED", alignRight: true },
    ],
    servers.map((server) => {
      const { csId, status, isKnown, isRunning, beganMs, endedMs, checkedBytes, totalBytes } = server;
      if (!isKnown) return [String(csId), status, "unknown", "-", "-", "-", "-", "-"];
      const part = Math.min(checkedBytes, totalBytes);
      const word = isRunning ? formatPercent(part, totalBytes) : "idle";
      const numbers = [server.damagedCount, server.quarantinedCount].map(String);
      return [
        ...[String(csId), status, word, time(beganMs), time(endedMs), formatSize(checkedBytes)],
        ...numbers,
      ];
    }),
  );
}
