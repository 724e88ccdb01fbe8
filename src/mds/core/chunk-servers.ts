import { type CsId, type CsSpace, csId } from "../../chunk/index.js";
import { activeCount, chunkCountOn, putChunk } from "./chunk-index.js";
import { dropServer, dropServerIfDrained } from "./chunk-server-drop.js";
import { requestDeletion } from "./chunk-settle.js";
import { configNumber } from "./cluster-config.js";
import { watchHealth } from "./cluster-health.js";
import type { AddCs, AdoptReplicas, Outcome, RegisterCsChange, UpdateCs } from "./command.js";
import { type Context, done, fail, nextNumber, recordEvent } from "./context.js";
import { isInMaintenance } from "./cs-maintenance.js";
import { isLostServer } from "./epochs.js";
import type { CsActivity, CsRecord } from "./records.js";

/** The registry of chunk servers. Ids are never used twice; a dropped one is banned for ever. */

/** A new id, for a server that has never been here. It counts when it registers. */
export function addCs(context: Context, { hostId, location, tier }: AddCs): Outcome {
  const refusal = refusalOfPlace(location, tier);
  if (refusal !== undefined) return fail("invalid", refusal);
  return watchHealth(context, () => {
    const id = csId(nextNumber(context, "cs"));
    context.tables.chunkServers.put(newServer(id, { hostId, location, tier }, context.stampMs), id);
    recordEvent(context, { system: "CS", severity: "info", message: `CS#${id} was added on host ${hostId}` });
    context.effects.push({ type: "chunkServersChanged" });
    return done(id);
  });
}

/** A server has come, or come again. Reconnections of one process bear the same incarnation. */
export function registerCs(context: Context, body: RegisterCsChange): Outcome {
  const server = context.tables.chunkServers.get(body.csId) ?? serverOfLostTime(context, body);
  const name = `CS#${body.csId}`;
  if (server === undefined) return fail("not_found", `there is no ${name} in this cluster`);
  if (server.administration === "dropped") {
    return fail("refused", `${name} was removed from the cluster; wipe it and make a new one`);
  }
  if (server.hostId !== body.hostId) return fail("refused", `${name} belongs to another host`);
  if (body.incarnation < server.incarnation) return fail("refused", `${name} runs a second time`);
  if (isOfCopy(server, body.runs)) {
    return fail(
      "refused",
      `another copy of this repository has served as ${name} since: this one is older than the cluster's data; remove it and make a new chunk server`,
    );
  }
  const refusal = refusalOfPlace(body.location, body.tier);
  if (refusal !== undefined) return fail("invalid", refusal);
  return watchHealth(context, () => {
    recordRegistration(context, server, body);
    const { address, location, tier, incarnation, space, runs } = body;
    const run = runs.at(-1);
    const here = { address, location, tier, incarnation, run, maintenanceSinceMs: undefined };
    const seen = { ...server, ...here, ...quantized(space) };
    context.tables.chunkServers.put(withActivity(seen, "active", context.stampMs), body.csId);
    serversChanged(context);
    return done();
  });
}

/** The repository does not remember the process that was taken in last: it was restored from before that, or copied. */
function isOfCopy({ run }: CsRecord, runs: readonly string[]): boolean {
  return run !== undefined && !runs.includes(run);
}

/** Added in the time that a recovery of the metadata lost: it is what it says it is, if its certificate is of its host. */
function serverOfLostTime(
  { tables, stampMs }: Context,
  { csId: id, hostId, location, tier }: RegisterCsChange,
): CsRecord | undefined {
  return isLostServer(tables, id) ? newServer(id, { hostId, location, tier }, stampMs) : undefined;
}

/** What a heartbeat changed. A failure letter takes the server out of placement, until the letter is gone. */
export function updateCs(context: Context, body: UpdateCs): Outcome {
  const server = context.tables.chunkServers.get(body.csId);
  if (server === undefined || server.administration === "dropped") return fail("not_found");
  const administration = administrationAfter(server, body.flags);
  const { replicaCount, flags } = body;
  const next = { ...server, ...quantized(body.space), replicaCount, flags, administration };
  context.tables.chunkServers.put(next, body.csId);
  if (administration === "failed" && server.administration !== "failed") {
    const message = `CS#${body.csId} has reported hard error (flags ${flags}) and is not used for new data`;
    recordEvent(context, { system: "CS", severity: "warn", message });
  }
  if (administration !== server.administration) serversChanged(context);
  else if (next.freeBytes > server.freeBytes) wakeSpace(context);
  return done();
}

/** Whether a heartbeat says anything that the record does not. */
export function isNews(server: CsRecord, { space, replicaCount, flags }: Omit<UpdateCs, "csId">): boolean {
  const { totalBytes, freeBytes } = quantized(space);
  if (totalBytes !== server.totalBytes || freeBytes !== server.freeBytes || flags !== server.flags)
    return true;
  // The number of replicas is shown to operators only.
  return Math.abs(replicaCount - server.replicaCount) > server.replicaCount / 10;
}

/** Comes and goes, as the leader sees it. */
export function setCsActivity(
  context: Context,
  { csId: id, activity }: { readonly csId: CsId; readonly activity: CsActivity },
): Outcome {
  const server = context.tables.chunkServers.get(id);
  if (server === undefined || server.administration === "dropped") return fail("not_found");
  if (server.activity === activity) return done();
  return watchHealth(context, () => {
    context.tables.chunkServers.put(withActivity(server, activity, context.stampMs), id);
    recordActivity(context, server, activity);
    serversChanged(context);
    return done();
  });
}

/**
 * Begins to release a server, stops releasing it, or forgets it by force. The value is the number of chunks that still
 * have a replica there; 0: it is gone.
 */
export function removeCs(
  context: Context,
  { csId: id, force, cancel }: { readonly csId: CsId; readonly force: boolean; readonly cancel: boolean },
): Outcome {
  const { tables } = context;
  const server = tables.chunkServers.get(id);
  if (server === undefined) return fail("not_found", `there is no CS#${id}`);
  if (cancel) return cancelRelease(context, server);
  if (server.administration === "dropped") return done(0);
  if (force) {
    return watchHealth(context, () => {
      dropServer(context, id, "forced");
      return done(0);
    });
  }
  if (server.administration !== "releasing") {
    const refusal = refusalOfRelease(context, server);
    if (refusal !== undefined) return fail("refused", refusal);
    tables.chunkServers.put({ ...server, administration: "releasing" }, id);
    recordEvent(context, { system: "CS", severity: "info", message: `CS#${id} is being released` });
    serversChanged(context);
  }
  watchHealth(context, () => dropServerIfDrained(context, id));
  return done(chunkCountOn(tables, id));
}

/** Replicas that a server has and should not: to be deleted, at once or when there are others enough. */
export function adoptReplicas(context: Context, { csId: id, unknown }: AdoptReplicas): Outcome {
  const { tables } = context;
  for (const { chunkId, version } of unknown) {
    const record = tables.chunks.get(chunkId);
    if (record === undefined) {
      requestDeletion(context, id, { chunkId, version });
      continue;
    }
    const isHolder = [...record.chain, ...record.lost].some((holder) => holder.csId === id);
    if (isHolder || record.leftovers.includes(id)) continue;
    const isEnough = record.installed && activeCount(record) >= record.policy.replicas;
    if (isEnough) requestDeletion(context, id, record);
    else putChunk(context, { ...record, leftovers: [...record.leftovers, id] });
  }
  return done();
}

/** Free space rounded down to 1 GiB or 1 %, whichever is less, so that the log is not full of it. */
export function quantized({ totalBytes, freeBytes }: CsSpace): CsSpace {
  const unit = Math.max(1, Math.min(2 ** 30, Math.floor(totalBytes / 100)));
  return { totalBytes, freeBytes: Math.floor(freeBytes / unit) * unit };
}

function newServer(id: CsId, { hostId, location, tier }: AddCs, stampMs: number): CsRecord {
  return {
    csId: id,
    hostId,
    location,
    tier,
    address: "",
    incarnation: 0,
    activity: "inactive",
    activitySinceMs: stampMs,
    failedMs: 0,
    administration: "normal",
    totalBytes: 0,
    freeBytes: 0,
    replicaCount: 0,
    flags: "",
  };
}

/** Not `h`: single blocks that rotted are mended; placement prefers servers without it. */
const FAILURE_FLAGS = /[HSsRT]/;

function administrationAfter(server: CsRecord, flags: string): CsRecord["administration"] {
  if (server.administration === "normal" && FAILURE_FLAGS.test(flags)) return "failed";
  if (server.administration === "failed" && !FAILURE_FLAGS.test(flags)) return "normal";
  return server.administration;
}

function withActivity(server: CsRecord, activity: CsActivity, stampMs: number): CsRecord {
  if (server.activity === activity) return server;
  return { ...server, activity, activitySinceMs: stampMs };
}

function recordRegistration(context: Context, server: CsRecord, body: RegisterCsChange): void {
  const name = `CS#${body.csId}`;
  const log = (message: string): void => recordEvent(context, { system: "CS", severity: "info", message });
  if (server.incarnation === 0) log(`${name} registered for the first time at ${body.address}`);
  else if (isInMaintenance(server)) log(`${name} registered after maintenance`);
  else if (server.activity === "offline") log(`${name} registered from offline mode`);
  else if (server.activity === "inactive") log(`${name} registered and is active again`);
  if (server.location !== body.location) {
    log(`${name} moved from location ${server.location} to ${body.location}`);
  }
  if (server.tier !== body.tier) log(`${name} moved from tier ${server.tier} to ${body.tier}`);
}

function recordActivity(context: Context, server: CsRecord, activity: CsActivity): void {
  const id = server.csId;
  const tell = (message: string): void => recordEvent(context, { system: "CS", severity: "info", message });
  if (activity === "active") {
    tell(`CS#${id} is active again`);
    return;
  }
  if (isInMaintenance({ ...server, activity })) {
    tell(`CS#${id} is in maintenance and is marked as ${activity}`);
    return;
  }
  const name = activity === "offline" ? "mds.wd.offline_tout" : "mds.wd.inactive_tout";
  const seconds = configNumber(context.tables, name) / 1000;
  const message = `CS#${id} has not registered during the last ${seconds} sec and is marked as ${activity}`;
  recordEvent(context, { system: "CS", severity: "warn", message });
}

function cancelRelease(context: Context, server: CsRecord): Outcome {
  const { csId: id } = server;
  if (server.administration !== "releasing") return fail("refused", `CS#${id} is not being released`);
  context.tables.chunkServers.put({ ...server, administration: "normal" }, id);
  recordEvent(context, { system: "CS", severity: "info", message: `The release of CS#${id} was cancelled` });
  serversChanged(context);
  return done(chunkCountOn(context.tables, id));
}

/** Releasing loses nothing by itself; but it would never end if there were not servers enough for every chunk. */
function refusalOfRelease({ tables }: Context, { csId: id }: CsRecord): string | undefined {
  const needed = Math.max(0, ...[...tables.minimumCounts.values()].map((count) => count.replicasMinimum));
  let others = 0;
  for (const server of tables.chunkServers.values()) {
    const counts = server.administration === "normal" && server.activity !== "offline";
    if (counts && server.csId !== id) others += 1;
  }
  if (chunkCountOn(tables, id) === 0 || others >= needed) return undefined;
  return `there are chunks that need ${needed} servers, and without CS#${id} there would be ${others}`;
}

function refusalOfPlace(location: string, tier: number): string | undefined {
  if (!Number.isInteger(tier) || tier < 0 || tier > 3) return "the tier must be 0 to 3";
  if (!/^\d{1,5}\.\d{1,5}\.\d{1,5}$/.test(location)) return "a location is ROOM.ROW.RACK, three numbers";
  return undefined;
}

function serversChanged(context: Context): void {
  context.effects.push({ type: "chunkServersChanged" });
  wakeSpace(context);
}

function wakeSpace(context: Context): void {
  context.effects.push({ type: "wake", key: { type: "space" } });
}
