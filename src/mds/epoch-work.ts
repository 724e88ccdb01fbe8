import type { ChunkId } from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import type { Logger } from "../telemetry/index.js";
import { configNumber } from "./core/cluster-config.js";
import type { BeginEpoch } from "./core/command.js";
import { unfinishedEpoch } from "./core/epochs.js";
import type { Propose } from "./proposals.js";
import type { MetadataStore } from "./store/metadata-store.js";

const CHUNKS_PER_COMMAND = 1000;

export interface EpochWorld {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: MetadataStore;
  readonly propose: Propose;
  /** This node still leads in the same term. */
  readonly isStill: () => boolean;
}

/**
 * Begins the epoch after a recovery of the metadata, and does what has to be done before anybody is served: every chunk is put in
 * doubt, and every session of before is over, also by the clock of a client or chunk server that cannot be reached. It may be
 * begun again at any time, also by another leader.
 */
export async function completeRecovery(world: EpochWorld, begin: BeginEpoch | undefined): Promise<void> {
  const { clock, log, store, propose, isStill } = world;
  if (begin !== undefined) await propose({ type: "beginEpoch", body: begin });
  const recovery = unfinishedEpoch(store.tables);
  if (recovery === undefined) return;
  const beganMs = clock.monotonicMs();
  const { epoch, source } = recovery;
  log.warn("the metadata were recovered", { epoch, source });
  await doubtEverything(world);
  await endSessions(world);
  const leaseMs = Math.max(
    configNumber(store.tables, "mds.session.lease_tout"),
    configNumber(store.tables, "mds.wd.inactive_tout"),
  );
  await clock.sleep("mds.recovery.leases", Math.max(0, beganMs + leaseMs - clock.monotonicMs()));
  if (!isStill()) return;
  await propose({ type: "finishEpoch", body: { epoch } });
  log.info("the recovery of the metadata is complete", { epoch });
}

async function doubtEverything({ store, propose, isStill }: EpochWorld): Promise<void> {
  let after: ChunkId | undefined;
  while (isStill()) {
    const page = await store.chunksPage(after, CHUNKS_PER_COMMAND);
    const chunks = page.map(({ chunkId }) => chunkId);
    if (chunks.length > 0) await propose({ type: "doubtChunks", body: { chunks } });
    after = chunks.at(-1);
    if (chunks.length < CHUNKS_PER_COMMAND) return;
  }
}

async function endSessions({ store, propose, isStill }: EpochWorld): Promise<void> {
  const sessions = [...store.tables.sessions.values()].map(({ sessionId }) => sessionId);
  for (const sessionId of sessions) {
    while (isStill() && store.tables.sessions.get(sessionId) !== undefined) {
      await propose({ type: "endSession", body: { sessionId, reason: "the metadata were recovered" } });
    }
  }
}
