import { storageError } from "../base/index.js";
import {
  type Access,
  type Attributes,
  FILE_BYTES_MAX,
  type InodeNumber,
  type LeaseGrant,
  type Opened,
} from "../meta/index.js";
import { checkRange } from "./core/file-range.js";
import { InlineImage, type UntoldBytes } from "./core/inline-image.js";
import { mayKeepHoles } from "./core/lease-rules.js";
import type { Loan } from "./core/lent-block.js";
import type { SyncTracker } from "./core/sync-tracker.js";
import { FileChunks } from "./file-chunks.js";
import { FileContent, type FileContentWorld } from "./file-content.js";
import { FileLease } from "./file-lease.js";
import { FileOpens, type Surplus } from "./file-opens.js";
import type { FileReports } from "./file-reports.js";
import { FileSize } from "./file-size.js";
import { RangeTurns } from "./range-turns.js";
import type { Session } from "./session.js";
import { abortable } from "./waiting.js";

export interface OpenFileWorld extends FileContentWorld {
  readonly session: Session;
  readonly reports: FileReports;
  /** Of all files of the client. */
  readonly untold: UntoldBytes;
  /** The file cannot be used any more; who opens the inode next begins anew. */
  readonly onLost: (file: OpenFile) => void;
  /** What the MDS says after it was told of size and times. */
  readonly onReported: (attributes: Attributes) => void;
}

/** What came with a lease. */
type Granted = Pick<Opened, "lease" | "attributes" | "inline">;

/**
 * One inode as this session has it open, whatever the number of its handles: its lease, maps, size, and what is under
 * way. Requests run side by side; only what overlaps a write waits for it.
 */
export class OpenFile {
  readonly ino: InodeNumber;
  readonly lease: FileLease;
  readonly chunks: FileChunks;
  readonly #world: OpenFileWorld;
  readonly #syncs: SyncTracker;
  readonly #content: FileContent;
  readonly #turns = new RangeTurns();
  readonly #image: InlineImage;
  readonly #opens: FileOpens;
  readonly #size: FileSize;
  #attributes: Attributes;
  /** Losses of early changes that handles of this file know of, or that were before it. */
  #lossCount: number;

  constructor(world: OpenFileWorld, attributes: Attributes, syncs: SyncTracker) {
    const { session } = world;
    this.#world = world;
    this.#image = new InlineImage(world.untold);
    this.#syncs = syncs;
    this.#attributes = attributes;
    this.#lossCount = session.lossCount;
    this.ino = attributes.ino;
    this.lease = new FileLease({
      isUsable: () => session.isUsable,
      whenUsable: (signal) => session.whenUsable(signal),
      reacquire: () => this.#opens.openOnceMore(),
      comesDown: async (from, to) => world.leaseComesDown?.(this.ino, from, to),
      drain: () => this.#handOver(),
      report: (recall) => this.#size.answerRecall(recall),
      changed: (from, to, news) => this.#leaseChanged(from, to, news),
      lost: () => this.#leaseLost(),
    });
    const writingEnded = (told: Attributes): void => this.#content.writingEnded(told);
    const unsaid = {
      isEmpty: () => this.isAllSaid,
      say: () => this.flush(),
    };
    const granted = (opened: Granted): void => this.#granted(opened);
    this.#opens = new FileOpens(world, this.ino, this.lease, { unsaid, writingEnded, granted });
    const image = this.#image;
    const sized = { ino: this.ino, lease: this.lease, image, sharedWrite: () => this.#opens.liftSometimes() };
    this.#size = new FileSize(world, sized, attributes);
    const beforeAllocating = (): Promise<void> => this.#content.leaveImage();
    this.chunks = new FileChunks({ lease: () => this.lease.grant, beforeAllocating, ...world }, this.ino);
    this.#content = new FileContent(world, {
      lease: this.lease,
      chunks: this.chunks,
      size: this.#size,
      image,
      syncs,
      chunkBytes: () => this.#chunkBytes,
    });
  }

  get handleCount(): number {
    return this.#opens.handleCount;
  }

  /** The MDS knows everything that may still be told. */
  get isAllSaid(): boolean {
    return this.#content.isSettled && !this.#size.isUnsaid;
  }

  /** Nobody else writes the file. */
  get #isAlone(): boolean {
    return this.lease.kind === "exclusive";
  }

  /** Where the chunk ends in which a file of that size does. */
  #chunkEnd(sizeBytes: number): number {
    return Math.ceil(sizeBytes / this.#chunkBytes) * this.#chunkBytes;
  }

  get #chunkBytes(): number {
    return this.#attributes.storage.chunkBytes;
  }

  /** A handle was opened: the MDS said so. */
  opened(access: Access, opened: Granted): void {
    this.#opens.opened(access);
    this.#granted(opened);
  }

  /** As what another handle may be counted without asking the MDS, if that is so. */
  reusable(access: Access): Access | undefined {
    const { isInForce, isLost, isBeingGivenUp } = this.lease;
    const isUsable = isInForce && !isLost && !isBeingGivenUp && !this.#attributes.storage.exclusive;
    return isUsable ? this.#opens.reusable(access) : undefined;
  }

  reused(access: Access): void {
    this.#opens.reused(access);
  }

  /** A handle is closed; what it leaves behind, and that it is closed, is said by `settle`. */
  released(access: Access): void {
    this.#opens.released(access);
  }

  /** The MDS hears what it does not know yet, of the contents and of closed handles. */
  async settle(): Promise<void> {
    try {
      await this.#content.drain(0, FILE_BYTES_MAX);
      await this.#settleTogether();
      await this.report();
    } finally {
      await this.#opens.settle();
    }
  }

  /** A handle is closed: what only this client knows is reported first. Fails as the report fails. */
  async closed(access: Access): Promise<void> {
    try {
      if (access !== "read") await this.flush();
    } finally {
      await this.#opens.closed(access);
    }
  }

  /** A new session began: the MDS knows nothing of this file's opens. */
  sessionLost(): void {
    this.#opens.sessionLost();
    this.lease.lose();
  }

  /** What the MDS says, with what only this client knows yet. */
  withLocalChanges(attributes: Attributes): Attributes {
    return this.#size.withLocalChanges(attributes);
  }

  /** Bytes from the offset on, fewer only at the end of the file; of a buffered read nobody may change them, or they are lent. */
  async read(
    offset: number,
    lengthBytes: number,
    isBuffered: boolean,
    signal?: AbortSignal,
    loan?: Loan,
  ): Promise<Uint8Array> {
    checkRange(offset, lengthBytes);
    return await this.#turns.take("read", offset, offset + lengthBytes, signal, async () => {
      const sizeBytes = await this.size(signal);
      const length = Math.max(0, Math.min(lengthBytes, sizeBytes - offset));
      return await this.#content.read(offset, length, isBuffered ? sizeBytes : undefined, signal, loan);
    });
  }

  /** As `FileHandle.readAtOnce`. */
  readAtOnce(offset: number, lengthBytes: number, isBuffered: boolean, loan?: Loan): Uint8Array | undefined {
    if (!this.#turns.isFree(offset, offset + lengthBytes)) return undefined;
    const sizeBytes = this.#size.nowAtOnce;
    if (sizeBytes === undefined) return undefined;
    const length = Math.max(0, Math.min(lengthBytes, sizeBytes - offset));
    return this.#content.readAtOnce(offset, length, isBuffered ? sizeBytes : undefined, loan);
  }

  /** As `FileHandle.writeAtOnce`. */
  writeAtOnce(offset: number, bytes: Uint8Array): boolean {
    const end = offset + bytes.length;
    return (
      end <= FILE_BYTES_MAX && this.#turns.isFree(offset, end) && this.#content.writeAtOnce(offset, bytes)
    );
  }

  /** Resolves when all replicas have the bytes; `isBuffered`: or when they are safe from everything but our own end. */
  async write(offset: number, bytes: Uint8Array, isBuffered: boolean, signal?: AbortSignal): Promise<void> {
    checkRange(offset, bytes.length);
    await this.#turns.take("write", offset, offset + bytes.length, signal, () =>
      this.#content.write(offset, bytes, isBuffered, signal),
    );
  }

  /** Writes behind the last byte, and returns where that was. */
  async append(bytes: Uint8Array, isBuffered: boolean, signal?: AbortSignal): Promise<number> {
    return await this.#turns.take("write", 0, FILE_BYTES_MAX, signal, async () => {
      const offset = await this.#size.placeAppend(bytes.length, signal);
      try {
        await this.#content.write(offset, bytes, isBuffered, signal);
        return offset;
      } finally {
        this.#size.appendEnded();
      }
    });
  }

  /** Makes the range read as zeros and gives its space back. The size stays. */
  async punch(offset: number, lengthBytes: number, signal?: AbortSignal): Promise<void> {
    await this.zeroRange(offset, lengthBytes, true, signal);
  }

  /** Makes the range read as zeros; the file grows to its end unless `keepSize`. */
  async zeroRange(
    offset: number,
    lengthBytes: number,
    keepSize: boolean,
    signal?: AbortSignal,
  ): Promise<void> {
    checkRange(offset, lengthBytes);
    await this.#turns.take("write", offset, offset + lengthBytes, signal, async () => {
      const sizeBytes = await this.size(signal);
      const end = Math.min(offset + lengthBytes, sizeBytes);
      // What another client is just writing behind the end, by a write that this one comes after, has to go as well.
      const reach = Math.min(offset + lengthBytes, this.#isAlone ? sizeBytes : this.#chunkEnd(sizeBytes));
      if (reach > offset) await this.#content.zero(offset, reach, signal);
      if (!keepSize && offset + lengthBytes > sizeBytes)
        await this.#size.noteWritten(offset + lengthBytes, signal);
      else if (end > offset) await this.#size.noteZeroed(signal);
    });
  }

  /** The file grows to the end of the range, unless `keepSize`. */
  async allocate(
    offset: number,
    lengthBytes: number,
    keepSize: boolean,
    signal?: AbortSignal,
  ): Promise<void> {
    checkRange(offset, lengthBytes);
    const end = offset + lengthBytes;
    const grown = this.#turns.take("write", offset, end, signal, async () => {
      if (keepSize || (await this.size(signal)) >= end) return;
      await this.#size.noteWritten(end, signal);
      await this.#size.report();
    });
    await abortable(grown, signal);
  }

  /** Where data, or a hole, begin at or after the offset. The end of the file is a hole. */
  async seek(what: "data" | "hole", offset: number, signal?: AbortSignal): Promise<number | undefined> {
    checkRange(offset, 0);
    const sizeBytes = await this.size(signal);
    if (offset >= sizeBytes) return undefined;
    const found = await this.#content.seek(what, offset, sizeBytes, signal);
    return what === "data" && found === sizeBytes ? undefined : found;
  }

  async truncate(sizeBytes: number, signal?: AbortSignal): Promise<void> {
    checkRange(sizeBytes, 0);
    const cut = this.#turns.take("write", 0, FILE_BYTES_MAX, signal, async () => {
      // Whoever only reads here may cut the file all the same: that is a matter of the MDS.
      if (this.#opens.isWriter) await this.lease.ready("write", signal);
      // What was accepted for bytes that go must not arrive after they have gone.
      await this.#content.drain(sizeBytes, FILE_BYTES_MAX, signal);
      const { sequence } = this.lease.grant;
      await this.#size.truncate(sizeBytes, (inline) => {
        const firstGone = Math.ceil(sizeBytes / this.#chunkBytes);
        this.chunks.cache.forgetFrom(firstGone);
        this.#syncs.forgetFrom(firstGone);
        this.#content.cut(sizeBytes);
        const isSame = this.lease.kind === "exclusive" && this.lease.grant.sequence === sequence;
        if (isSame && sizeBytes === 0) this.#image.emptied(inline);
      });
    });
    // What was sent may still be carried out: whoever waits leaves, and the next writes come after it all the same.
    await abortable(cut, signal);
  }

  /** Everything acknowledged before the call survives the loss of power everywhere, size included. */
  async sync(signal?: AbortSignal): Promise<void> {
    await this.#content.sync(signal);
    await abortable(this.#size.secure(), signal);
    const lossCount = this.#lossCount;
    this.#lossCount = this.#world.session.lossCount;
    await this.#world.session.committed(lossCount, signal);
  }

  /** Everything acknowledged before the call is on all replicas, and the MDS knows size and times. */
  async flush(signal?: AbortSignal): Promise<void> {
    await this.#content.drain(0, FILE_BYTES_MAX, signal);
    await abortable(this.report(), signal);
  }

  /** Tells the MDS what it does not know of size and times. */
  async report(): Promise<void> {
    await this.#size.report();
  }

  /** Changes attributes, so that no report of earlier writes takes them back. */
  changeTimes(change: () => Promise<Attributes>): Promise<Attributes> {
    return this.#size.changeTimes(change);
  }

  /** How often what was accepted could not be stored, and why at last. */
  get writeFailures(): FileContent["writeFailures"] {
    return this.#content.writeFailures;
  }

  size(signal?: AbortSignal): Promise<number> {
    return this.#size.now(signal);
  }

  /** The last handle is closed. */
  dispose(): void {
    this.#size.dispose();
    this.#content.dispose();
    this.#image.forget();
  }

  /** The lease is about to come down: the MDS hears of what only this client knows of the contents. */
  async #handOver(): Promise<void> {
    await this.#content.drain(0, FILE_BYTES_MAX);
    if (this.#image.isDirty) await this.report();
  }

  /** The last report and the closes in one. What is not done by that is left to others. */
  async #settleTogether(): Promise<void> {
    let surplus: Surplus = { closes: [], epoch: 0 };
    let isTold = false;
    try {
      // What was accepted since would be lost with the open that it needs: then others see to it.
      const result = await this.#size.settle(() => {
        if (this.#content.isSettled) surplus = this.#opens.takeSurplus();
        return surplus.closes;
      });
      isTold = result !== undefined;
      if (isTold) this.#opens.ended(surplus, result?.attributes);
    } finally {
      if (!isTold) this.#opens.remain(surplus);
    }
  }

  #granted({ lease, attributes, inline }: Granted): void {
    this.lease.granted(lease, attributes);
    const { kind, sequence } = this.lease.grant;
    if (sequence !== lease.sequence) return;
    this.#image.granted(sequence, mayKeepHoles(kind) ? inline : undefined);
  }

  #leaseChanged(from: LeaseGrant, to: LeaseGrant, attributes: Attributes): void {
    this.#attributes = attributes;
    this.#size.leaseChanged(from, attributes);
    this.#content.leaseChanged(attributes);
    const { cache } = this.chunks;
    const isOther = from.sequence !== to.sequence || to.kind === "none";
    if (isOther || !mayKeepHoles(to.kind)) {
      this.#content.forgetReads();
      this.#image.forget();
    }
    if (isOther) cache.forgetAll();
    if (isOther || to.kind === "read") cache.forgetWriters();
    if (to.kind === "shared") cache.forgetHoles();
  }

  #leaseLost(): boolean {
    this.#content.forgetReads();
    this.chunks.cache.forgetAll();
    this.chunks.cache.forgetWriters();
    this.#content.drop(storageError("lease_lost", "the lease was lost before an earlier write was stored"));
    if (!this.#opens.isWriter) return true;
    this.#world.onLost(this);
    return false;
  }
}
