import type { CsId } from "../../chunk/index.js";
import { type Context, recordEvent } from "./context.js";

/** A releasing server that holds nothing any more is dropped: its id is banned for ever. */
export function dropServerIfDrained(context: Context, csId: CsId): boolean {
  const server = context.tables.chunkServers.get(csId);
  if (server?.administration !== "releasing") return false;
  if ((context.tables.csCounts.get(csId)?.chunkCount ?? 0) > 0) return false;
  dropServer(context, csId, "released");
  return true;
}

/** Drops it now, whatever it holds. Its chunks are left to the upkeep. */
export function dropServer(context: Context, csId: CsId, how: "released" | "forced"): void {
  const server = context.tables.chunkServers.get(csId);
  if (server === undefined || server.administration === "dropped") return;
  context.tables.chunkServers.put({ ...server, administration: "dropped", flags: "" }, csId);
  recordEvent(context, {
    system: "CS",
    severity: how === "forced" ? "warn" : "info",
    message:
      how === "forced"
        ? `CS#${csId} was removed from the cluster by force`
        : `CS#${csId} has no data any more and was removed from the cluster`,
  });
  context.effects.push({ type: "chunkServersChanged" });
}
