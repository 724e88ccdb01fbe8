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
      const countMax = flags.lines ?? Number.POSITIVE_INFINITY;
      const events = await withAdmin(invocation, (admin) => readEvents(admin, countMax), { isSilent });
      if (isSilent) invocation.printJson(events);
      else invocation.printLines(eventLines(events));
    });
}

/** The last ones, or all that are kept. The cluster gives the latest page first, and others by number. */
async function readEvents(admin: Admin, countMax: number): Promise<EventRecord[]> {
  const all = [...(await admin.getEvents({ after: 0, limit: Math.min(countMax, PAGE_COUNT) })).events];
  while (all.length < countMax) {
    const first = all[0]?.number ?? 0;
    if (first <= 2) break;
    const after = Math.max(1, first - 1 - PAGE_COUNT);
    const { events } = await admin.getEvents({ after, limit: PAGE_COUNT });
    const earlier = events.filter(({ number }) => number < first);
    if (earlier.length === 0) break;
    all.unshift(...earlier);
  }
  return all.slice(Math.max(0, all.length - countMax));
}

export function eventLines(events: readonly EventRecord[]): string[] {
  return formatTable(
    [{ title: "TIME" }, { title: "SYS" }, { title: "SEV" }, { title: "MESSAGE" }],
    events.map(({ wallMs, system, severity, message }) => [formatTime(wallMs), system, severity, message]),
  );
}
