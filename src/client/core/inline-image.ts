import type { InlineContents } from "../../meta/index.js";

/** The contents to be told to the MDS. `mark` tells which changes they have. */
export interface InlineReport {
  readonly bytes: Uint8Array;
  readonly mark: number;
}

/** What is in the blocks of the contents counts as data, as it does in chunks. */
const BLOCK_BYTES = 4096;
/**
 * More than a block is told so often under one lease: who writes a little of it again and again is better served by a
 * chunk, since the MDS is always told the whole.
 */
const LONG_TOLD_MAX = 4;
/** Contents longer than a block are not kept here while more than so much is not told yet. */
const UNTOLD_BYTES_MAX = 64 << 20;

/** Bytes of all images of a client that the MDS does not have. */
export class UntoldBytes {
  bytes = 0;
}

/**
 * The whole contents of a small file, as long as this client alone may change them or nobody may, and the MDS keeps them in
 * the metadata: these bytes, then zeros. Changes are made here, and told to the MDS together with size and times.
 *
 * The file leaves this state when it grows beyond what the MDS keeps: first the MDS hears of everything, then it is forgotten
 * here, and then a chunk is asked for.
 */
export class InlineImage {
  readonly #untold: UntoldBytes;
  /** What of it is this one's. */
  #counted = 0;
  #bytes: Uint8Array | undefined;
  #bytesMax = 0;
  /** How often more than a block was told. */
  #longToldCount = 0;
  /** Of the lease that decided what is known; later answers under the same one are older than what happened here since. */
  #sequence = 0;
  /** Number of the last change here, and of the last one that the MDS has. */
  #changed = 0;
  #told = 0;
  /** Changes up to that number that the MDS never heard of. */
  #lost = 0;

  constructor(untold: UntoldBytes = new UntoldBytes()) {
    this.#untold = untold;
  }

  /** Everything about the contents is known here. */
  get isKnown(): boolean {
    return this.#bytes !== undefined;
  }

  /** There are changes that the MDS does not have. */
  get isDirty(): boolean {
    return this.isUntold(this.mark);
  }

  /** Of the last change here. */
  get mark(): number {
    return this.#changed;
  }

  /** The MDS does not have the change of that mark, and can be told of it. */
  isUntold(mark: number): boolean {
    return this.isKnown && mark > this.#told;
  }

  /** Whether the MDS has the change of that mark. */
  isTold(mark: number): boolean {
    return mark <= this.#told && mark > this.#lost;
  }

  /** An answer that came with a lease says what the contents are, or that they are in chunks. */
  granted(sequence: number, inline: InlineContents | undefined): void {
    if (sequence === this.#sequence) return;
    this.forget();
    this.#sequence = sequence;
    if (inline !== undefined) this.#take(inline);
  }

  /** The file was cut to nothing under the same lease: it may be small again. */
  emptied(inline: InlineContents | undefined): void {
    if (!this.isKnown && inline !== undefined && inline.bytes.length === 0) this.#take(inline);
  }

  /** Whether the file stays small with a write up to there. */
  fits(end: number): boolean {
    if (this.#bytes === undefined || end > this.#bytesMax) return false;
    if (Math.max(end, this.#bytes.length) <= BLOCK_BYTES) return true;
    return this.#longToldCount < LONG_TOLD_MAX && this.#untold.bytes + end <= UNTOLD_BYTES_MAX;
  }

  /** A write that fits. Returns its mark. */
  write(offset: number, bytes: Uint8Array): number {
    const before = this.#bytes ?? NOTHING;
    const end = offset + bytes.length;
    // Reports hold the bytes while they are on their way: what they hold does not change.
    const after = new Uint8Array(Math.max(before.length, end));
    after.set(before);
    after.set(bytes, offset);
    return this.#change(after);
  }

  /** The range reads as zeros from now on. */
  zero(begin: number, end: number): number {
    const after = (this.#bytes ?? NOTHING).slice();
    after.fill(0, begin, end);
    return this.#change(after);
  }

  /** The file was cut, or made longer, and the MDS knows. */
  cut(sizeBytes: number): void {
    if (this.#bytes !== undefined && this.#bytes.length > sizeBytes)
      this.#bytes = this.#bytes.slice(0, sizeBytes);
    this.#count();
  }

  read(offset: number, lengthBytes: number): Uint8Array {
    const result = new Uint8Array(lengthBytes);
    result.set((this.#bytes ?? NOTHING).subarray(offset, offset + lengthBytes));
    return result;
  }

  /** Where data, or a hole, begin at or after the offset; undefined: there are no data any more. */
  seek(what: "data" | "hole", offset: number): number | undefined {
    return seekInline(this.#bytes ?? NOTHING, what, offset);
  }

  /** What the MDS does not have; undefined: it has everything. */
  report(): InlineReport | undefined {
    return this.isDirty && this.#bytes !== undefined
      ? { bytes: this.#bytes, mark: this.#changed }
      : undefined;
  }

  /** The MDS has what was told. */
  confirmed({ bytes, mark }: InlineReport): void {
    this.#told = Math.max(this.#told, mark);
    if (bytes.length > BLOCK_BYTES) this.#longToldCount++;
    this.#count();
  }

  /** Nothing is known any more. True if changes are lost with it. */
  forget(): boolean {
    const { isDirty } = this;
    if (isDirty) this.#lost = this.#changed;
    this.#bytes = undefined;
    this.#count();
    return isDirty;
  }

  #take({ bytes, bytesMax }: InlineContents): void {
    // A copy: it may be kept for long, and came with a larger message.
    this.#bytes = bytes.slice();
    this.#bytesMax = bytesMax;
    this.#told = this.#changed;
    this.#longToldCount = 0;
    this.#count();
  }

  #change(bytes: Uint8Array): number {
    this.#bytes = bytes;
    this.#changed++;
    this.#count();
    return this.#changed;
  }

  #count(): void {
    const counted = this.isDirty ? (this.#bytes?.length ?? 0) : 0;
    this.#untold.bytes += counted - this.#counted;
    this.#counted = counted;
  }
}

/** The same for contents that are not kept. */
export function seekInline(bytes: Uint8Array, what: "data" | "hole", offset: number): number | undefined {
  const dataEnd = Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES;
  if (what === "data") return offset < dataEnd ? offset : undefined;
  return Math.max(offset, dataEnd);
}

const NOTHING = new Uint8Array(0);
