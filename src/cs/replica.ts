import { assert, defined, type Failure, StorageError, storageError, unreachable } from "../base/index.js";
import {
  type ChainMember,
  type ChunkId,
  type ChunkReply,
  type ChunkVersion,
  type Extent,
  type ForwardWrite,
  rangeAround,
  type WriteChunk,
  type WriteExtents,
  type ZeroChunk,
} from "../chunk/index.js";
import { Activity } from "./activity.js";
import {
  type Cargo,
  Cargoes,
  completePayload,
  endOfChange,
  isWhole,
  regionsOfChange,
  storeChange,
} from "./cargo.js";
import type { ChainAnswer, ChainEffect, Change } from "./core/chain-types.js";
import type { Fill } from "./core/fill.js";
import { ReplicaChain } from "./core/replica-chain.js";
import type { ReplicaEnvironment } from "./environment.js";
import { Filling, type InTurn } from "./filling.js";
import { forwardCall } from "./forward-call.js";
import { Mending } from "./mending.js";
import { type BlockRange, blockRange, edgeBlocks, NO_PAYLOAD, type Payload } from "./merge-blocks.js";
import type { StoredReplica } from "./store/stored-replica.js";
import type { StoredBlocks } from "./store/verify-blocks.js";
import { Turns } from "./turns.js";

const DONE: ChunkReply = { type: "done", body: {} };

/**
 * One replica at work: carries out what its chain decides, in the order it says. Disk and network calls overlap; their
 * results go back to the chain.
 */
export class Replica {
  readonly stored: StoredReplica;
  readonly #env: ReplicaEnvironment;
  readonly #chain: ReplicaChain;
  /** While contents are being fetched. */
  readonly filling: Filling | undefined;
  readonly mending: Mending;
  readonly #cargoes: Cargoes;
  readonly #answers = new Map<number, (answer: ChainAnswer) => void>();
  readonly #turns: Turns;
  #queue: ChainEffect[] = [];
  #isRunning = false;
  #nextRequestId = 1;
  /** Disk operations under way. */
  readonly #disk = new Activity();
  #failure: Failure | undefined;
  #isEnded = false;
  /** Where the newest install said to cut. */
  #truncateBytes: number | undefined;

  constructor(env: ReplicaEnvironment, stored: StoredReplica, fill: Fill | undefined, refusal?: Failure) {
    this.#env = env;
    this.stored = stored;
    this.#cargoes = new Cargoes(stored, env.cargoMeter);
    this.#turns = new Turns(env.clock);
    const { version, chain } = stored.record;
    this.#chain = new ReplicaChain({ version, chain, refusal, ...env });
    const inTurn: InTurn = (...turn) => this.#inTurn("fill", ...turn);
    this.filling = fill && new Filling(fill, stored, this.#disk, inTurn);
    this.mending = new Mending(env, stored, () => this.version, inTurn);
  }

  get chunkId(): ChunkId {
    return this.stored.chunkId;
  }

  get version(): ChunkVersion {
    return this.#chain.version;
  }

  get isSyncing(): boolean {
    return this.#chain.isSyncing;
  }

  /** It has everything, and may be read under the present version. */
  get isReadable(): boolean {
    const isRefused = this.#chain.refusalOf(this.version) !== undefined;
    return !isRefused && this.stored.needed === undefined;
  }

  get isIdle(): boolean {
    return this.#chain.isIdle && this.#disk.isQuiet;
  }

  /** Set when its disk failed: only a new beginning helps. */
  get failure(): Failure | undefined {
    return this.#failure;
  }

  /** It is being removed, or gives way to a successor. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Payload bytes in memory. */
  get cargoBytes(): number {
    return this.#cargoes.bytes;
  }

  /** A client's write arrives; this must be the head. Resolves when the whole chain has it. */
  write(body: WriteChunk, payload: Uint8Array): Promise<ChunkReply> {
    const { offset, checksums } = body;
    const isDurable = body.isDurable === true;
    const cargo = {
      offset,
      lengthBytes: payload.length,
      payload: { bytes: payload, checksums },
      isDurable,
    };
    return this.#submit("write", body, cargo);
  }

  /** The same of several places: one change, in one place of the order. */
  writeExtents(body: WriteExtents, bytes: Uint8Array): Promise<ChunkReply> {
    const { extents, checksums } = body;
    const { offset, lengthBytes } = rangeAround(extents);
    const cargo = { offset, lengthBytes, payload: { bytes, checksums }, isDurable: false };
    return this.#submit("extents", body, cargo, extents);
  }

  zero(body: ZeroChunk): Promise<ChunkReply> {
    const { offset, lengthBytes } = body;
    return this.#submit("zero", body, { offset, lengthBytes, payload: NO_PAYLOAD, isDurable: false });
  }

  /** A change arrives from the server before. */
  async receive(forward: ForwardWrite, bytes: Uint8Array): Promise<ChunkReply> {
    const { offset, lengthBytes, checksums } = forward;
    const changeId = this.#chain.newOperationId();
    const payload = { bytes, checksums };
    const answer = this.#request((requestId) => {
      const isDurable = forward.isDurable === true;
      this.#cargoes.load(changeId, { offset, lengthBytes, payload, isDurable });
      const effects = this.#chain.receive(changeId, forward, requestId);
      if (this.#chain.holds(changeId)) this.filling?.changed(forward);
      else this.#cargoes.unload(changeId);
      return effects;
    });
    return replyOf(await answer);
  }

  /** Reads whole blocks when nothing unacknowledged is in the way. */
  async read(
    version: number,
    offset: number,
    lengthBytes: number,
    deadlineMs: number,
  ): Promise<StoredBlocks> {
    this.#checkReadable(version);
    const range = blockRange(offset, lengthBytes);
    return await this.mending.around([range], false, () =>
      this.#inTurn("read", range.offset, range.lengthBytes, deadlineMs, () =>
        this.stored.read(range.offset, range.lengthBytes),
      ),
    );
  }

  /** Looks at the store when nothing unacknowledged is in the way of the range. */
  async look<T>(
    version: number,
    { offset, lengthBytes }: BlockRange,
    deadlineMs: number,
    act: (stored: StoredReplica) => Promise<T>,
  ): Promise<T> {
    this.#checkReadable(version);
    return await this.#inTurn("read", offset, lengthBytes, deadlineMs, () => act(this.stored));
  }

  async sync(version: number, isForwarded: boolean): Promise<ChunkReply> {
    if (version !== this.version && isForwarded) return held(this.version);
    const refusal = this.#chain.refusalOf(version);
    if (refusal !== undefined) throw new StorageError(refusal);
    return replyOf(await this.#request((requestId) => this.#chain.sync(requestId)));
  }

  /** Moves to a newer version, keeping what is here. Resolves when the handover is complete. */
  async install(
    version: ChunkVersion,
    chain: readonly ChainMember[],
    truncateBytes: number | undefined,
  ): Promise<void> {
    const { chunkBytes } = this.stored;
    const truncate = truncateBytes === undefined ? undefined : truncateRange(truncateBytes, chunkBytes);
    this.#truncateBytes = truncateBytes;
    if (truncateBytes !== undefined) this.filling?.cut(truncateBytes);
    this.#turns.refuseAll(storageError("stale_map", `version ${version} was installed`));
    const answer = await this.#request((requestId) =>
      this.#chain.install({ version, chain, truncate }, requestId),
    );
    if (answer.type === "failed") throw new StorageError(answer.failure);
  }

  /** Everything waiting fails; resolves when the disk is left alone. */
  async end(failure: Failure): Promise<void> {
    this.#isEnded = true;
    this.#run(this.#chain.end(failure));
    this.#turns.refuseAll(new StorageError(failure));
    await this.quiet();
  }

  /** Resolves when no disk operation is under way. */
  quiet(): Promise<void> {
    return this.#disk.quiet();
  }

  /** Makes the regions clean. */
  async clean(regions: readonly number[]): Promise<void> {
    try {
      await this.#disk.run(() => this.stored.clean(regions));
    } catch (error) {
      this.#diskFailed(error);
    }
  }

  #submit(
    kind: "write" | "zero" | "extents",
    { version, sessionId, sequence, acknowledgedBelow }: WriteChunk | ZeroChunk | WriteExtents,
    cargo: Cargo,
    extents?: readonly Extent[],
  ): Promise<ChunkReply> {
    const refusal = this.#chain.refusalOf(version);
    if (refusal !== undefined) throw new StorageError(refusal);
    if (!this.#chain.isHead) throw storageError("invalid", "writes go to the head of the chain");
    const writeId = { sessionId, sequence, acknowledgedBelow };
    const { offset, lengthBytes } = blockRange(cargo.offset, cargo.lengthBytes);
    const submission = { writeId, kind, offset, lengthBytes, extents };
    const changeId = this.#chain.newOperationId();
    const answer = this.#request((requestId) => {
      this.#cargoes.load(changeId, cargo);
      const effects = this.#chain.submit(changeId, submission, requestId);
      if (!this.#chain.holds(changeId)) this.#cargoes.unload(changeId);
      return effects;
    });
    return answer.then((ended) => {
      const carriedVersion = this.#chain.writes.versionOf(submission.writeId);
      if (ended.type !== "done" || carriedVersion === undefined) return replyOf(ended);
      return { type: "done", body: { carriedVersion } };
    });
  }

  #checkReadable(version: number): void {
    const refusal = this.#chain.refusalOf(version);
    if (refusal !== undefined) throw new StorageError(refusal);
    // The MDS calls it readable when it heard that everything is here, without a new version.
    if (this.#chain.isSyncing && this.stored.needed !== undefined) {
      throw storageError("unavailable", "this replica is being filled");
    }
  }

  #request(act: (requestId: number) => ChainEffect[]): Promise<ChainAnswer> {
    const requestId = this.#nextRequestId++;
    return new Promise((resolve) => {
      this.#answers.set(requestId, resolve);
      this.#run(act(requestId));
    });
  }

  /** Runs `act` when the chain lets this operation begin. */
  async #inTurn<T>(
    use: "read" | "fill",
    offset: number,
    lengthBytes: number,
    deadlineMs: number,
    act: () => Promise<T>,
  ): Promise<T> {
    const operationId = this.#chain.newOperationId();
    try {
      await this.#turns.wait(operationId, deadlineMs, () =>
        this.#run(this.#chain.enter(operationId, use, offset, lengthBytes)),
      );
      return await this.#disk.run(act);
    } finally {
      this.#run(this.#chain.leave(operationId));
    }
  }

  /** Carries out effects one after the other; what they cause comes behind them. */
  #run(effects: readonly ChainEffect[]): void {
    this.#queue.push(...effects);
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let effect = this.#queue.shift(); effect !== undefined; effect = this.#queue.shift()) {
      this.#carryOut(effect);
    }
    this.#isRunning = false;
  }

  #carryOut(effect: ChainEffect): void {
    switch (effect.type) {
      case "prepare":
        this.#prepare(effect.change);
        break;
      case "mark":
        this.#mark(effect.change);
        break;
      case "store":
        this.#store(effect.change);
        break;
      case "forward":
        this.#forward(effect);
        break;
      case "release":
        this.#cargoes.unload(effect.change.id);
        break;
      case "begin":
        this.#turns.begin(effect.operationId);
        break;
      case "syncLocally":
        this.#syncLocally(effect.syncId);
        break;
      case "forwardSync":
        this.#forwardSync(effect);
        break;
      case "answer":
        this.#answer(effect.requestId, effect.answer);
        break;
      case "report":
        this.#env.report(this.chunkId, effect.version, effect.csId, effect.code);
        break;
      case "retryLater":
        this.#retryLater(effect);
        break;
      default:
        unreachable(effect);
    }
  }

  #prepare(change: Change): void {
    const cargo = this.#cargoOf(change);
    const regions = regionsOfChange(this.stored, change, NO_PAYLOAD);
    const waiting = this.stored.prepare(regions);
    if (waiting === undefined && isWhole(change, cargo)) {
      this.#cargoes.hold(change.id, regions);
      this.#prepared(change, cargo);
      return;
    }
    void this.#disk.run(async () => {
      try {
        await this.mending.around(edgeBlocks(change), true, async () => waiting);
        this.#cargoes.hold(change.id, regions);
        const complete = (): Promise<Payload> => completePayload(this.stored, change, cargo);
        this.#cargoes.replace(change.id, await this.mending.around(edgeBlocks(change), true, complete));
      } catch (error) {
        this.#prepareFailed(change, error);
        return;
      }
      this.#prepared(change, cargo);
    });
  }

  #prepared(change: Change, cargo: Cargo): void {
    const endBytes = endOfChange(change, cargo, this.stored.highWaterBytes);
    this.#run(this.#chain.prepared(change.id, endBytes));
  }

  #prepareFailed(change: Change, error: unknown): void {
    const { failure } = asStorageError(error);
    if (failure.code === "chunk_corrupt") this.#run(this.#chain.abort(change.id, failure));
    else this.#diskFailed(error);
  }

  #mark(change: Change): void {
    const regions = regionsOfChange(this.stored, change, this.#cargoOf(change).payload);
    const waiting = this.stored.prepare(regions);
    if (waiting === undefined) {
      this.#cargoes.hold(change.id, regions);
      this.#run(this.#chain.marked(change.id));
      return;
    }
    void this.#disk.run(async () => {
      try {
        await waiting;
      } catch (error) {
        this.#diskFailed(error);
        return;
      }
      this.#cargoes.hold(change.id, regions);
      this.#run(this.#chain.marked(change.id));
    });
  }

  #store(change: Change): void {
    const cargo = this.#cargoOf(change);
    void this.#disk.run(async () => {
      try {
        await storeChange(this.stored, change, cargo);
      } catch (error) {
        this.#diskFailed(error);
        return;
      }
      this.#run(this.#chain.stored(change.id));
    });
  }

  #forward({ change, epoch, floor, attempt }: Extract<ChainEffect, { type: "forward" }>): void {
    const call = forwardCall(this, change, { epoch, floor }, this.#cargoOf(change));
    void this.#env.links.forward(this.#successorAddress, call, this.#forwardTimeoutMs).then((result) => {
      this.#run(this.#chain.forwarded(change.id, attempt, result));
    });
  }

  #retryLater({ delayMs, attempt }: Extract<ChainEffect, { type: "retryLater" }>): void {
    this.#env.clock.after("cs.forward.retry", delayMs, () => this.#run(this.#chain.retryLink(attempt)));
  }

  #syncLocally(syncId: number): void {
    void this.#disk.run(async () => {
      try {
        await this.stored.sync();
      } catch (error) {
        this.#diskFailed(error);
        return;
      }
      this.#run(this.#chain.syncedLocally(syncId));
    });
  }

  #forwardSync({ syncId, attempt }: Extract<ChainEffect, { type: "forwardSync" }>): void {
    const body = { chunkId: this.chunkId, version: this.version, isForwarded: true };
    const call = { request: { type: "sync", body } as const, payload: NO_PAYLOAD.bytes };
    void this.#env.links.forward(this.#successorAddress, call, this.#forwardTimeoutMs).then((result) => {
      this.#run(this.#chain.syncForwarded(syncId, attempt, result));
    });
  }

  #answer(requestId: number, answer: ChainAnswer): void {
    this.#answers.get(requestId)?.(answer);
    this.#answers.delete(requestId);
  }

  get #successorAddress(): string {
    return defined(this.#chain.successor, "only a server with a successor forwards").address;
  }

  /** Longer the more servers are behind: the one next to a silent server must notice first. */
  get #forwardTimeoutMs(): number {
    return this.#env.limits.forwardTimeoutMs * this.#chain.countBehind;
  }

  #cargoOf(change: Change): Cargo {
    const known = this.#cargoes.get(change.id);
    if (known !== undefined) return known;
    // A truncation that came with an install: nothing was loaded for it.
    assert(change.kind === "truncate", "a change has its cargo");
    const offset = defined(this.#truncateBytes, "the install said where to cut");
    const cargo = { offset, lengthBytes: 0, payload: NO_PAYLOAD, isDurable: false };
    this.#cargoes.load(change.id, cargo);
    return this.#cargoes.get(change.id) ?? cargo;
  }

  /** The replica is of no use any more; the MDS is told to go on without it. */
  #diskFailed(error: unknown): void {
    const { failure } = asStorageError(error);
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    this.#env.log.warn("replica failed", { chunkId: this.chunkId, version: this.version, error });
    this.#env.diskFailed(failure.code);
    this.#run(this.#chain.fail(failure));
    this.#turns.refuseAll(new StorageError(failure));
  }
}

/** Bugs go on as they are: the process dies of them. */
function asStorageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  throw error;
}

function replyOf(answer: ChainAnswer): ChunkReply {
  if (answer.type === "failed") throw new StorageError(answer.failure);
  return answer.type === "held" ? { type: "held", body: answer.body } : DONE;
}

function held(installedVersion: number): ChunkReply {
  return { type: "held", body: { installedVersion, successorFailed: false } };
}

function truncateRange(truncateBytes: number, chunkBytes: number): { offset: number; lengthBytes: number } {
  return blockRange(truncateBytes, Math.max(0, chunkBytes - truncateBytes));
}
