import type { Command } from "commander";
import { failureOf } from "../../../base/index.js";
import type { Admin } from "../../../client/index.js";
import type { EventRecord } from "../../../meta/index.js";
import { withAdmin } from "../../cluster-access.js";
import { type EventFilter, isWanted, parseSeverity, parseSince, parseSystems } from "../../event-filter.js";
import type { Invocation } from "../../invocation.js";
import { formatTable, formatTime, parseCount } from "../../output.js";

interface EventFlags {
  readonly lines?: number;
  readonly severity?: string;
  readonly system?: string;
  readonly since?: string;
  readonly follow?: boolean;
  readonly json?: boolean;
  readonly bootstrap?: string;
}

/** Events asked for at a time. */
const PAGE_COUNT = 1000;
/** How often a follower asks for news. */
const FOLLOW_MS = 1000;
/** Nobody leads for so long: a follower says so, and asks again. */
const ANSWER_MS = 5000;

/** `get-event`: the event log, oldest first. */
export function defineGetEvent(program: Command, invocation: Invocation): void {
  program
    .command("get-event")
    .description("show the event log of the cluster")
    .option("-n, --lines <count>", "only the last ones", parseCount)
    .option("--severity <word>", "info, warn or err: those and worse ones")
    .option("--system <names>", "only of MDS, JRN (the replicated log), CS or CLN, separated by commas")
    .option("--since <when>", "30m, 2h, 1d ago, or YYYY-MM-DD HH:MM:SS")
    .option("-f, --follow", "go on with those that come, until Ctrl-C")
    .option(
      "-b, --bootstrap <ip[:port]>",
      "a metadata server of the cluster (default: bs.list, DNS, the local network)",
    )
    .option("--json", "print JSON; with --follow one object a line")
    .action(async (flags: EventFlags) => {
      const isSilent = flags.json === true;
      const filter = filterOf(flags, invocation.host.world.clock.wallMs());
      await withAdmin(invocation, (admin) => show(invocation, admin, flags, filter), {
        bootstrap: flags.bootstrap,
        isSilent,
      });
    });
}

function filterOf({ severity, system, since }: EventFlags, nowMs: number): EventFilter {
  return {
    severity: severity === undefined ? undefined : parseSeverity(severity),
    systems: system === undefined ? undefined : parseSystems(system),
    sinceMs: since === undefined ? undefined : parseSince(since, nowMs),
  };
}

async function show(
  invocation: Invocation,
  admin: Admin,
  { lines, follow, json }: EventFlags,
  filter: EventFilter,
): Promise<void> {
  const countMax = lines ?? Number.POSITIVE_INFINITY;
  const { events, last } = await readEvents(admin, countMax, filter);
  if (follow !== true) {
    if (json === true) invocation.printJson(events);
    else invocation.printLines(eventLines(events));
    return;
  }
  const print = (some: readonly EventRecord[], isFirst: boolean): void => {
    if (json === true) invocation.printLines(some.map((event) => JSON.stringify(event)));
    else invocation.printLines(eventLines(some).slice(isFirst ? 0 : 1));
  };
  print(events, true);
  await followEvents(invocation, admin, last, (news) => {
    print(
      news.filter((event) => isWanted(event, filter)),
      false,
    );
  });
}

/** The last ones that are wanted, or all that are kept. The cluster gives the latest page first, and others by number. */
async function readEvents(
  admin: Admin,
  countMax: number,
  filter: EventFilter,
): Promise<{ readonly events: readonly EventRecord[]; readonly last: number }> {
  const { events: latest } = await admin.getEvents({ after: 0, limit: PAGE_COUNT });
  const wanted = (some: readonly EventRecord[]): EventRecord[] =>
    some.filter((event) => isWanted(event, filter));
  const found = wanted(latest);
  let first = latest[0];
  while (found.length < countMax && first !== undefined && first.number > 2) {
    if (filter.sinceMs !== undefined && first.wallMs < filter.sinceMs) break;
    const { number } = first;
    const after = Math.max(1, number - 1 - PAGE_COUNT);
    const page = await admin.getEvents({ after, limit: PAGE_COUNT });
    const earlier = page.events.filter((event) => event.number < number);
    first = earlier[0];
    found.unshift(...wanted(earlier));
  }
  return {
    events: found.slice(Math.max(0, found.length - countMax)),
    last: latest.at(-1)?.number ?? 0,
  };
}

/** Tells what comes after that number, in order and each once, also from a new leader, until somebody stops it. */
async function followEvents(
  invocation: Invocation,
  admin: Admin,
  last: number,
  tell: (events: readonly EventRecord[]) => void,
): Promise<void> {
  const { clock } = invocation.host.world;
  const stop = new AbortController();
  invocation.terminal.onStop(() => stop.abort());
  let after = last;
  let isLost = false;
  while (!stop.signal.aborted) {
    try {
      const limits = { timeoutMs: ANSWER_MS, signal: stop.signal };
      const { events } = await admin.getEvents({ after: Math.max(1, after), limit: PAGE_COUNT }, limits);
      const news = events.filter(({ number }) => number > after);
      tell(news);
      after = news.at(-1)?.number ?? after;
      isLost = false;
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      if (!isLost && !stop.signal.aborted) {
        invocation.terminal.printError(`${invocation.terminal.programName}: waiting: ${failure.detail}\n`);
      }
      isLost = true;
    }
    await clock.sleep("cli.events", FOLLOW_MS, stop.signal);
  }
}

export function eventLines(events: readonly EventRecord[]): string[] {
  return formatTable(
    [{ title: "TIME" }, { title: "SYS" }, { title: "SEV " }, { title: "MESSAGE" }],
    events.map(({ wallMs, system, severity, message }) => [formatTime(wallMs), system, severity, message]),
  );
}
