import { assert, storageError } from "../base/index.js";
import type { Disk } from "../io/index.js";
import { type RaftId, raftId } from "../raft/index.js";
import { epochAt, mdsIdIn } from "./core/epochs.js";
import type { ClusterRecord, CounterRecord } from "./core/records.js";
import {
  createMdsRepository,
  loadMdsIdentity,
  type MdsIdentity,
  refuseExisting,
  replaceIdentity,
  saveRecovery,
} from "./repository.js";
import { LevelTables } from "./store/level-tables.js";
import { RaftLogStore } from "./store/raft-log.js";
import { currentGeneration, writeGeneration } from "./store/state-generations.js";
import { decodeSnapshot } from "./store/state-snapshot.js";

/**
 * Repositories out of which a new group of one begins, while no daemon runs: from a backup, or from what one survivor of a group
 * without majority has. What the new group does about the lost time is in `core/epochs.ts`.
 */

/** What the metadata say of the cluster, as far as it is needed to begin anew. */
export interface KnownCluster {
  readonly cluster: ClusterRecord;
  readonly counters: CounterRecord;
  readonly voters: readonly { readonly id: number; readonly address: string }[];
  /** The last entry of the log that there is. */
  readonly last: { readonly index: number; readonly term: number };
}

/** The one member of the new group. */
export interface NewMember {
  readonly hostId: string;
  /** `IP:PORT`, the lower port. */
  readonly address: string;
  /** What the metadata are recovered from, for people. */
  readonly source: string;
  /** Of the recovery. */
  readonly wallMs: number;
}

/**
 * Writes the state of a backup into a directory that is empty or missing. It is no repository before `beginFromBackup`: if anything
 * fails the caller removes it.
 */
export async function loadBackup(
  disk: Disk,
  directory: string,
  place: { readonly index: number; readonly term: number },
  snapshot: AsyncIterable<Uint8Array>,
): Promise<KnownCluster> {
  await refuseExisting(disk, directory);
  await disk.makeDirectory(directory, "mds.repository.create", 0o700);
  const kv = await disk.openKv(`${directory}/state`, "mds.state.open");
  try {
    const generation = currentGeneration(kv);
    await writeGeneration(kv, generation, decodeSnapshot(snapshot, place));
    const { tables } = await LevelTables.load(kv, generation);
    return { ...knownOf(tables), last: place };
  } finally {
    await kv.close();
  }
}

/** Completes what `loadBackup` began: from now on it is the repository of a group of one. */
export async function beginFromBackup(
  disk: Disk,
  directory: string,
  known: KnownCluster,
  member: NewMember,
): Promise<MdsIdentity> {
  const { identity, epoch } = identityOf(known, member);
  const { index, term } = known.last;
  const kv = await disk.openKv(`${directory}/raft`, "mds.raft.open");
  try {
    await RaftLogStore.beginAfter(kv, { index, term }, raftId(identity.mdsId), identity.address);
  } finally {
    await kv.close();
  }
  await saveRecovery(disk, directory, { epoch, source: member.source });
  await createMdsRepository(disk, directory, identity, { isLoaded: true });
  return identity;
}

/** Looks at a repository whose daemon does not run. Fails with `log_corrupt` if what it promised is damaged. */
export async function readSurvivor(disk: Disk, directory: string): Promise<KnownCluster> {
  return await withSurvivor(disk, directory, async (known) => known);
}

/**
 * Makes a survivor the one member of a new group. Its whole log counts, also what it does not know to be committed: some of that may have been
 * acknowledged. It may be repeated.
 */
export async function beginFromSurvivor(
  disk: Disk,
  directory: string,
  member: Omit<NewMember, "address" | "hostId">,
): Promise<MdsIdentity> {
  const own = await loadMdsIdentity(disk, directory);
  return await withSurvivor(disk, directory, async (known, log) => {
    const { address, hostId } = own;
    const { identity, epoch } = identityOf(known, { ...member, address, hostId });
    await saveRecovery(disk, directory, { epoch, source: member.source });
    await log.beginAnew(raftId(identity.mdsId), address);
    await replaceIdentity(disk, directory, identity);
    return identity;
  });
}

async function withSurvivor<T>(
  disk: Disk,
  directory: string,
  work: (known: KnownCluster, log: RaftLogStore) => Promise<T>,
): Promise<T> {
  const state = await disk.openKv(`${directory}/state`, "mds.state.open");
  try {
    const { tables, applied } = await LevelTables.load(state, currentGeneration(state));
    const raft = await disk.openKv(`${directory}/raft`, "mds.raft.open");
    try {
      const log = await RaftLogStore.open(raft, applied.index);
      const index = log.lastIndex();
      const known = { ...knownOf(tables), last: { index, term: log.termAt(index) ?? 0 } };
      // The log is further than the tables; and only voters decide.
      const voters = log.history.latest.members.filter(({ role }) => role === "voter");
      return await work({ ...known, voters: voters.length === 0 ? known.voters : voters }, log);
    } finally {
      await raft.close();
    }
  } finally {
    await state.close();
  }
}

function knownOf(tables: LevelTables): Omit<KnownCluster, "last"> {
  const cluster = tables.cluster.get();
  const counters = tables.counters.get();
  if (cluster === undefined || counters === undefined) {
    throw storageError("malformed", "there is no cluster in these metadata");
  }
  const voters = Array.from(tables.mdsServers.values(), ({ mdsId: id, address }) => ({ id, address }));
  return { cluster, counters, voters };
}

function identityOf(
  { cluster, counters }: KnownCluster,
  { address, hostId, wallMs }: NewMember,
): { readonly identity: MdsIdentity; readonly epoch: number } {
  const epoch = epochAt(wallMs, cluster);
  const mdsId: RaftId = raftId(mdsIdIn(epoch, counters));
  const { clusterId, name: clusterName } = cluster;
  assert(clusterId !== "", "a cluster has an identity");
  return {
    epoch,
    identity: {
      formatVersion: 1,
      clusterId,
      clusterName,
      mdsId,
      hostId,
      address,
      isFirst: false,
      peers: [],
      epoch,
    },
  };
}
