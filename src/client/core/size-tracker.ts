import type { Timestamp } from "../../meta/index.js";

/** What is to be reported of a file. `mark` tells which changes the report covers. */
export interface SizeReport {
  readonly sizeBytes: number;
  readonly mtime: Timestamp;
  readonly mark: number;
  /** Bytes written since the last confirmed report, those written twice counted twice. */
  readonly writtenBytes: number;
}

/**
 * Size and modification time of a file that this client writes, and whether the MDS knows them.
 *
 * Under an exclusive lease the local values are the truth. Otherwise the MDS's are, and `learn` brings them here.
 */
export class SizeTracker {
  #sizeBytes: number;
  #mtime: Timestamp;
  /** Number of the last local change, and of the last one the MDS has confirmed. */
  #changed = 0;
  #reported = 0;
  /** The file grew here without bytes at its end, which no server can tell if this client dies. */
  #isEndUntold = false;
  /** Bytes written that no confirmed report tells of. */
  #unreportedBytes = 0;

  constructor(sizeBytes: number, mtime: Timestamp) {
    this.#sizeBytes = sizeBytes;
    this.#mtime = mtime;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get mtime(): Timestamp {
    return this.#mtime;
  }

  /** Nobody else can tell the size: neither the MDS nor, by the bytes they hold, the chunk servers. */
  get isSizeUntold(): boolean {
    return this.#isEndUntold && this.isDirty;
  }

  get isDirty(): boolean {
    return !this.isTold(this.mark);
  }

  /** Of the last change here. */
  get mark(): number {
    return this.#changed;
  }

  /** Whether the MDS knows of the change of that mark. */
  isTold(mark: number): boolean {
    return mark <= this.#reported;
  }

  /** Bytes written that the MDS may not know of. */
  get unreportedBytes(): number {
    return this.#unreportedBytes;
  }

  /** A write of so many bytes up to `endBytes` was accepted. */
  wrote(endBytes: number, mtime: Timestamp, writtenBytes = 0): void {
    this.#unreportedBytes += writtenBytes;
    if (endBytes > this.#sizeBytes) this.#isEndUntold = writtenBytes === 0;
    this.#sizeBytes = Math.max(this.#sizeBytes, endBytes);
    this.#mtime = mtime;
    this.#changed++;
  }

  /** What the MDS says. Ignored while there is something here that it does not know. */
  learn(sizeBytes: number, mtime: Timestamp): void {
    if (!this.isDirty) this.set(sizeBytes, mtime);
  }

  /** What the MDS says when others could write too: the size is as it says, the times may be newer here. */
  adopt(sizeBytes: number, mtime: Timestamp): void {
    this.#sizeBytes = sizeBytes;
    if (!this.isDirty) this.#mtime = mtime;
  }

  /** What the MDS says, and nothing here is newer: after a truncation, or when the lease was lost. */
  set(sizeBytes: number, mtime: Timestamp): void {
    this.#sizeBytes = sizeBytes;
    this.#mtime = mtime;
    this.#reported = this.#changed;
    this.#isEndUntold = false;
    this.#unreportedBytes = 0;
  }

  /** Somebody set the time, and the MDS knows: the next report does not take it back, unless more is written. */
  setTime(mtime: Timestamp): void {
    this.#mtime = mtime;
  }

  report(): SizeReport {
    const writtenBytes = this.#unreportedBytes;
    return { sizeBytes: this.#sizeBytes, mtime: this.#mtime, mark: this.#changed, writtenBytes };
  }

  /** The MDS has answered the report. */
  confirmed(report: SizeReport): void {
    this.#reported = Math.max(this.#reported, report.mark);
    if (!this.isDirty) this.#isEndUntold = false;
    this.#unreportedBytes = Math.max(0, this.#unreportedBytes - report.writtenBytes);
  }
}
