import { failureOf, storageError } from "../base/index.js";
import { BLOCK_BYTES } from "../chunk/index.js";
import type { Clock, Timer } from "../io/index.js";
import {
  type Access,
  type Attributes,
  type InlineContents,
  type InodeNumber,
  isLaterTime,
  type LeaseGrant,
  type RecallLease,
  type ReportFile,
  type SettleResult,
  type Timestamp,
  WRITTEN_CHUNKS_MAX,
  type WrittenChunk,
} from "../meta/index.js";
import type { Logger } from "../telemetry/index.js";
import { checkRange } from "./core/file-range.js";
import type { InlineImage } from "./core/inline-image.js";
import { knowsSize } from "./core/lease-rules.js";
import { type SizeReport, SizeTracker } from "./core/size-tracker.js";
import type { FileLease } from "./file-lease.js";
import type { FileReports } from "./file-reports.js";
import { bodyOf } from "./replies.js";
import type { Session } from "./session.js";
import { Turn } from "./waiting.js";

export interface FileSizeWorld {
  readonly clock: Clock;
  readonly log: Logger;
  readonly session: Session;
  readonly reports: FileReports;
  /** The MDS has taken over a report: before anything here is taken for reported. */
  readonly onReported: (attributes: Attributes) => void;
}

/** What the size lends from its file. */
export interface SizedFile {
  readonly ino: InodeNumber;
  readonly lease: FileLease;
  /** Told together with the size. */
  readonly image: InlineImage;
  /** A write went on under a shared lease: others may have gone since. */
  readonly sharedWrite: () => void;
}

/** What is reported under a shared lease. */
type Said = Omit<SizeReport, "mark"> & Pick<ReportFile, "zeroed"> & Partial<Pick<ReportFile, "written">>;

/** Those that decide about the end, if there are more than may be told. */
const farthest = (reached: readonly WrittenChunk[]): WrittenChunk[] =>
  reached
    .map(({ chunkId, version, endBytes }) => ({ chunkId, version, endBytes }))
    .sort((a, b) => b.endBytes - a.endBytes)
    .slice(0, WRITTEN_CHUNKS_MAX);

/** Size and times that only this client knows are told to the MDS after this long. */
const REPORT_MS = 3000;
/** With contents that wait here: after this long at the latest, at the same moments for all files, so that they go together. */
const CONTENTS_MS = 1000;
const MOMENT_MS = 250;

/**
 * Size and times of one open file. Under an exclusive lease they are known here, and reported now and then; under a
 * shared one the MDS knows them, and hears of a write before the writer does.
 */
export class FileSize {
  readonly #world: FileSizeWorld;
  readonly #file: SizedFile;
  readonly #tracker: SizeTracker;
  /** Reports of an exclusive holder and truncations: one after the other, since the latest counts. */
  readonly #turn = new Turn();
  /** Up to here an append may be writing under an exclusive lease: who comes after may not append before it. */
  #appendEnd = 0;
  #reportTimer: Timer | undefined;

  constructor(world: FileSizeWorld, file: SizedFile, { sizeBytes, mtime }: Attributes) {
    this.#world = world;
    this.#file = file;
    this.#tracker = new SizeTracker(sizeBytes, mtime);
  }

  /** As known here: the truth only under a lease that knows it. */
  get knownBytes(): number {
    return this.#tracker.sizeBytes;
  }

  /** Size, times or contents are known here only, and may be told. */
  get isUnsaid(): boolean {
    const { kind } = this.#file.lease;
    return this.#isDirty && (kind === "exclusive" || kind === "shared");
  }

  /** What the MDS says, with what only this client knows yet. */
  withLocalChanges(attributes: Attributes): Attributes {
    if (!this.#tracker.isDirty || this.#file.lease.kind !== "exclusive") return attributes;
    const { sizeBytes, mtime, unreportedBytes } = this.#tracker;
    const ctime = isLaterTime(mtime, attributes.ctime) ? mtime : attributes.ctime;
    const writtenBlocks = Math.ceil(unreportedBytes / BLOCK_BYTES) * BLOCK_BYTES;
    const sizeBlocks = Math.ceil(sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
    const allocatedBytes = Math.min(sizeBlocks, attributes.allocatedBytes + writtenBlocks);
    return { ...attributes, sizeBytes, mtime, ctime, allocatedBytes };
  }

  /** The present size, bytes, if it is known here. */
  get nowAtOnce(): number | undefined {
    const { lease } = this.#file;
    return lease.isReady("read") && knowsSize(lease.kind) ? this.#tracker.sizeBytes : undefined;
  }

  /** The present size, bytes. */
  async now(signal?: AbortSignal): Promise<number> {
    const { lease } = this.#file;
    await lease.ready("read", signal);
    if (knowsSize(lease.kind)) return this.#tracker.sizeBytes;
    return (await this.#ask(signal)).sizeBytes;
  }

  /** Where the next so many bytes are nobody else's: at the end as known here, or where the MDS makes room. */
  async placeAppend(lengthBytes: number, signal: AbortSignal | undefined): Promise<number> {
    const { lease, sharedWrite } = this.#file;
    for (;;) {
      await lease.ready("write", signal);
      const { kind, sequence } = lease.grant;
      if (kind === "exclusive") {
        const { sizeBytes } = this.#tracker;
        checkRange(sizeBytes, lengthBytes);
        this.#appendEnd = sizeBytes + lengthBytes;
        return sizeBytes;
      }
      sharedWrite();
      if (lengthBytes === 0) return (await this.#ask(signal)).sizeBytes;
      const offset = await this.#extend(sequence, lengthBytes, signal);
      if (offset !== undefined) return offset;
    }
  }

  /** The append whose place was given is over. */
  appendEnded(): void {
    this.#appendEnd = 0;
  }

  /**
   * Before a write is acknowledged to the caller, its end must be known where others look for it: here under an
   * exclusive lease, at the MDS under a shared one. What the MDS said of the size before is no help: somebody may have
   * truncated since. So the MDS is told of every such write, and of its time.
   */
  async noteWritten(
    end: number,
    signal: AbortSignal | undefined,
    writtenBytes = 0,
    reached: readonly WrittenChunk[] = [],
  ): Promise<void> {
    await this.#note({ sizeBytes: end, writtenBytes, written: farthest(reached) }, signal);
  }

  /** The same of bytes that became zeros. They move no end: somebody may have truncated since it was looked for. */
  async noteZeroed(signal: AbortSignal | undefined): Promise<void> {
    await this.#note({ sizeBytes: 0, writtenBytes: 0, zeroed: true }, signal);
  }

  async #note(change: Omit<Said, "mtime">, signal: AbortSignal | undefined): Promise<void> {
    const { lease, sharedWrite } = this.#file;
    for (;;) {
      await lease.ready("write", signal);
      const { kind, sequence } = lease.grant;
      if (kind === "exclusive") {
        this.wroteUpTo(change.sizeBytes, change.writtenBytes);
        return;
      }
      sharedWrite();
      // Also within the size as it is: others keep what they know of the file, and its data, until the MDS hears of it.
      if (await this.#send(sequence, { mtime: this.#now(), ...change })) return;
    }
  }

  /** Under an exclusive lease: remembers what is to be reported, and sees to it that it is. */
  wroteUpTo(end: number, writtenBytes: number): void {
    this.#tracker.wrote(end, this.#now(), writtenBytes);
    this.#reportTimer ??= this.#world.clock.after("client.report", this.#delayMs, () => {
      this.#reportTimer = undefined;
      this.report(false).catch((error) => {
        const failure = failureOf(error);
        if (failure === undefined) throw error;
        if (failure.code === "closed") return;
        const { ino } = this.#file;
        this.#world.log.warn("size and times could not be reported", { ino, code: failure.code });
      });
    });
  }

  /** Tells the MDS what it does not know of what was before the call, with the contents if they are known here. */
  async report(isUrgent = true): Promise<void> {
    if (this.#isDirty) await this.#turn.take(() => this.#report(isUrgent));
  }

  /** Tells the MDS what it does not know, and in the same breath that these opens are over. Undefined: nothing was told. */
  async settle(takeCloses: () => readonly Access[]): Promise<SettleResult | undefined> {
    return await this.#turn.take(async () => {
      const { lease } = this.#file;
      if (lease.kind === "shared") await this.#report(false);
      if (lease.isLost) return undefined;
      return await this.#tell(lease.grant.sequence, takeCloses(), false);
    });
  }

  /**
   * The size survives this client: the MDS finds it from the chunk servers when a writer dies, unless the file grew
   * without bytes. The time of modification is reported a little later.
   */
  async secure(): Promise<void> {
    const isUntold = this.#tracker.isSizeUntold || this.#file.image.isDirty;
    if (isUntold || this.#file.lease.kind !== "exclusive") await this.report();
  }

  /** The MDS cuts the file, or makes it longer. */
  async truncate(sizeBytes: number, done: (inline: InlineContents | undefined) => void): Promise<void> {
    const { ino } = this.#file;
    await this.#turn.take(async () => {
      await this.#report(true);
      const reply = await this.#world.session.mutate(
        (id) => ({ type: "truncate", body: { id, ino, sizeBytes } }),
        { urgency: "patient" },
      );
      const { attributes, inline } = bodyOf(reply, "entry");
      this.#tracker.set(attributes.sizeBytes, attributes.mtime);
      done(inline);
    });
  }

  /** Changes attributes, among them perhaps the time of modification: then what is reported later has that one. */
  async changeTimes(change: () => Promise<Attributes>): Promise<Attributes> {
    return await this.#turn.take(async () => {
      const attributes = await change();
      if (this.#file.lease.kind === "exclusive") this.#tracker.setTime(attributes.mtime);
      return attributes;
    });
  }

  /** Size and times go with the answer to a recall. Resolves with what the MDS then says. */
  async answerRecall({ leaseSequence, to: downgradeTo, ask }: RecallLease): Promise<Attributes> {
    const { ino, lease } = this.#file;
    const isExclusive = lease.kind === "exclusive";
    const answer = async (): Promise<Attributes> => {
      const report = this.#tracker.report();
      const { mtime, writtenBytes } = report;
      const roomEnd = downgradeTo === "exclusive" ? 0 : this.#appendEnd;
      const sizeBytes = isExclusive ? Math.max(report.sizeBytes, roomEnd) : 0;
      const reply = await this.#world.session.mutate(
        (id) => ({
          type: "reportFile",
          body: { id, ino, leaseSequence, sizeBytes, mtime, writtenBytes, downgradeTo, ask, written: [] },
        }),
        { isBound: true, urgency: "urgent" },
      );
      const { attributes } = bodyOf(reply, "entry");
      this.#world.onReported(attributes);
      this.#tracker.confirmed(report);
      return attributes;
    };
    // Beside an exclusive lease there is no other: nobody whose answer our own truncation may be waiting for.
    return isExclusive ? await this.#turn.take(answer) : await answer();
  }

  /** The lease is another one; `attributes` came with it. */
  leaseChanged(from: LeaseGrant, { sizeBytes, mtime }: Attributes): void {
    if (from.kind === "exclusive") this.#tracker.learn(sizeBytes, mtime);
    else this.#tracker.adopt(sizeBytes, mtime);
  }

  /** No timer may be left. */
  dispose(): void {
    this.#reportTimer?.cancel();
  }

  /** Undefined if the lease of that sequence is not the present one any more. */
  async #extend(
    leaseSequence: number,
    lengthBytes: number,
    signal: AbortSignal | undefined,
  ): Promise<number | undefined> {
    const { ino } = this.#file;
    const extending = this.#world.session.mutate(
      (id) => ({ type: "extend", body: { id, ino, leaseSequence, lengthBytes } }),
      { isBound: true, urgency: "patient", signal },
    );
    const reply = await this.#underLease(leaseSequence, extending);
    if (reply === undefined) return undefined;
    const { offset, attributes } = bodyOf(reply, "extended");
    this.#tracker.learn(attributes.sizeBytes, attributes.mtime);
    return offset;
  }

  async #ask(signal: AbortSignal | undefined): Promise<Attributes> {
    const { ino } = this.#file;
    const reply = await this.#world.session.query(
      { type: "getAttributes", body: { ino, forData: true } },
      { signal },
    );
    const { attributes } = bodyOf(reply, "entry");
    this.#tracker.learn(attributes.sizeBytes, attributes.mtime);
    return attributes;
  }

  get #delayMs(): number {
    if (!this.#file.image.isKnown) return REPORT_MS;
    return CONTENTS_MS - (this.#world.clock.monotonicMs() % MOMENT_MS);
  }

  get #isDirty(): boolean {
    return this.#tracker.isDirty || this.#file.image.isDirty;
  }

  /** Only in turn. What is written meanwhile has its own time, or a busy writer would be reported all the time. */
  async #report(isUrgent: boolean): Promise<void> {
    const { lease, image } = this.#file;
    const mark = this.#tracker.mark;
    const imageMark = image.mark;
    while (!this.#tracker.isTold(mark) || image.isUntold(imageMark)) {
      if (lease.isLost) throw storageError("lease_lost", "size and times of the last writes are lost");
      const { kind, sequence } = lease.grant;
      // Reported by the answer to a recall, or nothing to be reported by who only reads.
      if (kind !== "exclusive" && kind !== "shared") return;
      if (kind === "exclusive") {
        await this.#tell(sequence, [], isUrgent);
        continue;
      }
      const report = this.#tracker.report();
      // Where others write too the size known here may be too large by now; it was reported when it grew.
      if (await this.#send(sequence, { ...report, sizeBytes: 0 })) this.#tracker.confirmed(report);
    }
  }

  /** Everything that an exclusive holder knows. Only in turn. Undefined as in `#underLease`. */
  async #tell(
    leaseSequence: number,
    closes: readonly Access[],
    isUrgent: boolean,
  ): Promise<SettleResult | undefined> {
    const { ino, image, lease } = this.#file;
    const isNews = this.#isDirty && lease.kind === "exclusive";
    const inline = image.report();
    const report = this.#tracker.report();
    const { sizeBytes, mtime, writtenBytes } = report;
    const told = { sizeBytes, mtime, writtenBytes, inline: inline?.bytes };
    const settlement = { ino, leaseSequence, report: isNews ? told : undefined, closes };
    const result = await this.#underLease(leaseSequence, this.#world.reports.send(settlement, isUrgent));
    if (result === undefined) return undefined;
    if (result.attributes !== undefined) this.#world.onReported(result.attributes);
    if (isNews) this.#tracker.confirmed(report);
    if (inline !== undefined) image.confirmed(inline);
    return result;
  }

  /** False if the lease of that sequence is not the present one any more: look how things are, and report again. */
  async #send(
    leaseSequence: number,
    { sizeBytes, mtime, writtenBytes, zeroed, written = [] }: Said,
  ): Promise<boolean> {
    const { ino } = this.#file;
    const said = { sizeBytes, mtime, writtenBytes, zeroed, written };
    const reporting = this.#world.session.mutate(
      (id) => ({ type: "reportFile", body: { id, ino, leaseSequence, ...said } }),
      { isBound: true },
    );
    const reply = await this.#underLease(leaseSequence, reporting);
    if (reply !== undefined) this.#world.onReported(bodyOf(reply, "entry").attributes);
    return reply !== undefined;
  }

  /** Undefined if the lease of that sequence is not the present one any more. */
  async #underLease<T>(leaseSequence: number, answer: Promise<T>): Promise<T | undefined> {
    try {
      return await answer;
    } catch (error) {
      const code = failureOf(error)?.code;
      if (code === "lease_lost") this.#file.lease.refused(leaseSequence);
      if (code === "lease_lost" || code === "session_lost") return undefined;
      throw error;
    }
  }

  #now(): Timestamp {
    const ms = this.#world.clock.wallMs();
    const seconds = Math.floor(ms / 1000);
    return { seconds, nanos: Math.min(999_999_999, Math.floor((ms - seconds * 1000) * 1e6)) };
  }
}
