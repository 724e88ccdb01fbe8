import { type Prng, toUtf8 } from "../../../src/base/index.js";
import { BLOCK_BYTES } from "../../../src/chunk/index.js";
import type { Cluster, FileHandle } from "../../../src/client/index.js";
import { type Access, type InodeNumber, MODE_FILE, ROOT_INODE } from "../../../src/meta/index.js";
import { checkFile } from "../checkers/file-checker.js";
import {
  describeOperation,
  type FileAction,
  FileHistory,
  type FileOperation,
} from "../checkers/file-history.js";
import { contentOf } from "./content.js";
import { UnflushedWrites } from "./unflushed-writes.js";
import { type Actor, codeOf, type Workload, type WorkloadWorld } from "./workload.js";

/** How one file is used, drawn once. */
interface FilePlan {
  readonly chunkBytes: number;
  readonly replicas: number;
  readonly replicasMinimum: number;
  /** No operation reaches farther, except a few that leave a hole. */
  readonly sizeBytesMax: number;
  readonly requestBytesMax: number;
  /** Chance of an open to demand to be the only writer. */
  readonly exclusiveRate: number;
  readonly readerRate: number;
  readonly syncRate: number;
  readonly truncateRate: number;
  readonly punchRate: number;
  /** Chance of a request to be for one block or a few: clients send these together. */
  readonly blockRate: number;
  /** Requests under way on one handle. */
  readonly depthMax: number;
  /** Chance of an open to be followed by another number of replicas, up to this. */
  readonly storageRate: number;
  readonly replicasMax: number;
  /** Chance of a handle to be released instead of closed: as a mount does it, whose close(2) waits for nobody. */
  readonly releaseRate: number;
}

interface SimFile {
  readonly plan: FilePlan;
  readonly history: FileHistory;
  ino: InodeNumber;
  /** Handles that were given as the only writer's, and are not closed. */
  readonly holders: Map<FileHandle, Holder>;
}

/** An only writer. Once another one wrote, it may do nothing more. */
interface Holder {
  readonly process: string;
  readonly since: number;
  overtaken: { readonly at: number; readonly by: string } | undefined;
}

/** An open may wait for the lease of a dead client. */
const OPEN_MS_MAX = 15_000;
const READ_BACK_BYTES = 1 << 20;

/** Contents of files: written, read, cut and synced by several clients at once. */
export class FileWorkload implements Workload {
  readonly name: string;
  readonly counts = { begun: 0, succeeded: 0 };
  readonly #world: WorkloadWorld;
  readonly #files: SimFile[] = [];
  readonly #complaints: string[] = [];
  readonly #unflushed = new UnflushedWrites();
  #writeCount = 0;

  /** `small`: files about as large as what is kept in the metadata. */
  constructor(
    world: WorkloadWorld,
    prng: Prng,
    fileCount: number,
    replicasMax: number,
    kind: "file" | "small" = "file",
  ) {
    this.#world = world;
    this.name = kind === "small" ? "small files" : "files";
    const draw = kind === "small" ? drawSmallPlan : drawPlan;
    const nowMs = (): number => world.simulation.simulator.nowMs;
    for (let i = 0; i < fileCount; i++) {
      const plan = draw(prng, replicasMax);
      this.#files.push({
        plan,
        history: new FileHistory(`${kind}${i}`, world.positions, nowMs, plan.chunkBytes),
        ino: ROOT_INODE,
        holders: new Map(),
      });
    }
  }

  get histories(): readonly FileHistory[] {
    return this.#files.map(({ history }) => history);
  }

  async setUp(cluster: Cluster): Promise<void> {
    const { inodes } = cluster.fileSystem;
    for (const file of this.#files) {
      const { chunkBytes, replicas, replicasMinimum } = file.plan;
      const name = toUtf8(file.history.name);
      const { ino } = await inodes.create({ parent: ROOT_INODE, name, mode: MODE_FILE | 0o644 });
      await inodes.setStorage(ino, { chunkBytes, replicas, replicasMinimum });
      file.ino = ino;
    }
  }

  async work(actor: Actor): Promise<void> {
    const { prng } = actor;
    const file = prng.pick(this.#files);
    const { plan } = file;
    const access: Access = prng.chance(plan.readerRate)
      ? "read"
      : prng.chance(plan.exclusiveRate)
        ? "exclusive"
        : "write";
    const handle = await this.#open(actor, file, access);
    if (handle === undefined) return;
    const lanes = prng.between(1, plan.depthMax);
    const count = prng.between(1, 12);
    await Promise.all(
      Array.from({ length: lanes }, () => this.#lane(actor, file, handle, prng.fork(), count)),
    );
    if (prng.chance(plan.releaseRate)) await this.#release(file, handle);
    else await this.#close(file, handle);
    if (prng.chance(plan.storageRate)) await this.#changeReplicas(actor, file);
  }

  async readBack(actor: Actor): Promise<void> {
    for (const file of this.#files) {
      const handle = await actor.cluster.fileSystem.inodes.open(file.ino, "read");
      const size = { type: "size" as const };
      await this.#do(actor, file, handle, size);
      const sizeBytes = (size as { sizeBytes?: number }).sizeBytes ?? 0;
      for (let offset = 0; offset <= sizeBytes; offset += READ_BACK_BYTES) {
        await this.#do(actor, file, handle, { type: "read", offset, lengthBytes: READ_BACK_BYTES });
      }
      await handle.close();
    }
  }

  fence(isDead: (process: string) => boolean): void {
    for (const { history } of this.#files) history.fence(isDead);
  }

  powerFailed(): void {
    for (const { history } of this.#files) history.powerFailed();
  }

  check(): string[] {
    return [...this.#complaints, ...this.#files.flatMap(({ history }) => checkFile(history))];
  }

  async #open(actor: Actor, file: SimFile, access: Access): Promise<FileHandle | undefined> {
    try {
      const { inodes } = actor.cluster.fileSystem;
      const atOnce = this.counts.begun % 2 === 0 ? inodes.openAtOnce(file.ino, access) : undefined;
      const handle = atOnce ?? (await inodes.open(file.ino, access, { timeoutMs: OPEN_MS_MAX }));
      if (access === "exclusive") {
        const since = this.#world.positions.next();
        file.holders.set(handle, { process: actor.process, since, overtaken: undefined });
        // There is only one writer now: whatever others began is over.
        file.history.fence((process) => process !== actor.process);
      }
      return handle;
    } catch (error) {
      codeOf(error);
      await actor.node.host.clock.sleep("workload.pause", actor.prng.between(1, 200));
      return undefined;
    }
  }

  async #changeReplicas({ cluster, prng }: Actor, { ino, plan }: SimFile): Promise<void> {
    const replicas = prng.between(Math.min(2, plan.replicasMax), plan.replicasMax);
    try {
      await cluster.fileSystem.inodes.setStorage(
        ino,
        { replicas, replicasMinimum: 1 },
        { timeoutMs: OPEN_MS_MAX },
      );
    } catch (error) {
      codeOf(error);
    }
  }

  async #close(file: SimFile, handle: FileHandle): Promise<void> {
    const covered = this.#unflushed.take(handle);
    try {
      await handle.close();
      for (const write of covered) this.#succeeded(file, handle, write);
    } catch (error) {
      const code = codeOf(error);
      for (const write of covered) file.history.failed(write, code);
    }
    file.holders.delete(handle);
  }

  /** What is buffered goes on its way, and nobody is told whether it arrives: it has neither succeeded nor failed. */
  async #release(file: SimFile, handle: FileHandle): Promise<void> {
    this.#unflushed.take(handle);
    await handle.release();
    file.holders.delete(handle);
  }

  /** Operations one after the other; other lanes of the handle run beside. Ends early when the lease is lost. */
  async #lane(actor: Actor, file: SimFile, handle: FileHandle, prng: Prng, count: number): Promise<void> {
    for (let i = 0; i < count && !actor.isStopping(); i++) {
      if (!(await this.#do(actor, file, handle, this.#draw(file.plan, handle.access, prng)))) return;
      if (prng.chance(0.2)) await actor.node.host.clock.sleep("workload.think", prng.between(1, 80));
    }
  }

  #draw(plan: FilePlan, access: Access, prng: Prng): FileAction {
    const { offset, lengthBytes } = drawRange(plan, prng);
    if (access === "read" || prng.chance(0.4)) {
      return prng.chance(0.08) ? { type: "size" } : { type: "read", offset, lengthBytes };
    }
    if (prng.chance(plan.syncRate)) return { type: "sync" };
    if (prng.chance(plan.truncateRate)) {
      return { type: "truncate", sizeBytes: prng.chance(0.2) ? 0 : offset + lengthBytes };
    }
    if (prng.chance(plan.punchRate)) return { type: "punch", offset, lengthBytes };
    return { type: "write", offset, bytes: contentOf(++this.#writeCount, offset, lengthBytes) };
  }

  /** False if the handle is of no more use. */
  async #do(actor: Actor, file: SimFile, handle: FileHandle, action: FileAction): Promise<boolean> {
    this.counts.begun++;
    const covered = action.type === "sync" ? this.#unflushed.take(handle) : [];
    const operation = file.history.call(actor.process, action);
    try {
      // As a mount does; every other time, so that the other way is gone as well.
      const isDone = this.counts.begun % 2 === 0 && carryOutAtOnce(handle, action);
      if (!isDone) await carryOut(handle, action);
      this.counts.succeeded++;
      if (handle.isBuffered && action.type === "write") this.#unflushed.accepted(handle, operation);
      else this.#succeeded(file, handle, operation);
      for (const write of covered) this.#succeeded(file, handle, write);
      return true;
    } catch (error) {
      const code = codeOf(error);
      for (const lost of [operation, ...covered]) file.history.failed(lost, code);
      return false;
    }
  }

  #succeeded(file: SimFile, handle: FileHandle, operation: FileOperation): void {
    if (operation.outcome !== "pending") return;
    file.history.succeeded(operation);
    this.#checkHolders(file, handle, operation);
  }

  #checkHolders(file: SimFile, handle: FileHandle, operation: FileOperation): void {
    const { process, action, calledAt, returnedAt } = operation;
    if (action.type === "read" || action.type === "size" || action.type === "sync") return;
    const { overtaken } = file.holders.get(handle) ?? {};
    if (overtaken !== undefined && calledAt > overtaken.at) {
      const what = describeOperation(operation);
      this.#complaints.push(
        `${file.history.name}: ${what} by the only writer, though ${overtaken.by} has written`,
      );
    }
    for (const [other, holder] of file.holders) {
      if (other === handle || holder.process === process || calledAt < holder.since) continue;
      holder.overtaken ??= { at: returnedAt, by: process };
    }
  }
}

/** False if nothing was done, because somebody has to be waited for. */
function carryOutAtOnce(handle: FileHandle, action: FileAction): boolean {
  if (action.type === "write") return handle.writeAtOnce(action.bytes, action.offset);
  if (action.type !== "read") return false;
  const bytes = handle.readAtOnce(action.offset, action.lengthBytes);
  if (bytes !== undefined) action.bytes = bytes;
  return bytes !== undefined;
}

async function carryOut(handle: FileHandle, action: FileAction): Promise<void> {
  switch (action.type) {
    case "write":
      return await handle.write(action.bytes, action.offset);
    case "punch":
      return await handle.punch(action.offset, action.lengthBytes);
    case "truncate":
      return await handle.truncate(action.sizeBytes);
    case "sync":
      return await handle.sync();
    case "size":
      action.sizeBytes = await handle.size();
      return;
    case "read":
      action.bytes = await handle.read(action.offset, action.lengthBytes);
      return;
  }
}

function drawPlan(prng: Prng, replicasMax: number): FilePlan {
  const replicas = prng.between(Math.min(2, replicasMax), replicasMax);
  return {
    chunkBytes: prng.pick([64, 64, 128, 256, 1024]) * 1024,
    replicas,
    replicasMinimum: prng.chance(0.7) ? 1 : replicas - 1 || 1,
    sizeBytesMax: prng.pick([20_000, 200_000, 700_000, 3_000_000]),
    requestBytesMax: prng.pick([5000, 40_000, 150_000, 2 << 20]),
    exclusiveRate: prng.pick([0, 0.3, 1]),
    readerRate: prng.pick([0.1, 0.3, 0.5]),
    syncRate: prng.pick([0, 0.05, 0.3]),
    truncateRate: prng.pick([0, 0.02, 0.15]),
    punchRate: prng.pick([0, 0.02, 0.1]),
    depthMax: prng.pick([1, 2, 4]),
    blockRate: prng.pick([0, 0, 0.8]),
    storageRate: prng.pick([0, 0, 0.05]),
    replicasMax,
    releaseRate: prng.pick([0, 0.5, 1]),
  };
}

/** Stays within what the metadata keep, or grows beyond and is cut again. */
function drawSmallPlan(prng: Prng, replicasMax: number): FilePlan {
  return {
    ...drawPlan(prng, replicasMax),
    sizeBytesMax: prng.pick([300, 3000, 4096, 6000, 9000]),
    requestBytesMax: prng.pick([200, 3000, 5000]),
    truncateRate: prng.pick([0.02, 0.15, 0.3]),
  };
}

/** Aligned or not, small or large, mostly where something is already. */
function drawRange(plan: FilePlan, prng: Prng): { offset: number; lengthBytes: number } {
  if (prng.chance(plan.blockRate)) {
    const block = prng.below(Math.max(1, Math.floor(plan.sizeBytesMax / BLOCK_BYTES)));
    return { offset: block * BLOCK_BYTES, lengthBytes: prng.pick([1, 1, 1, 3]) * BLOCK_BYTES };
  }
  const size = prng.pick([1, 100, 4096, plan.requestBytesMax, plan.requestBytesMax]);
  let lengthBytes = Math.min(prng.between(1, size), plan.sizeBytesMax);
  let offset = prng.below(Math.max(1, plan.sizeBytesMax - lengthBytes));
  if (prng.chance(0.4)) {
    offset -= offset % BLOCK_BYTES;
    lengthBytes = Math.max(BLOCK_BYTES, lengthBytes - (lengthBytes % BLOCK_BYTES));
  }
  if (prng.chance(0.02)) offset += plan.sizeBytesMax;
  return { offset, lengthBytes };
}
