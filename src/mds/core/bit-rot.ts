import type { CsId, ReportDamage, ScrubOrders } from "../../chunk/index.js";
import { configNumber } from "./cluster-config.js";
import type { EventRecordStored } from "./records.js";
import type { Tables } from "./tables.js";

/** What bytes that changed on a disk mean to the cluster: what chunk servers shall do about them, what people are told. */

const HOUR_MS = 3_600_000;
const MB = 2 ** 20;

/** How chunk servers shall read everything again, by `cs.scrub.*`. */
export function scrubOrders(tables: Pick<Tables, "config">): ScrubOrders {
  return {
    periodMs: configNumber(tables, "cs.scrub.period") * HOUR_MS,
    bytesPerSecond: configNumber(tables, "cs.scrub.rate") * MB,
  };
}

/** What the event log says about damage that a chunk server found. */
export function damageEvent(csId: CsId, report: ReportDamage): Omit<EventRecordStored, "number" | "wallMs"> {
  const { mendedCount, lostCount, replacedCount, chunkId, offset } = report;
  const facts: string[] = [];
  if (mendedCount > 0) facts.push(`${mendedCount} mended from other replicas`);
  if (replacedCount > 0) facts.push(`${replacedCount} in replicas that are replaced`);
  if (lostCount > 0) facts.push(`${lostCount} whole in no replica, which are kept in quarantine`);
  const count = mendedCount + lostCount + replacedCount;
  const what = count === 1 ? "a damaged block" : `${count} damaged blocks`;
  const where = `${count === 1 ? "in" : "the last in"} chunk ${chunkId} at byte ${offset}`;
  return {
    system: "CS",
    severity: lostCount > 0 ? "err" : "warn",
    message: `CS#${csId} has ${what} (${where}): ${facts.join(", ")}`,
  };
}
