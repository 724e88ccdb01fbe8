import type { ChunkId, CsId } from "../../chunk/index.js";
import { configNumber } from "./cluster-config.js";
import type { BeginEpoch, Outcome } from "./command.js";
import { type Context, done, fail, recordEvent } from "./context.js";
import type { ClusterRecord, CounterRecord, EpochRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * Recovery of the metadata: from a backup, or from what one member of a group without majority knew. The metadata go back in time,
 * the chunk servers do not. What keeps it safe:
 *
 * - Nothing is given out twice: counters jump over every number that the lost time can have used.
 * - The epoch grows: chunk servers that met it obey no older group, and its members are refused.
 * - No chunk is served before it is known what the servers have of it (`doubted-chunks.ts`), and no old session goes on.
 * - What only the lost time knew is kept for a while (`isOrphan`), and so are the chunk servers it added.
 */

/**
 * An epoch is a number of seconds, and so many ids are kept for each: more than can be given out. So also a group that is recovered twice
 * from the same backup never uses an id again.
 */
const IDS_PER_SECOND = 2 ** 20;
/** Servers are few, and their ids are typed by people. */
const SECONDS_PER_SERVER = 60;
const SERVERS_MIN = 1000;

/** Epoch 0: 2020-01-01, in milliseconds since 1970. */
const EPOCH_BEGIN_MS = 1_577_836_800_000;

/** The epoch of a recovery that happens now. */
export function epochAt(wallMs: number, cluster: Pick<ClusterRecord, "epoch">): number {
  return Math.max((cluster.epoch ?? 0) + 1, Math.floor((wallMs - EPOCH_BEGIN_MS) / 1000));
}

/** The id of the one member of the recovered group: greater than any that may have been given out. */
export function mdsIdIn(epoch: number, { mds }: Pick<CounterRecord, "mds">): number {
  return serverNumberIn(epoch, mds) + 1;
}

export function epochOf(tables: Pick<Tables, "cluster">): number {
  return tables.cluster.get()?.epoch ?? 0;
}

/** The recovery whose work is not done yet: until then nobody is served. */
export function unfinishedEpoch(tables: Pick<Tables, "cluster">): EpochRecord | undefined {
  const latest = tables.cluster.get()?.epochs.at(-1);
  return latest === undefined || latest.isReady ? undefined : latest;
}

/** The first command of a recovered group. Repeated it changes nothing. */
export function beginEpoch(context: Context, body: BeginEpoch): Outcome {
  const { tables, stampMs } = context;
  const cluster = tables.cluster.get();
  const counters = tables.counters.get();
  if (cluster === undefined || counters === undefined) return fail("refused", "there is no cluster");
  if ((cluster.epoch ?? 0) >= body.epoch) return done();
  const { epoch, mdsId, address, hostId, source } = body;
  const next = countersIn(epoch, counters);
  tables.counters.put({ ...next, mds: Math.max(next.mds, mdsId) });
  const record: EpochRecord = {
    epoch,
    wallMs: stampMs,
    source,
    chunkAfter: counters.chunk,
    chunkLast: next.chunk,
    csAfter: counters.cs,
    csLast: next.cs,
    isReady: false,
  };
  tables.cluster.put({ ...cluster, epoch, epochs: [...cluster.epochs, record] });
  for (const { mdsId: old } of [...tables.mdsServers.values()]) tables.mdsServers.delete(old);
  tables.mdsServers.put({ mdsId, address, hostId }, mdsId);
  // Processes that were taken in since the recovered moment are not known.
  for (const { run: _, ...server } of [...tables.chunkServers.values()]) {
    tables.chunkServers.put(server, server.csId);
  }
  const message = `The metadata were recovered from ${source}; MDS#${mdsId} (${address}) begins a new group`;
  recordEvent(context, { system: "MDS", severity: "warn", message });
  context.effects.push({ type: "mdsServersChanged" });
  return done();
}

/** Everything in doubt is marked, and old sessions are over. */
export function finishEpoch(context: Context, epoch: number): Outcome {
  const { tables } = context;
  const cluster = tables.cluster.get();
  if (cluster?.epoch !== epoch) return fail("conflict", "this is another epoch");
  const epochs = cluster.epochs.map((one) => (one.epoch === epoch ? { ...one, isReady: true } : one));
  tables.cluster.put({ ...cluster, epochs });
  return done();
}

/** The chunk is unknown, and may be of the time that a recovery lost: somebody may want to look at it. */
export function isOrphan(tables: Pick<Tables, "cluster" | "chunks">, chunkId: ChunkId): boolean {
  return tables.chunks.get(chunkId) === undefined && lostTimeOf(tables, chunkId) !== undefined;
}

/** Orphans are not kept any longer. */
export function isOrphanDue(
  tables: Pick<Tables, "cluster" | "config">,
  chunkId: ChunkId,
  nowMs: number,
): boolean {
  const epoch = lostTimeOf(tables, chunkId);
  return epoch !== undefined && nowMs >= epoch.wallMs + configNumber(tables, "mds.recovery.orphan_tout");
}

/** The chunk server is unknown, and may have been added in the time that a recovery lost. */
export function isLostServer(tables: Pick<Tables, "cluster">, csId: CsId): boolean {
  const epochs = tables.cluster.get()?.epochs ?? [];
  return epochs.some(({ csAfter, csLast }) => csId > csAfter && csId <= csLast);
}

/** The latest recovery after which that id cannot have been given out any more. */
function lostTimeOf({ cluster }: Pick<Tables, "cluster">, chunkId: ChunkId): EpochRecord | undefined {
  const epochs = cluster.get()?.epochs ?? [];
  return epochs.findLast(({ chunkAfter, chunkLast }) => chunkId > chunkAfter && chunkId <= chunkLast);
}

function countersIn(epoch: number, counters: CounterRecord): CounterRecord {
  const next = (count: number): number => Math.max(count + IDS_PER_SECOND, epoch * IDS_PER_SECOND);
  return {
    ...counters,
    inode: next(counters.inode),
    chunk: next(counters.chunk),
    session: next(counters.session),
    lease: next(counters.lease),
    cs: serverNumberIn(epoch, counters.cs),
    mds: serverNumberIn(epoch, counters.mds),
  };
}

function serverNumberIn(epoch: number, count: number): number {
  return Math.max(count + SERVERS_MIN, Math.floor(epoch / SECONDS_PER_SERVER));
}
