import { fromLatin1, fromUtf8 } from "../base/index.js";
import type { ChunkId } from "../chunk/index.js";
import { type InodeNumber, type RecoveryStatus, ROOT_INODE } from "../meta/index.js";
import { configNumber } from "./core/cluster-config.js";
import type { ChunkRecord } from "./core/records.js";
import type { Leadership } from "./leadership.js";

const PAGE = 1000;
const FILES_MAX = 100;
/** Directories with more names than that are not searched for the name of a file. */
const NAMES_MAX = 100_000;
const DEPTH_MAX = 256;

/** What the latest recovery of the metadata has left to do. Goes through all chunks that have too few replicas. */
export async function recoveryReport(leadership: Leadership): Promise<RecoveryStatus> {
  const { tables, recovered } = leadership;
  const latest = tables.cluster.get()?.epochs.at(-1);
  if (latest === undefined) return NEVER;
  const { doubtedCount, missing, missingCount } = await countDoubted(leadership);
  const missingFiles: string[] = [];
  for (const ino of missing) missingFiles.push(await pathOf(leadership, ino));
  return {
    epoch: latest.epoch,
    wallMs: latest.wallMs,
    source: latest.source,
    doubtedCount,
    awaitedServers: doubtedCount > 0 ? recovered.awaitedServers : [],
    missingCount,
    missingFiles,
    orphanCount: recovered.orphanCount,
    orphansUntilMs: latest.wallMs + configNumber(tables, "mds.recovery.orphan_tout"),
    isEveryoneHeard: recovered.isEveryoneHeard,
  };
}

const NEVER: RecoveryStatus = {
  epoch: 0,
  wallMs: 0,
  source: "",
  doubtedCount: 0,
  awaitedServers: [],
  missingCount: 0,
  missingFiles: [],
  orphanCount: 0,
  orphansUntilMs: 0,
  isEveryoneHeard: false,
};

interface Doubted {
  doubtedCount: number;
  missingCount: number;
  /** Files of missing chunks. */
  readonly missing: Set<InodeNumber>;
}

async function countDoubted({ store, tables, recovered }: Leadership): Promise<Doubted> {
  const found: Doubted = { doubtedCount: 0, missingCount: 0, missing: new Set() };
  const note = (record: ChunkRecord | undefined): void => {
    if (record?.doubt === undefined) return;
    found.doubtedCount += 1;
    if (recovered.isReported(record.chunkId)) return;
    found.missingCount += 1;
    if (found.missing.size < FILES_MAX) found.missing.add(record.ino);
  };
  let after: ChunkId | undefined;
  for (;;) {
    const page = await store.degradedPage(after, PAGE);
    for (const chunkId of page) note(tables.chunks.get(chunkId));
    after = page.at(-1);
    if (page.length < PAGE) return found;
  }
}

/** A path of the file, or its inode number where no name is found. */
async function pathOf(leadership: Leadership, file: InodeNumber): Promise<string> {
  const names: string[] = [];
  let ino = file;
  for (let depth = 0; depth < DEPTH_MAX && ino !== ROOT_INODE; depth++) {
    const parent = leadership.tables.inodes.get(ino)?.parent;
    const name = parent === undefined ? undefined : await nameIn(leadership, parent, ino);
    if (parent === undefined || name === undefined) return `inode ${file}`;
    names.unshift(name);
    ino = parent;
  }
  return `/${names.join("/")}`;
}

async function nameIn(
  { store }: Leadership,
  directory: InodeNumber,
  ino: InodeNumber,
): Promise<string | undefined> {
  let after = "";
  for (let count = 0; count < NAMES_MAX; count += PAGE) {
    const page = await store.directoryPage(directory, after, PAGE);
    const found = page.find(({ entry }) => entry.ino === ino);
    if (found !== undefined) return fromUtf8(fromLatin1(found.name));
    after = page.at(-1)?.name ?? after;
    if (page.length < PAGE) return undefined;
  }
  return undefined;
}
