import { configNumber } from "./cluster-config.js";
import type { Change, Outcome, SetCsMaintenance } from "./command.js";
import { type Context, done, fail, recordEvent } from "./context.js";
import type { CsRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * A chunk server that was stopped in order is in maintenance until it registers again, for `mds.wd.maintenance_tout` at most:
 * it will be back, so nothing is replicated for it alone (`repair-plan.ts`). Whether it is active, inactive or offline is not changed
 * by that, nor what its chunks still count; whoever is being released or has failed is not waited for either.
 */
export function setCsMaintenance(context: Context, body: SetCsMaintenance): Outcome {
  const { tables } = context;
  const server = tables.chunkServers.get(body.csId);
  if (server === undefined || server.administration === "dropped") return fail("not_found");
  // Its successor is here, or was.
  if (server.incarnation !== body.incarnation) return fail("refused", "another process serves now");
  if (body.isInMaintenance === (server.maintenanceSinceMs !== undefined)) return done();
  const limitMs = configNumber(tables, "mds.wd.maintenance_tout");
  // Nobody waits for those anyway.
  if (body.isInMaintenance && (limitMs === 0 || server.administration !== "normal")) return done();
  const maintenanceSinceMs = body.isInMaintenance ? context.stampMs : undefined;
  tables.chunkServers.put({ ...server, maintenanceSinceMs }, body.csId);
  tell(context, server, limitMs / 1000, body.isInMaintenance);
  context.effects.push({ type: "chunkServersChanged" });
  return done();
}

function tell(context: Context, { csId, activity }: CsRecord, seconds: number, isBegun: boolean): void {
  const name = `CS#${csId}`;
  if (isBegun) {
    const message = `${name} was stopped and is in maintenance for ${seconds} sec at most`;
    recordEvent(context, { system: "CS", severity: "info", message });
    return;
  }
  const wasAway = activity !== "active";
  const why = wasAway ? "it has not come back in time" : "it was never away";
  const message = `${name} is not in maintenance any more: ${why}`;
  recordEvent(context, { system: "CS", severity: wasAway ? "warn" : "info", message });
}

/** It was stopped in order, is away, and nothing else stands against waiting for it. */
export function isInMaintenance(server: CsRecord | undefined): boolean {
  if (server?.maintenanceSinceMs === undefined) return false;
  return server.activity !== "active" && server.administration === "normal";
}

/** Maintenances whose time is over, as told by the leader's wall clock. A shorter time is in force at once. */
export function overdueMaintenances(
  tables: Pick<Tables, "chunkServers" | "config">,
  wallMs: number,
): Change[] {
  const limitMs = configNumber(tables, "mds.wd.maintenance_tout");
  const changes: Change[] = [];
  for (const { csId, incarnation, maintenanceSinceMs, administration } of tables.chunkServers.values()) {
    if (maintenanceSinceMs === undefined || administration === "dropped") continue;
    if (wallMs - maintenanceSinceMs < limitMs) continue;
    changes.push({ type: "setCsMaintenance", body: { csId, incarnation, isInMaintenance: false } });
  }
  return changes;
}
