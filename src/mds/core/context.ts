import type { Failure, FailureCode } from "../../base/index.js";
import type { Outcome, WaitKey } from "./command.js";
import type { Effect } from "./effects.js";
import type { EventRecordStored } from "./records.js";
import type { Tables } from "./tables.js";

/** One application of one command: the tables, the leader's time, and what it calls for. */
export interface Context {
  readonly tables: Tables;
  readonly stampMs: number;
  readonly effects: Effect[];
}

export const done = (value = 0): Outcome => ({ type: "done", value });
export const wait = (key: WaitKey): Outcome => ({ type: "wait", key });
export const fail = (code: FailureCode, detail = ""): Outcome => ({
  type: "failure",
  failure: failure(code, detail),
});
export const failure = (code: FailureCode, detail = ""): Failure => ({ code, detail });

/** Appends to the event log; the oldest beyond `EVENTS_KEPT` go. */
export function recordEvent(context: Context, event: Omit<EventRecordStored, "number" | "wallMs">): void {
  const number = nextNumber(context, "event");
  context.tables.events.put({ ...event, number, wallMs: context.stampMs }, number);
  if (number > EVENTS_KEPT) context.tables.events.delete(number - EVENTS_KEPT);
}
export const EVENTS_KEPT = 10_000;

/** The next number of that kind; or the first of so many. */
export function nextNumber(
  context: Context,
  kind: "inode" | "chunk" | "session" | "lease" | "cs" | "mds" | "event",
  count = 1,
): number {
  const counters = context.tables.counters.get();
  if (counters === undefined) throw new Error("the cluster exists before numbers are given out");
  const first = counters[kind] + 1;
  context.tables.counters.put({ ...counters, [kind]: counters[kind] + count });
  return first;
}
