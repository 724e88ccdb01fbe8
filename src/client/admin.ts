import { type FailureCode, failureOf, storageError } from "../base/index.js";
import type { Clock, Random } from "../io/index.js";
import type {
  AddChunkServer,
  AddMds,
  BeginScrub,
  ChunkInfo,
  ChunkInfos,
  ChunkServerAdded,
  ChunkServerRemoval,
  ClusterStatus,
  Config,
  ConfigEntry,
  Events,
  FileLeases,
  GetChunk,
  GetEvents,
  GetFileChunks,
  GetFileLeases,
  MdsAdded,
  RecoveryStatus,
  RemoveChunkServer,
  RemoveMds,
  RepairPreview,
  ScrubBegun,
  ScrubStatus,
  SetConfig,
} from "../meta/index.js";
import { ADMIN, type Rpc, type UnaryMethod } from "../rpc/index.js";
import { type Backup, openBackup } from "./backup.js";
import { MdsCandidates } from "./core/mds-candidates.js";
import { afterMetadataFailure, pauseMs } from "./core/retry-policy.js";
import { throwIfAborted, type WaitOptions, withinLimits } from "./waiting.js";

export interface AdminWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly rpc: Rpc;
}

/** An operator wants to know that nobody leads, rather than wait for it. */
const TIMEOUT_MS = 30_000;
/** Chunks asked for at once. */
const CHUNK_PAGE = 500;
/** How long one server may take to answer. */
const ANSWER_MS = 10_000;
const BACKOFF = { delayMsMin: 50, delayMsMax: 1000 };

/** Asks one server. */
type Attempt<Reply> = (address: string, signal: AbortSignal | undefined) => Promise<Reply>;

/**
 * What operators ask of the cluster. Each call finds the leading MDS by itself, and gives up after 30 s unless told
 * otherwise. A call that failed with `timed_out` may have been carried out.
 */
export class Admin {
  readonly #world: AdminWorld;
  readonly #candidates: MdsCandidates;

  constructor(world: AdminWorld, mdsAddresses: readonly string[]) {
    this.#world = world;
    this.#candidates = new MdsCandidates(mdsAddresses);
  }

  status(options?: WaitOptions): Promise<ClusterStatus> {
    return this.#call(ADMIN.getStatus, {}, options);
  }

  getConfig(options?: WaitOptions): Promise<Config> {
    return this.#call(ADMIN.getConfig, {}, options);
  }

  /** The entry as it is then. With `expectedSequence` a change by somebody else in between is a `conflict`. */
  setConfig(request: SetConfig, options?: WaitOptions): Promise<ConfigEntry> {
    return this.#call(ADMIN.setConfig, request, options);
  }

  getEvents(request: GetEvents, options?: WaitOptions): Promise<Events> {
    return this.#call(ADMIN.getEvents, request, options);
  }

  addChunkServer(request: AddChunkServer, options?: WaitOptions): Promise<ChunkServerAdded> {
    return this.#call(ADMIN.addChunkServer, request, options);
  }

  /** Begins a release, or asks how far it is: to be repeated until `isDropped`. */
  removeChunkServer(request: RemoveChunkServer, options?: WaitOptions): Promise<ChunkServerRemoval> {
    return this.#call(ADMIN.removeChunkServer, request, options);
  }

  /** How far the latest recovery of the metadata is. */
  recovery(options?: WaitOptions): Promise<RecoveryStatus> {
    return this.#call(ADMIN.getRecovery, {}, options);
  }

  addMds(request: AddMds, options?: WaitOptions): Promise<MdsAdded> {
    return this.#call(ADMIN.addMds, request, options);
  }

  async removeMds(request: RemoveMds, options?: WaitOptions): Promise<void> {
    await this.#call(ADMIN.removeMds, request, options);
  }

  beginScrub(request: BeginScrub, options?: WaitOptions): Promise<ScrubBegun> {
    return this.#call(ADMIN.beginScrub, request, options);
  }

  scrubStatus(options?: WaitOptions): Promise<ScrubStatus> {
    return this.#call(ADMIN.getScrubStatus, {}, options);
  }

  chunk(request: GetChunk, options?: WaitOptions): Promise<ChunkInfo> {
    return this.#call(ADMIN.getChunk, request, options);
  }

  /** A page; `nextIndex` of the answer is where the next one begins. */
  fileChunks(request: GetFileChunks, options?: WaitOptions): Promise<ChunkInfos> {
    return this.#call(ADMIN.getFileChunks, request, options);
  }

  /** Who has the file open. */
  fileLeases(request: GetFileLeases, options?: WaitOptions): Promise<FileLeases> {
    return this.#call(ADMIN.getFileLeases, request, options);
  }

  /** Every chunk of the file that was ever written, by index. */
  async allFileChunks(ino: number): Promise<ChunkInfo[]> {
    const all: ChunkInfo[] = [];
    for (let firstIndex: number | undefined = 0; firstIndex !== undefined; ) {
      const page: ChunkInfos = await this.fileChunks({ ino, firstIndex, limit: CHUNK_PAGE });
      all.push(...page.chunks);
      firstIndex = page.nextIndex;
    }
    return all;
  }

  /** What the cluster would do about chunks with too few replicas, or badly placed ones. Changes nothing. */
  previewRepairs(options?: WaitOptions): Promise<RepairPreview> {
    return this.#call(ADMIN.previewRepairs, {}, options);
  }

  /** All metadata as they are at one moment. The limits are for finding the leader; the data come as they are read. */
  backup(options?: WaitOptions): Promise<Backup> {
    return this.#find((address, signal) => openBackup(this.#world, address, signal), options);
  }

  #call<Request, Reply>(
    method: UnaryMethod<Request, Reply>,
    request: Request,
    options: WaitOptions | undefined,
  ): Promise<Reply> {
    return this.#find(
      (address, signal) => this.#world.rpc.call(method, address, request, { deadlineMs: ANSWER_MS, signal }),
      options,
    );
  }

  #find<Reply>(attempt: Attempt<Reply>, options: WaitOptions | undefined): Promise<Reply> {
    const { clock, random } = this.#world;
    return withinLimits(clock, { timeoutMs: TIMEOUT_MS, ...options }, async (signal) => {
      for (let round = 1; ; round++) {
        const outcome = await this.#tryEach(attempt, signal);
        if ("reply" in outcome) return outcome.reply;
        const chance = random.uint32() / 2 ** 32;
        const step = afterMetadataFailure(outcome.code, round, chance);
        if (step.type === "fail") throw outcome.error;
        await clock.sleep("client.admin", pauseMs(round, chance, BACKOFF), signal);
        throwIfAborted(signal);
      }
    });
  }

  /** One round over the servers: the first answer of one that leads, or how the last one failed. */
  async #tryEach<Reply>(
    attempt: Attempt<Reply>,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly reply: Reply } | { readonly error: unknown; readonly code: FailureCode }> {
    let last: { readonly error: unknown; readonly code: FailureCode } | undefined;
    this.#candidates.beginRound((addresses) => [...addresses]);
    for (let address = this.#candidates.next(); address !== undefined; address = this.#candidates.next()) {
      try {
        const reply = await attempt(address, signal);
        this.#candidates.leads(address);
        return { reply };
      } catch (error) {
        const failure = failureOf(error);
        if (failure === undefined) throw error;
        throwIfAborted(signal);
        const isElsewhere = afterMetadataFailure(failure.code, 0, 0).type !== "fail";
        if (!isElsewhere) throw error;
        this.#candidates.failed(address);
        this.#candidates.hint(failure.leaderHint);
        last = { error, code: failure.code };
      }
    }
    return last ?? { error: storageError("invalid", "no address of an MDS is known"), code: "invalid" };
  }
}
