import type { Command } from "commander";
import type { Admin } from "../../../client/index.js";
import type { EventRecord } from "../../../meta/index.js";
import { withAdmin } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { formatTable, formatTime, parseCount } from "../../output.js";

/** Events asked for at a time. */
const PAGE_COUNT = 1000;

/** `get-event`: the event log, oldest first. */
export function defineGetEvent(program: Command, invocation: Invocation): void {
  program
    .command("get-event")
    .description("show the event log of the cluster")
    .option("-n, --lines <count>", "only the last ones", parseCount)
    .option("--json", "print JSON")
    .action(async (flags: { readonly lines?: number; readonly json?: boolean }) => {
      const isSilent = flags.json === true;
      const all = await withAdmin(invocation, readEvents, { isSilent });
      const events = flags.lines === undefined ? all : all.slice(Math.max(0, all.length - flags.lines));
      if (isSilent) invocation.printJson(events);
      else invocation.printLines(eventLines(events));
    });
}

async function readEvents(admin: Admin): Promise<EventRecord[]> {
  const all: EventRecord[] = [];
  for (;;) {
    const { events } = await admin.getEvents({ after: all.at(-1)?.number ?? 0, limit: PAGE_COUNT });
    all.push(...events);
    if (events.length === 0) return all;
  }
}

export function eventLines(events: readonly EventRecord[]): string[] {
  return formatTable(
    [{ title: "TIME" }, { title: "SYS" }, { title: "SEV" }, { title: "MESSAGE" }],
    events.map(({ wallMs, system, severity, message }) => [formatTime(wallMs), system, severity, message]),
  );
}
