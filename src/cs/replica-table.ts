import { type Failure, StorageError, storageError } from "../base/index.js";
import {
  type ChainMember,
  type ChunkId,
  type ChunkVersion,
  type DeleteReplica,
  type InstallChunk,
  REGION_BYTES,
  type ReplicaReport,
} from "../chunk/index.js";
import { Bitmap } from "./core/bitmap.js";
import { Fill } from "./core/fill.js";
import type { ReplicaEnvironment } from "./environment.js";
import { Filler } from "./filler.js";
import type { RateLimit } from "./rate-limit.js";
import { Replica } from "./replica.js";
import type { ChunkStore } from "./store/chunk-store.js";
import { putFirstContents } from "./store/first-contents.js";
import type { StoredReplica } from "./store/stored-replica.js";

/** A replica in the table. */
interface Entry {
  readonly replica: Replica;
  filler: Filler | undefined;
  /** Settles when the newest install has; whoever repeats it hears the same. */
  installed: Promise<void>;
}

const SUSPECT: Failure = {
  code: "unavailable",
  detail: "this server died while the chunk was being written; the MDS decides how it goes on",
};
const BEING_FILLED: Failure = { code: "unavailable", detail: "this replica waits to be filled anew" };

/** All replicas of this server, and the MDS's commands about them. */
export class ReplicaTable {
  readonly #env: ReplicaEnvironment;
  readonly #store: ChunkStore;
  readonly #fillRate: RateLimit;
  readonly #onFilled: (chunkId: ChunkId, version: ChunkVersion) => void;
  readonly #entries = new Map<ChunkId, Entry>();
  /** Per chunk: commands that change what there is, one after the other. */
  readonly #locks = new Map<ChunkId, Promise<void>>();

  constructor(
    env: ReplicaEnvironment,
    store: ChunkStore,
    fillRate: RateLimit,
    onFilled: (chunkId: ChunkId, version: ChunkVersion) => void,
  ) {
    this.#env = env;
    this.#store = store;
    this.#fillRate = fillRate;
    this.#onFilled = onFilled;
    for (const stored of store.replicas) {
      const { isSuspect, needed } = stored.record;
      const refusal = isSuspect ? SUSPECT : needed === undefined ? undefined : BEING_FILLED;
      const installed = refusal === undefined ? Promise.resolve() : Promise.reject(new StorageError(refusal));
      this.#enter(new Replica(env, stored, undefined, refusal), installed);
    }
  }

  find(chunkId: ChunkId): Replica | undefined {
    return this.#entries.get(chunkId)?.replica;
  }

  get replicas(): Replica[] {
    return [...this.#entries.values()].map(({ replica }) => replica);
  }

  get count(): number {
    return this.#entries.size;
  }

  /** For the MDS: what there is. */
  inventory(): ReplicaReport[] {
    return [...this.#entries.values()].map(({ replica: { stored, version }, filler }) => {
      const { chunkId, needed, isBehind, isSuspect, isHostCrashed, chain } = stored.record;
      const isAbandoned = needed !== undefined && filler === undefined;
      return {
        chunkId,
        version,
        syncing: needed === "all" || isBehind === true,
        suspect: isSuspect || isAbandoned,
        hostCrashed: isHostCrashed,
        filling: needed !== undefined,
        position: Math.max(
          0,
          chain.findIndex(({ csId }) => csId === this.#env.selfId),
        ),
      };
    });
  }

  /** Replicas that were filled and are still called `syncing`: the MDS may not have heard. */
  tellFilled(): void {
    for (const { replica } of this.#entries.values()) {
      const { needed, isSuspect } = replica.stored.record;
      const isFilled = needed === undefined && !isSuspect;
      if (isFilled && replica.isSyncing) this.#onFilled(replica.chunkId, replica.version);
    }
  }

  /** Carries out the command; resolves with the high-water mark. */
  async install(command: InstallChunk): Promise<number> {
    const entry =
      this.#alreadyAt(command) ?? (await this.#locked(command.chunkId, () => this.#begin(command)));
    // Outside the lock: a handover may have to wait for a newer install.
    await entry.installed;
    await entry.replica.stored.open();
    return entry.replica.stored.highWaterBytes;
  }

  async delete({ chunkId, version }: DeleteReplica): Promise<void> {
    const early = this.#entries.get(chunkId);
    // At once, so that nothing is served any more while older commands are waited for.
    if (early !== undefined && early.replica.version <= version) void this.#end(early, deleted(version));
    await this.#locked(chunkId, async () => {
      const entry = this.#entries.get(chunkId);
      if (entry === undefined) return;
      if (entry.replica.version > version) {
        throw storageError("stale_map", `version ${entry.replica.version} is installed`);
      }
      await this.#end(entry, deleted(version));
      await this.#store.remove(chunkId);
      this.#entries.delete(chunkId);
    });
  }

  /** Ends everything; resolves when the disk is left alone. */
  async close(failure: Failure): Promise<void> {
    await Promise.all([...this.#entries.values()].map((entry) => this.#end(entry, failure)));
  }

  #alreadyAt({ chunkId, version }: InstallChunk): Entry | undefined {
    const entry = this.#entries.get(chunkId);
    return entry?.replica.version === version ? entry : undefined;
  }

  /** Carries the command out as far as it must be alone; returns the entry whose install it has become. */
  async #begin(command: InstallChunk): Promise<Entry> {
    const { chunkId, version } = command;
    const entry = this.#entries.get(chunkId);
    if (entry !== undefined && entry.replica.version >= version) {
      if (entry.replica.version === version) return entry;
      throw storageError("stale_map", `version ${entry.replica.version} is installed`);
    }
    const self = command.chain.find(({ csId }) => csId === this.#env.selfId);
    if (self === undefined) throw storageError("invalid", "the chain does not contain this server");
    if (entry === undefined && !command.create) throw storageError("not_found", "no replica of this chunk");
    if (self.syncing) return await this.#installSyncing(command, entry);
    if (entry === undefined || command.create) return await this.#installEmpty(command, undefined);
    return await this.#installKept(command, entry);
  }

  /** The replica stays what it is, under a newer version. */
  async #installKept(command: InstallChunk, entry: Entry): Promise<Entry> {
    const { replica } = entry;
    const { needed, isBehind, chain } = replica.stored.record;
    if (replica.failure !== undefined) throw new StorageError(replica.failure);
    if (needed === "all" || isBehind === true) throw storageError("refused", "this replica is incomplete");
    if (needed !== undefined) return await this.#installUnfilled(command, entry);
    if (!keepsOrder(chain, command.chain) && !replica.isIdle) {
      throw storageError("refused", "members of a chain keep their order");
    }
    entry.filler?.stop();
    this.#advance(command, entry, undefined);
    return entry;
  }

  /**
   * It kept its contents and was being filled, and its sources are gone: it has everything that it had before, and where
   * it differs from others it is right from now on.
   */
  async #installUnfilled(command: InstallChunk, entry: Entry): Promise<Entry> {
    await this.#end(entry, installedAnew(command.version));
    const fresh = this.#enter(new Replica(this.#env, entry.replica.stored, undefined), Promise.resolve());
    this.#advance(command, fresh, undefined);
    return fresh;
  }

  async #installSyncing(command: InstallChunk, entry: Entry | undefined): Promise<Entry> {
    if (entry === undefined) return await this.#installEmpty(command, new Fill("all"));
    const { filling, stored, failure, version, isSyncing } = entry.replica;
    const mustKeep = command.keepContents && !command.create;
    if (failure !== undefined && mustKeep) throw new StorageError(failure);
    const isNext = version === command.version - 1 && failure === undefined;
    if (isNext && filling !== undefined && isSyncing) {
      // The resynchronisation goes on: it has taken every change of the version before.
      this.#advance(command, entry, stored.record.needed);
      if (stored.record.needed === undefined) this.#onFilled(command.chunkId, command.version);
      else this.#startFiller(entry, command);
      return entry;
    }
    const distrusted = neededOf(stored);
    if (!mustKeep || (distrusted === "all" && !isNext)) {
      return await this.#installEmpty(command, new Fill("all"));
    }
    await this.#end(entry, installedAnew(command.version));
    // Until a source has said what changed since, all of it may have.
    const needed = isNext ? distrusted : allOf(stored);
    const isBehind = command.isBehind === true;
    await stored.install({ ...versionOf(command), needed, isBehind, endSuspicion: false });
    const held = new Bitmap(stored.written.toBytes());
    const fill = new Fill(distrusted, isNext ? {} : { held, since: version });
    const fresh = this.#enter(new Replica(this.#env, stored, fill), Promise.resolve());
    this.#startFiller(fresh, command);
    return fresh;
  }

  /** Starts anew with nothing. */
  async #installEmpty(command: InstallChunk, fill: Fill | undefined): Promise<Entry> {
    const { chunkId, chunkBytes } = command;
    const entry = this.#entries.get(chunkId);
    if (entry !== undefined) await this.#end(entry, installedAnew(command.version));
    const { contents } = command;
    // Until the first contents are safe the record says that they are missing: a crash in between must not leave zeros.
    const needed = fill === undefined && contents === undefined ? undefined : "all";
    const stored = await this.#store.create({ chunkId, chunkBytes, ...versionOf(command), needed });
    if (fill === undefined && contents !== undefined) await putFirstContents(stored, contents);
    const fresh = this.#enter(new Replica(this.#env, stored, fill), Promise.resolve());
    this.#startFiller(fresh, command);
    return fresh;
  }

  #advance(command: InstallChunk, entry: Entry, needed: Bitmap | "all" | undefined): void {
    const { replica } = entry;
    const { version, chain } = versionOf(command);
    replica.stored.begin(version);
    // The chain moves first: from this moment nothing older is accepted.
    const handedOver = replica.install(version, chain, command.truncateBytes);
    const endSuspicion = chain.every(({ syncing }) => !syncing);
    const recorded = replica.stored.install({ version, chain, needed, endSuspicion });
    entry.installed = Promise.all([handedOver, recorded]).then(() => undefined);
    // The callers of `install` hear of it; there may be none left.
    entry.installed.catch(() => undefined);
  }

  #startFiller(entry: Entry, command: InstallChunk): void {
    const { replica } = entry;
    const { filling } = replica;
    if (filling === undefined) return;
    const sources = command.chain.filter(({ csId }) => command.sources.includes(csId));
    const before = entry.filler;
    before?.stop();
    const begin = before?.finished ?? Promise.resolve();
    entry.filler = new Filler(this.#env, this.#fillRate, replica, filling, sources, begin, () => {
      const { chunkId, version } = replica;
      const copiedBytes = entry.filler?.copiedBytes;
      this.#env.log.info("replica filled", { chunkId, version, copiedBytes });
      this.#onFilled(replica.chunkId, replica.version);
    });
  }

  #enter(replica: Replica, installed: Promise<void>): Entry {
    const entry: Entry = { replica, filler: undefined, installed };
    installed.catch(() => undefined);
    this.#entries.set(replica.chunkId, entry);
    return entry;
  }

  async #end(entry: Entry, failure: Failure): Promise<void> {
    entry.filler?.stop();
    await entry.replica.end(failure);
    await entry.filler?.finished;
    await entry.replica.quiet();
  }

  async #locked<T>(chunkId: ChunkId, act: () => Promise<T>): Promise<T> {
    const before = this.#locks.get(chunkId) ?? Promise.resolve();
    const result = before.then(act);
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    this.#locks.set(chunkId, settled);
    void settled.then(() => {
      if (this.#locks.get(chunkId) === settled) this.#locks.delete(chunkId);
    });
    return await result;
  }
}

function versionOf(command: InstallChunk): { version: ChunkVersion; chain: readonly ChainMember[] } {
  return { version: command.version, chain: command.chain };
}

/** What a replica that stays may not have right: what it was doing, what it distrusts, what it never had. */
function neededOf(stored: StoredReplica): Bitmap | "all" {
  const { needed, suspectRegions, dirty } = stored.record;
  if (needed === "all") return "all";
  const result = new Bitmap(suspectRegions.toBytes());
  result.addAll(dirty);
  if (needed !== undefined) result.addAll(needed);
  return result;
}

/** It has not seen every version: any region may lack changes. But it may be needed as it is, and stays until it is filled. */
function allOf(stored: StoredReplica): Bitmap {
  const result = new Bitmap();
  result.addRange(0, Math.ceil(stored.chunkBytes / REGION_BYTES));
  return result;
}

/** Members that stay readable keep their order, so that each has what those behind it have. */
function keepsOrder(before: readonly ChainMember[], after: readonly ChainMember[]): boolean {
  const positions = after
    .filter(({ syncing }) => !syncing)
    .map(({ csId }) => before.findIndex((member) => member.csId === csId))
    .filter((position) => position >= 0);
  return positions.every((position, index) => index === 0 || position > (positions[index - 1] ?? -1));
}

function deleted(version: number): Failure {
  return { code: "stale_map", detail: `deleted with version ${version}` };
}

function installedAnew(version: number): Failure {
  return { code: "stale_map", detail: `version ${version} was installed` };
}
