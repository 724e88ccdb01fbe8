import type { Outcome } from "./command.js";
import { type Context, done, fail, nextNumber, recordEvent } from "./context.js";

/** Registers a further metadata server, and gives its id. Repeated from the same place it gives the same id. */
export function addMds(
  context: Context,
  { address, hostId }: { readonly address: string; readonly hostId: string },
): Outcome {
  const { tables } = context;
  for (const server of tables.mdsServers.values()) {
    if (server.address !== address) continue;
    if (server.hostId === hostId) return done(server.mdsId);
    return fail("exists", `${address} is the address of MDS#${server.mdsId}`);
  }
  const mdsId = nextNumber(context, "mds");
  tables.mdsServers.put({ mdsId, address, hostId }, mdsId);
  recordEvent(context, { system: "MDS", severity: "info", message: `MDS#${mdsId} (${address}) was added` });
  context.effects.push({ type: "mdsServersChanged" });
  return done(mdsId);
}

/** Forgets a metadata server. Whether the group stays able to decide is known to Raft, and checked before. */
export function removeMds(context: Context, { mdsId }: { readonly mdsId: number }): Outcome {
  const { tables } = context;
  const server = tables.mdsServers.get(mdsId);
  if (server === undefined) return fail("not_found", `there is no MDS#${mdsId}`);
  if (tables.mdsServers.size === 1) return fail("refused", "the last MDS cannot be removed");
  tables.mdsServers.delete(mdsId);
  const message = `MDS#${mdsId} (${server.address}) was removed`;
  recordEvent(context, { system: "MDS", severity: "info", message });
  context.effects.push({ type: "mdsServersChanged" });
  return done();
}
