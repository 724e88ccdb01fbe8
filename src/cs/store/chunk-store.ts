import { failureOf, StorageError, storageError, toUtf8 } from "../../base/index.js";
import type { ChainMember, ChunkId, ChunkVersion } from "../../chunk/index.js";
import type { Disk, DiskSpace, Kv } from "../../io/index.js";
import { Bitmap } from "../core/bitmap.js";
import { hasCode } from "./chunk-file.js";
import { type CsIdentity, decodeIdentity } from "./identity.js";
import { OpenFiles } from "./open-files.js";
import { StorePaths } from "./paths.js";
import { decodeRecord, RECORD_RANGE } from "./replica-record.js";
import {
  decodeRunState,
  encodeRunState,
  type LastEnd,
  lastEndOf,
  NO_BOOT,
  type RunState,
  runsWith,
} from "./run-state.js";
import { type StoreContext, StoredReplica } from "./stored-replica.js";

/** Pages of checksums kept in memory for clean regions: 1 KiB for each MiB of data. */
const PAGE_COUNT_MAX = 32_768;

/** Holds the incarnation that last ended in order. */
const STAMP_KEY = toUtf8("stamp");

/** Holds what the scrubber wants to find again. */
const SCRUB_KEY = toUtf8("scrub");

/** A replica to be created empty. */
export interface NewReplica {
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
  readonly chunkBytes: number;
  readonly chain: readonly ChainMember[];
  readonly needed: "all" | undefined;
}

/**
 * The directory of one chunk server. Opening it is exclusive: LevelDB holds a lock of the kernel on its directory for
 * as long as the process lives, so a second server on the same directory is refused.
 */
export class ChunkStore {
  readonly identity: CsIdentity;
  /** Grows by one with every start. */
  readonly incarnation: number;
  readonly lastEnd: LastEnd;
  readonly #context: StoreContext;
  readonly #replicas = new Map<ChunkId, StoredReplica>();
  /** Replicas with pages in memory, least recently used first. */
  readonly #recent = new Set<StoredReplica>();
  #epoch: number;
  #runs: readonly string[];
  #isDistrusted = false;
  /** Run states are written one after the other: the last one tells the truth. */
  #runStates: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(
    context: StoreContext,
    identity: CsIdentity,
    { incarnation, epoch, runs }: Pick<RunState, "incarnation" | "epoch" | "runs">,
    lastEnd: LastEnd,
  ) {
    this.#context = context;
    this.identity = identity;
    this.incarnation = incarnation;
    this.lastEnd = lastEnd;
    this.#epoch = epoch;
    this.#runs = runs;
  }

  /** Refuses what is not a directory of this cluster and format; after a crash, makes checksums right first. `run`: a name that no other process has. */
  static async open(
    directory: string,
    clusterId: string,
    run: string,
    { disk, clock }: Pick<StoreContext, "disk" | "clock">,
  ): Promise<ChunkStore> {
    const paths = new StorePaths(directory);
    const identity = await readIdentity(disk, paths);
    if (identity.clusterId !== clusterId) {
      throw storageError(
        "wrong_cluster",
        `${directory} belongs to cluster ${identity.clusterId}, not to ${clusterId}: check the repository and the cluster name`,
      );
    }
    const kv = await openRecords(disk, paths);
    try {
      const last = await readRunState(disk, paths);
      const lastEnd = lastEndOf(last, disk.bootId());
      const incarnation = last.incarnation + 1;
      // Until the records say what a crash of the host left behind, this must: the boot is still the last process's.
      const running = { incarnation, isClean: false, epoch: last.epoch, runs: runsWith(last.runs, run) };
      await writeRunState(disk, paths, { ...running, bootId: last.bootId });
      const files = new OpenFiles(disk);
      const context = { disk, paths, files, kv, clock, dirtyReplicas: new Set<StoredReplica>() };
      const store = new ChunkStore(context, identity, running, lastEnd);
      await store.#load();
      await writeRunState(disk, paths, { ...running, bootId: disk.bootId() });
      return store;
    } catch (error) {
      await kv.close();
      throw error;
    }
  }

  /** The highest epoch of the cluster's metadata that was ever met. */
  get epoch(): number {
    return this.#epoch;
  }

  async noteEpoch(epoch: number): Promise<void> {
    this.#epoch = Math.max(this.#epoch, epoch);
    if (this.#closing === undefined) await this.#writeRunState(false);
  }

  /** As in `RunState`; the last is this process. */
  get runs(): readonly string[] {
    return this.#runs;
  }

  /** The cluster has taken this process in: those before it are of no interest any more. */
  async accepted(): Promise<void> {
    if (this.#runs.length === 1) return;
    this.#runs = this.#runs.slice(-1);
    if (this.#closing === undefined) await this.#writeRunState(false);
  }

  /**
   * The disk failed at something: the page cache may show bytes that it never took, and drop them without a word (a failed
   * fsync). So the next process takes this one's end for a crash of the host: what is dirty is distrusted as lost. Resolves
   * when that is written, or cannot be on such a disk.
   */
  async distrust(): Promise<void> {
    if (this.#isDistrusted) return;
    this.#isDistrusted = true;
    try {
      await this.#writeRunState(false);
    } catch (error) {
      if (failureOf(error) === undefined) throw error;
    }
  }

  get replicas(): Iterable<StoredReplica> {
    return this.#replicas.values();
  }

  /** Replicas that may have dirty regions. */
  get dirtyReplicas(): Set<StoredReplica> {
    return this.#context.dirtyReplicas;
  }

  get replicaCount(): number {
    return this.#replicas.size;
  }

  find(chunkId: ChunkId): StoredReplica | undefined {
    return this.#replicas.get(chunkId);
  }

  /** Creates an empty replica; what was there under that id is removed first. */
  async create(fresh: NewReplica): Promise<StoredReplica> {
    await this.remove(fresh.chunkId);
    const replica = new StoredReplica(this.#context, {
      ...fresh,
      isSuspect: false,
      isHostCrashed: false,
      suspectRegions: new Bitmap(),
      dirty: new Bitmap(),
      written: new Bitmap(),
      history: { since: fresh.version, spans: [] },
    });
    await replica.create();
    this.#replicas.set(fresh.chunkId, replica);
    return replica;
  }

  async remove(chunkId: ChunkId): Promise<void> {
    const replica = this.#replicas.get(chunkId);
    if (replica === undefined) return;
    await replica.remove();
    this.#replicas.delete(chunkId);
    this.#recent.delete(replica);
    this.#context.dirtyReplicas.delete(replica);
  }

  /** The replica's pages are wanted in memory; those of others may have to go. */
  use(replica: StoredReplica): void {
    this.#recent.delete(replica);
    this.#recent.add(replica);
  }

  /** Gives memory back that is used for checksums of clean regions. */
  trim(): void {
    let count = 0;
    for (const replica of this.#recent) count += replica.pageCount;
    for (const replica of this.#recent) {
      if (count <= PAGE_COUNT_MAX) return;
      count -= replica.pageCount;
      replica.dropCleanPages();
      if (replica.pageCount === 0) this.#recent.delete(replica);
      count += replica.pageCount;
    }
  }

  /** What `keepScrub` was given last. */
  keptScrub(): Uint8Array | undefined {
    return this.#context.kv.get(SCRUB_KEY);
  }

  /** Survives a crash of the process; after loss of power an older value may be found. */
  async keepScrub(value: Uint8Array): Promise<void> {
    const put = { type: "put", key: SCRUB_KEY, value } as const;
    await this.#context.kv.batch([put], { sync: false, label: "cs.scrub.put" });
  }

  space(): Promise<DiskSpace> {
    return this.#context.disk.space(this.#context.paths.root, "cs.space");
  }

  /** `isClean` only if every region was cleaned and nothing is under way. */
  close(isClean: boolean): Promise<void> {
    this.#closing ??= this.#close(isClean);
    return this.#closing;
  }

  async #close(isClean: boolean): Promise<void> {
    const { files, kv } = this.#context;
    await files.close();
    const isNothingDirty = [...this.#replicas.values()].every((replica) => replica.dirty.count === 0);
    const isAllClean = isClean && !this.#isDistrusted && isNothingDirty;
    // The last batches dropped the marks without a sync: this one makes them safe from loss of power.
    const stamp = toUtf8(String(this.incarnation));
    const put = { type: "put", key: STAMP_KEY, value: stamp } as const;
    if (isAllClean) await kv.batch([put], { sync: true, label: "cs.record.stamp" });
    await kv.close();
    if (isAllClean) await this.#writeRunState(true);
    // Whoever wrote the last one hears whether it failed.
    else await this.#runStates.catch(() => undefined);
  }

  #writeRunState(isClean: boolean): Promise<void> {
    const { disk, paths } = this.#context;
    const { incarnation } = this;
    const write = (): Promise<void> => {
      const bootId = this.#isDistrusted ? NO_BOOT : disk.bootId();
      const runs = this.#runs;
      return writeRunState(disk, paths, { bootId, incarnation, isClean, epoch: this.#epoch, runs });
    };
    this.#runStates = this.#runStates.then(write, write);
    return this.#runStates;
  }

  async #load(): Promise<void> {
    for await (const { value } of this.#context.kv.range(RECORD_RANGE)) {
      const record = decodeRecord(value);
      this.#replicas.set(record.chunkId, new StoredReplica(this.#context, record));
    }
    for (const replica of this.#replicas.values()) await replica.recover(this.lastEnd === "host_crash");
    if (this.lastEnd !== "clean") await this.#removeOrphans();
  }

  /** Files without a record: their replica was being removed. A record is always older than the first file. */
  async #removeOrphans(): Promise<void> {
    const { disk, paths } = this.#context;
    for (const directory of await disk.list(paths.chunks, "cs.directory.list")) {
      for (const name of await disk.list(`${paths.chunks}/${directory}`, "cs.directory.list")) {
        const id = Number.parseInt(name, 16);
        if (this.#replicas.has(id as ChunkId)) continue;
        await disk.remove(`${paths.chunks}/${directory}/${name}`, "cs.file.remove");
      }
    }
  }
}

/** The identity in a repository, before it is opened. */
export async function readIdentity(disk: Disk, paths: StorePaths): Promise<CsIdentity> {
  try {
    return decodeIdentity(await disk.readFile(paths.identity, "cs.identity.read"), paths.identity);
  } catch (error) {
    if (!hasCode(error, "not_found")) throw error;
    throw storageError(
      "refused",
      `${paths.root} is not a chunk server's repository (no identity.json): is its disk mounted? Else make one with make-cs`,
      error,
    );
  }
}

async function openRecords(disk: Disk, paths: StorePaths): Promise<Kv> {
  try {
    return await disk.openKv(paths.replicas, "cs.records.open");
  } catch (error) {
    if (error instanceof StorageError && /lock/i.test(`${error.message} ${String(error.cause)}`)) {
      throw storageError("refused", `another process serves ${paths.root}`, error);
    }
    throw error;
  }
}

async function readRunState(disk: Disk, paths: StorePaths): Promise<RunState> {
  try {
    return decodeRunState(await disk.readFile(paths.runState, "cs.state.read"));
  } catch (error) {
    if (!hasCode(error, "not_found")) throw error;
    return { bootId: NO_BOOT, incarnation: 0, isClean: false, epoch: 0, runs: [] };
  }
}

/** Tells the next process how this one ended, or has not. */
export async function writeRunState(disk: Disk, paths: StorePaths, state: RunState): Promise<void> {
  await disk.replaceFile(paths.runState, encodeRunState(state), "cs.state.write");
}

/** For the simulator and tests, which know the store by this file. */
export { createRepository } from "../repository.js";
