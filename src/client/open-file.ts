import { failureOf, storageError } from "../base/index.js";
import { sliceRange } from "../chunk/index.js";
import type { Timer } from "../io/index.js";
import {
  type Access,
  type Attributes,
  FILE_BYTES_MAX,
  type InodeNumber,
  type LeaseGrant,
  type MetadataReply,
  type RecallLease,
  type Timestamp,
} from "../meta/index.js";
import { ChunkIo, type ChunkIoWorld } from "./chunk-io.js";
import { ioSlices } from "./core/io-slices.js";
import { knowsSize } from "./core/lease-rules.js";
import { RangeLocks } from "./core/range-locks.js";
import { SizeTracker } from "./core/size-tracker.js";
import type { SyncTracker } from "./core/sync-tracker.js";
import { FileChunks } from "./file-chunks.js";
import { FileLease } from "./file-lease.js";
import { bodyOf } from "./replies.js";
import type { Session } from "./session.js";
import { abortable, Turn, throwIfAborted } from "./waiting.js";

export interface OpenFileWorld extends ChunkIoWorld {
  readonly session: Session;
  /** The file cannot be used any more; who opens the inode next begins anew. */
  readonly onLost: (file: OpenFile) => void;
}

/** Size and times that only this client knows are told to the MDS after this long. */
const REPORT_MS = 3000;
/** A file that is shared is opened once more now and then: perhaps the others have gone. */
const LIFT_MS = 10_000;

/**
 * One inode as this session has it open, whatever the number of its handles: its lease, maps, size, and what is under
 * way. Requests run side by side; only what overlaps a write waits for it.
 */
export class OpenFile {
  readonly ino: InodeNumber;
  readonly lease: FileLease;
  readonly chunks: FileChunks;
  /** Handles here. */
  readonly #handles: Record<Access, number> = { read: 0, write: 0, exclusive: 0 };
  /** Opens of this session that the MDS knows of. */
  readonly #opens: Record<Access, number> = { read: 0, write: 0, exclusive: 0 };
  readonly #world: OpenFileWorld;
  readonly #syncs: SyncTracker;
  readonly #io: ChunkIo;
  readonly #locks = new RangeLocks();
  readonly #granting = new Map<number, () => void>();
  readonly #sizes: SizeTracker;
  /** Reports of an exclusive holder and truncations: one after the other, since the latest counts. */
  readonly #sizeTurn = new Turn();
  #attributes: Attributes;
  /** Up to here an append may be writing under an exclusive lease: who comes after may not append before it. */
  #appendEnd = 0;
  #reportTimer: Timer | undefined;
  #liftedMs: number;

  constructor(world: OpenFileWorld, attributes: Attributes, syncs: SyncTracker) {
    const { session } = world;
    this.#world = world;
    this.#syncs = syncs;
    this.#attributes = attributes;
    this.ino = attributes.ino;
    this.#sizes = new SizeTracker(attributes.sizeBytes, attributes.mtime);
    this.#liftedMs = world.clock.monotonicMs();
    this.lease = new FileLease({
      isUsable: () => session.isUsable,
      whenUsable: (signal) => session.whenUsable(signal),
      reacquire: () => this.#openOnceMore(),
      report: (recall) => this.#answerRecall(recall),
      changed: (from, to, news) => this.#leaseChanged(from, to, news),
      lost: () => this.#leaseLost(),
    });
    this.chunks = new FileChunks({ ...world, lease: () => this.lease.grant }, this.ino);
    this.#io = new ChunkIo(world, this);
  }

  get handleCount(): number {
    return this.#handles.read + this.#handles.write + this.#handles.exclusive;
  }

  get #isWriter(): boolean {
    return this.#handles.write + this.#handles.exclusive > 0;
  }

  get #chunkBytes(): number {
    return this.#attributes.storage.chunkBytes;
  }

  /** A handle was opened: the MDS said so. */
  opened(access: Access, grant: LeaseGrant, attributes: Attributes): void {
    this.#handles[access]++;
    this.#opens[access]++;
    this.lease.granted(grant, attributes);
  }

  /** A handle is closed: what only this client knows is reported first. Fails as the report fails. */
  async closed(access: Access): Promise<void> {
    try {
      if (access !== "read") await this.flush();
    } finally {
      this.#handles[access]--;
      await this.#balanceOpens(access);
    }
  }

  /** A new session began: the MDS knows nothing of this file's opens. */
  sessionLost(): void {
    this.#opens.read = 0;
    this.#opens.write = 0;
    this.#opens.exclusive = 0;
    this.lease.lose();
  }

  /** What the MDS says, with what only this client knows yet. */
  withLocalChanges(attributes: Attributes): Attributes {
    if (!this.#sizes.isDirty || this.lease.kind !== "exclusive") return attributes;
    return { ...attributes, sizeBytes: this.#sizes.sizeBytes, mtime: this.#sizes.mtime };
  }

  /** Bytes from the offset on, fewer only at the end of the file. */
  async read(offset: number, lengthBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
    checkRange(offset, lengthBytes);
    return await this.#locked("read", offset, offset + lengthBytes, signal, async () => {
      const sizeBytes = await this.size(signal);
      const length = Math.max(0, Math.min(lengthBytes, sizeBytes - offset));
      const slices = ioSlices(offset, length, this.#chunkBytes);
      const parts = await allDone(slices.map((slice) => this.#io.read(slice, signal)));
      const [only] = parts;
      if (parts.length === 1 && only !== undefined) return only;
      const result = new Uint8Array(length);
      slices.forEach((slice, i) => {
        const part = parts[i];
        if (part !== undefined) result.set(part, slice.offsetInRequest);
      });
      return result;
    });
  }

  async write(offset: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    checkRange(offset, bytes.length);
    if (bytes.length === 0) return;
    await this.#locked("write", offset, offset + bytes.length, signal, () =>
      this.#writeLocked(offset, bytes, signal),
    );
  }

  /** Writes behind the last byte, and returns where that was. */
  async append(bytes: Uint8Array, signal?: AbortSignal): Promise<number> {
    return await this.#locked("write", 0, FILE_BYTES_MAX, signal, async () => {
      const offset = await this.#placeAppend(bytes.length, signal);
      try {
        if (bytes.length > 0) await this.#writeLocked(offset, bytes, signal);
        return offset;
      } finally {
        this.#appendEnd = 0;
      }
    });
  }

  /** Makes the range read as zeros and gives its space back. The size stays. */
  async punch(offset: number, lengthBytes: number, signal?: AbortSignal): Promise<void> {
    checkRange(offset, lengthBytes);
    await this.#locked("write", offset, offset + lengthBytes, signal, async () => {
      const end = Math.min(offset + lengthBytes, await this.size(signal));
      if (end <= offset) return;
      const slices = sliceRange(offset, end - offset, this.#chunkBytes, ZERO_BYTES_MAX);
      await allDone(
        slices.map(async (slice) => {
          if (await this.#io.zero(slice, signal)) this.#syncs.wrote(slice.index);
        }),
      );
      await this.#noteWritten(end, signal);
    });
  }

  async truncate(sizeBytes: number, signal?: AbortSignal): Promise<void> {
    checkRange(sizeBytes, 0);
    await this.#locked("write", 0, FILE_BYTES_MAX, signal, async () => {
      // Whoever only reads here may cut the file all the same: that is a matter of the MDS.
      if (this.#isWriter) await this.lease.ready("write", signal);
      await this.#sizeTurn.take(async () => {
        await this.#report();
        const reply = await this.#world.session.mutate(
          (id) => ({ type: "truncate", body: { id, ino: this.ino, sizeBytes } }),
          { urgency: "patient" },
        );
        const { attributes } = bodyOf(reply, "entry");
        this.#sizes.set(attributes.sizeBytes, attributes.mtime);
        const firstGone = Math.ceil(sizeBytes / this.#chunkBytes);
        this.chunks.cache.forgetFrom(firstGone);
        this.#syncs.forgetFrom(firstGone);
      });
    });
  }

  /** Everything acknowledged before the call survives the loss of power everywhere, size included. */
  async sync(signal?: AbortSignal): Promise<void> {
    const pending = this.#syncs.pending();
    await allDone(
      pending.map(async (unsynced) => {
        await this.#io.sync(unsynced.index, signal);
        this.#syncs.synced(unsynced);
      }),
    );
    await this.flush();
  }

  /** Tells the MDS what it does not know of size and times. */
  async flush(): Promise<void> {
    if (!this.#sizes.isDirty) return;
    await this.#sizeTurn.take(() => this.#report());
  }

  async size(signal?: AbortSignal): Promise<number> {
    await this.lease.ready("read", signal);
    if (knowsSize(this.lease.kind)) return this.#sizes.sizeBytes;
    return (await this.#ask(signal)).sizeBytes;
  }

  /** The last handle is closed. */
  dispose(): void {
    this.#reportTimer?.cancel();
  }

  /** Where the next so many bytes are nobody else's: at the end as known here, or where the MDS makes room. */
  async #placeAppend(lengthBytes: number, signal: AbortSignal | undefined): Promise<number> {
    for (;;) {
      await this.lease.ready("write", signal);
      const { kind, sequence } = this.lease.grant;
      if (kind === "exclusive") {
        const { sizeBytes } = this.#sizes;
        checkRange(sizeBytes, lengthBytes);
        this.#appendEnd = sizeBytes + lengthBytes;
        return sizeBytes;
      }
      this.#liftSometimes();
      if (lengthBytes === 0) return (await this.#ask(signal)).sizeBytes;
      const offset = await this.#extend(sequence, lengthBytes, signal);
      if (offset !== undefined) return offset;
    }
  }

  /** Undefined if the lease of that sequence is not the present one any more. */
  async #extend(
    leaseSequence: number,
    lengthBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<number | undefined> {
    const { ino } = this;
    const extending = this.#world.session.mutate(
      (id) => ({ type: "extend", body: { id, ino, leaseSequence, lengthBytes } }),
      { isBound: true, urgency: "patient", signal },
    );
    const reply = await this.#underLease(leaseSequence, extending);
    if (reply === undefined) return undefined;
    const { offset, attributes } = bodyOf(reply, "extended");
    this.#sizes.learn(attributes.sizeBytes, attributes.mtime);
    return offset;
  }

  async #writeLocked(offset: number, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    await allDone(
      ioSlices(offset, bytes.length, this.#chunkBytes).map(async (slice) => {
        const part = bytes.subarray(slice.offsetInRequest, slice.offsetInRequest + slice.lengthBytes);
        await this.#io.write(slice, part, signal);
        this.#syncs.wrote(slice.index);
      }),
    );
    await this.#noteWritten(offset + bytes.length, signal);
  }

  /**
   * Before a write is acknowledged to the caller, its end must be known where others look for it: here under an
   * exclusive lease, at the MDS under a shared one. What the MDS said of the size before is no help: somebody may have
   * truncated since.
   */
  async #noteWritten(end: number, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      await this.lease.ready("write", signal);
      const { kind, sequence } = this.lease.grant;
      if (kind === "exclusive") {
        this.#wroteUpTo(end);
        return;
      }
      this.#liftSometimes();
      const { sizeBytes } = await this.#ask(signal);
      if (end <= sizeBytes) {
        this.#wroteUpTo(0);
        return;
      }
      if (await this.#sendReport(sequence, end, this.#now())) return;
    }
  }

  /** Remembers what is to be reported, and sees to it that it is. */
  #wroteUpTo(end: number): void {
    this.#sizes.wrote(end, this.#now());
    this.#reportTimer ??= this.#world.clock.after("client.report", REPORT_MS, () => {
      this.#reportTimer = undefined;
      this.flush().catch((error) => this.#complain("size and times could not be reported", error));
    });
  }

  async #ask(signal: AbortSignal | undefined): Promise<Attributes> {
    const reply = await this.#world.session.query(
      { type: "getAttributes", body: { ino: this.ino } },
      { signal },
    );
    const { attributes } = bodyOf(reply, "entry");
    this.#sizes.learn(attributes.sizeBytes, attributes.mtime);
    return attributes;
  }

  /** Only in turn. */
  async #report(): Promise<void> {
    while (this.#sizes.isDirty) {
      if (this.lease.isLost) throw storageError("lease_lost", "size and times of the last writes are lost");
      const { kind, sequence } = this.lease.grant;
      // Reported by the answer to a recall, or nothing to be reported by who only reads.
      if (kind !== "exclusive" && kind !== "shared") return;
      const report = this.#sizes.report();
      // Where others write too the size known here may be too large by now; it was reported when it grew.
      const sizeBytes = kind === "exclusive" ? report.sizeBytes : 0;
      if (await this.#sendReport(sequence, sizeBytes, report.mtime)) this.#sizes.confirmed(report);
    }
  }

  /** False if the lease of that sequence is not the present one any more: look how things are, and report again. */
  async #sendReport(leaseSequence: number, sizeBytes: number, mtime: Timestamp): Promise<boolean> {
    const reporting = this.#world.session.mutate(
      (id) => ({ type: "reportFile", body: { id, ino: this.ino, leaseSequence, sizeBytes, mtime } }),
      { isBound: true },
    );
    return (await this.#underLease(leaseSequence, reporting)) !== undefined;
  }

  /** Undefined if the lease of that sequence is not the present one any more. */
  async #underLease(
    leaseSequence: number,
    answer: Promise<MetadataReply>,
  ): Promise<MetadataReply | undefined> {
    try {
      return await answer;
    } catch (error) {
      const code = failureOf(error)?.code;
      if (code === "lease_lost") this.lease.refused(leaseSequence);
      if (code === "lease_lost" || code === "session_lost") return undefined;
      throw error;
    }
  }

  async #answerRecall({ leaseSequence, to: downgradeTo, ask }: RecallLease): Promise<Attributes> {
    const isExclusive = this.lease.kind === "exclusive";
    const answer = async (): Promise<Attributes> => {
      const report = this.#sizes.report();
      const { ino } = this;
      const roomEnd = downgradeTo === "exclusive" ? 0 : this.#appendEnd;
      const sizeBytes = isExclusive ? Math.max(report.sizeBytes, roomEnd) : 0;
      const reply = await this.#world.session.mutate(
        (id) => ({
          type: "reportFile",
          body: { id, ino, leaseSequence, sizeBytes, mtime: report.mtime, downgradeTo, ask },
        }),
        { isBound: true, urgency: "urgent" },
      );
      this.#sizes.confirmed(report);
      return bodyOf(reply, "entry").attributes;
    };
    // Beside an exclusive lease there is no other: nobody whose answer our own truncation may be waiting for.
    return isExclusive ? await this.#sizeTurn.take(answer) : await answer();
  }

  #leaseChanged(from: LeaseGrant, to: LeaseGrant, attributes: Attributes): void {
    this.#attributes = attributes;
    if (from.kind === "exclusive") this.#sizes.learn(attributes.sizeBytes, attributes.mtime);
    else this.#sizes.adopt(attributes.sizeBytes, attributes.mtime);
    const { cache } = this.chunks;
    const isOther = from.sequence !== to.sequence || to.kind === "none";
    if (isOther) cache.forgetAll();
    if (isOther || to.kind === "read") cache.forgetWriters();
    if (to.kind === "shared") cache.forgetHoles();
  }

  #leaseLost(): boolean {
    this.chunks.cache.forgetAll();
    this.chunks.cache.forgetWriters();
    if (!this.#isWriter) return true;
    this.#world.onLost(this);
    return false;
  }

  /** The MDS grants leases with opens only: one more, which is closed at once if no handle needs it. */
  async #openOnceMore(): Promise<void> {
    const reply = await this.#world.session.mutate(
      (id) => ({ type: "open", body: { id, ino: this.ino, access: "read" } }),
      { urgency: "patient", repeat: "new-session" },
    );
    const { attributes, lease } = bodyOf(reply, "opened");
    this.#liftedMs = this.#world.clock.monotonicMs();
    this.#opens.read++;
    this.lease.granted(lease, attributes);
    await this.#balanceOpens("read");
  }

  #liftSometimes(): void {
    if (this.#world.clock.monotonicMs() - this.#liftedMs < LIFT_MS) return;
    this.#liftedMs = this.#world.clock.monotonicMs();
    this.lease.lift().catch((error) => this.#complain("a shared lease could not be lifted", error));
  }

  /** Closes at the MDS what no handle needs. */
  async #balanceOpens(access: Access): Promise<void> {
    while (this.#opens[access] > this.#handles[access]) {
      this.#opens[access]--;
      try {
        await this.#world.session.mutate((id) => ({ type: "close", body: { id, ino: this.ino, access } }), {
          isBound: true,
        });
      } catch (error) {
        const code = failureOf(error)?.code;
        // Whoever ended the session or the lease has closed it too.
        if (code !== "session_lost" && code !== "lease_lost" && code !== "closed") throw error;
      }
    }
  }

  #complain(message: string, error: unknown): void {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    if (failure.code !== "closed") this.#world.log.warn(message, { ino: this.ino, code: failure.code });
  }

  async #locked<T>(
    type: "read" | "write",
    begin: number,
    end: number,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    throwIfAborted(signal);
    const { id, isGranted } = this.#locks.claim(type, begin, end);
    try {
      if (!isGranted)
        await abortable(new Promise<void>((resolve) => this.#granting.set(id, resolve)), signal);
      return await work();
    } finally {
      this.#granting.delete(id);
      for (const next of this.#locks.release(id)) this.#granting.get(next)?.();
    }
  }

  #now(): Timestamp {
    const ms = this.#world.clock.wallMs();
    const seconds = Math.floor(ms / 1000);
    return { seconds, nanos: Math.min(999_999_999, Math.floor((ms - seconds * 1000) * 1e6)) };
  }
}

/** Of one request that makes zeros. */
const ZERO_BYTES_MAX = 64 << 20;

function checkRange(offset: number, lengthBytes: number): void {
  const isRange =
    Number.isSafeInteger(offset) && Number.isSafeInteger(lengthBytes) && offset >= 0 && lengthBytes >= 0;
  if (!isRange) throw storageError("invalid", "not a range of a file");
  if (offset + lengthBytes > FILE_BYTES_MAX) throw storageError("file_too_large");
}

/** All outcomes, or the first failure, but not before everything has ended: what was begun is still under the lock. */
async function allDone<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results: T[] = [];
  for (const outcome of await Promise.allSettled(promises)) {
    if (outcome.status === "rejected") throw outcome.reason;
    results.push(outcome.value);
  }
  return results;
}
