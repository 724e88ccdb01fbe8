import { join } from "node:path";
import { toUtf8 } from "../src/base/index.js";
import type { CsId, ReplicaReport } from "../src/chunk/index.js";
import type { Clock } from "../src/io/index.js";
import { realWorld } from "../src/io/real/index.js";
import { chunkInstalled } from "../src/mds/core/chunk-commands.js";
import { addCs, registerCs } from "../src/mds/core/chunk-servers.js";
import { allocateChunk } from "../src/mds/core/chunks.js";
import type { Context } from "../src/mds/core/context.js";
import { inodeOf } from "../src/mds/core/inodes.js";
import { create } from "../src/mds/core/namespace-create.js";
import { LevelTables } from "../src/mds/store/level-tables.js";
import { currentGeneration } from "../src/mds/store/state-generations.js";
import { StateWriter } from "../src/mds/store/state-writer.js";
import {
  type InodeNumber,
  MODE_DIRECTORY,
  MODE_FILE,
  ROOT_INODE,
  type SessionId,
} from "../src/meta/index.js";
import { reportOf, TOY_SPACE } from "./toy-servers.js";

/** How the files lie: so many in each directory. */
export const IN_DIRECTORY = 1000;
/** The directory with all of them. */
export const GROWN = "grown";
const BATCH = 2000;
/** Nobody's: what is made has no answer that anybody would ask for. */
const NOBODY = 0 as SessionId;

export interface Growth {
  readonly files: number;
  /** How many of the files have a chunk with all its replicas. */
  readonly chunks: number;
  /** Chunk servers that are added, all on that host. */
  readonly servers: number;
  readonly hostId: string;
}

/**
 * Makes files and chunks in the metadata of a server that does not run, by the functions that carry out what clients ask for:
 * the repository is what it would be if clients had made them, but for the log, and it takes minutes instead of hours. Returns what the
 * chunk servers must have.
 */
export async function growState(
  repository: string,
  { files, chunks, servers, hostId }: Growth,
  progress: (done: number) => void,
): Promise<ReadonlyMap<CsId, readonly ReplicaReport[]>> {
  const { disk, clock } = realWorld();
  const kv = await disk.openKv(join(repository, "state"), "bench.state");
  try {
    const { tables, applied } = await LevelTables.load(kv, currentGeneration(kv));
    const writer = new StateWriter(kv, tables, applied, clock);
    const inventories = new Map<CsId, ReplicaReport[]>();
    for (let i = 0; i < servers; i++) inventories.set(addServer(tables, clock, hostId), []);
    const top = make(tables, clock, ROOT_INODE, GROWN, MODE_DIRECTORY | 0o755);
    let directory = top;
    for (let i = 0; i < files; i++) {
      if (i % IN_DIRECTORY === 0)
        directory = make(tables, clock, top, `d${i / IN_DIRECTORY}`, MODE_DIRECTORY | 0o755);
      const ino = make(tables, clock, directory, `f${i % IN_DIRECTORY}`, MODE_FILE | 0o644);
      if (i < chunks) addChunk(tables, clock, ino, inventories);
      if (i % BATCH > 0) continue;
      await writer.persist();
      progress(i);
    }
    await writer.persist();
    await writer.flush();
    return inventories;
  } finally {
    await kv.close();
  }
}

function make(
  tables: LevelTables,
  clock: Clock,
  parent: InodeNumber,
  name: string,
  mode: number,
): InodeNumber {
  const outcome = create(contextOf(tables, clock), NOBODY, {
    id: { sequence: 0, answeredBelow: 0, unanswered: [] },
    parent,
    name: toUtf8(name),
    mode,
    uid: 0,
    gid: 0,
    rdev: 0,
    target: new Uint8Array(0),
    mustBeNew: true,
  });
  if (outcome.type !== "reply" || outcome.reply.type !== "opened")
    throw new Error(`${name} could not be made: ${JSON.stringify(outcome)}`);
  return outcome.reply.body.attributes.ino;
}

function addServer(tables: LevelTables, clock: Clock, hostId: string): CsId {
  const place = { hostId, location: "0.0.0", tier: 0 };
  const added = addCs(contextOf(tables, clock), place);
  if (added.type !== "done") throw new Error(`no server was added: ${JSON.stringify(added)}`);
  const csId = added.value as CsId;
  const address = `127.0.0.1:${20_000 + csId}`;
  const process = { address, incarnation: 1, runs: ["first"], space: TOY_SPACE };
  registerCs(contextOf(tables, clock), { csId, ...place, ...process });
  return csId;
}

function addChunk(
  tables: LevelTables,
  clock: Clock,
  ino: InodeNumber,
  inventories: ReadonlyMap<CsId, ReplicaReport[]>,
): void {
  const context = contextOf(tables, clock);
  const outcome = allocateChunk(context, inodeOf(tables, ino), 0);
  const chunkId = tables.fileChunks.get(ino, 0);
  const record = chunkId === undefined ? undefined : tables.chunks.get(chunkId);
  if (record === undefined) throw new Error(`no chunk was made: ${JSON.stringify(outcome)}`);
  const { version, chain } = record;
  chunkInstalled(context, { chunkId: record.chunkId, version, highWaterBytes: 100_000 });
  for (const [position, { csId }] of chain.entries())
    inventories.get(csId)?.push(reportOf({ chunkId: record.chunkId, version }, position, false));
}

const contextOf = (tables: LevelTables, clock: Clock): Context => ({
  tables,
  stampMs: clock.wallMs(),
  effects: [],
});
