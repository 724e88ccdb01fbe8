import type { Command } from "commander";
import { failureOf, storageError } from "../../../base/index.js";
import type { Admin } from "../../../client/index.js";
import type { ChunkServerRemoval } from "../../../meta/index.js";
import { withAdmin } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { parseId } from "../../output.js";
import { Progress } from "../../progress.js";
import { retireLocalService } from "../../service-control.js";
import { ownCredential } from "../../setup/own-credential.js";

interface Flags {
  readonly wait?: boolean;
  readonly force?: boolean;
  readonly cancel?: boolean;
}

const POLL_MS = 500;
/** What comes of faults that pass. */
const PASSING: readonly string[] = ["unavailable", "timed_out", "not_leader", "busy"];

/** `rm-cs`: empties a chunk server onto the others and then forgets it. */
export function defineRmCs(program: Command, invocation: Invocation): void {
  program
    .command("rm-cs <CSID...>")
    .description("release chunk servers: their data are copied elsewhere, then they are forgotten")
    .option("--wait", "wait until it is done")
    .option("-f, --force", "forget them at once, although data may be lost")
    .option("--cancel", "stop a release that is under way")
    .action(async (texts: readonly string[], flags: Flags) => {
      const ids = texts.map((text) => parseId("CS", text));
      if (flags.cancel === true && (flags.force === true || flags.wait === true)) {
        throw storageError("invalid", "--cancel goes with neither --wait nor --force");
      }
      await withAdmin(invocation, async (admin) => {
        for (const csId of ids) await removeOne(invocation, admin, csId, flags);
      });
    });
}

async function removeOne(invocation: Invocation, admin: Admin, csId: number, flags: Flags): Promise<void> {
  if (flags.cancel === true) {
    await admin.removeChunkServer({ csId, force: false, cancel: true });
    invocation.print(`CS#${csId} stays`);
    return;
  }
  const hostCount = await countBeside(invocation, admin, csId);
  invocation.print(`Removing CS#${csId} ...`);
  let removal = await admin.removeChunkServer({ csId, force: flags.force === true, cancel: false });
  if (flags.wait === true) removal = await waitForIt(invocation, admin, csId, removal);
  if (!removal.isDropped) {
    invocation.print(`${removal.remainingCount} chunks to go; stat shows when it is gone, --cancel stops it`);
    return;
  }
  invocation.print("done");
  const { clusterName } = invocation;
  const name = { kind: "cs", clusterName, id: csId } as const;
  const retired = await retireLocalService(invocation.host.files, name, hostCount);
  if (retired !== undefined) invocation.print(`its directory ${retired.directory} may be deleted`);
}

/** How many chunk servers this host has, if that one is among them; else 0. */
async function countBeside({ host, clusterName }: Invocation, admin: Admin, csId: number): Promise<number> {
  const { hostId } = await ownCredential(host, clusterName);
  const { chunkServers } = await admin.status();
  const own = chunkServers.filter((server) => server.hostId === hostId && server.status !== "dropped");
  return own.some((server) => server.csId === csId) ? own.length : 0;
}

async function waitForIt(
  invocation: Invocation,
  admin: Admin,
  csId: number,
  first: ChunkServerRemoval,
): Promise<ChunkServerRemoval> {
  const { clock } = invocation.host.world;
  const progress = new Progress(invocation.terminal);
  let removal = first;
  while (!removal.isDropped) {
    progress.show(`CS#${csId}: ${removal.remainingCount} chunks to go`);
    await clock.sleep("cli.rm-cs", POLL_MS);
    removal = (await askHowFar(admin, csId)) ?? removal;
  }
  progress.clear();
  return removal;
}

/** A release that is under way goes on. Undefined if nobody leads the cluster now: somebody will. */
export async function askHowFar(
  admin: Pick<Admin, "removeChunkServer">,
  csId: number,
): Promise<ChunkServerRemoval | undefined> {
  try {
    return await admin.removeChunkServer({ csId, force: false, cancel: false });
  } catch (error) {
    if (PASSING.includes(failureOf(error)?.code ?? "")) return undefined;
    throw error;
  }
}
