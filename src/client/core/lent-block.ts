import { assert } from "../../base/index.js";

/**
 * What one reader was lent: bytes that he may look at until he ends the loan, and not a moment longer, for their memory is filled
 * with others then. Who reads without a loan may keep what he gets.
 */
export class Loan {
  readonly #blocks: LentBlock[] = [];
  #isOver = false;

  /** The bytes are not his any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** A block was lent under this loan. */
  add(block: LentBlock): void {
    assert(!this.#isOver, "nothing is lent under a loan that is over");
    this.#blocks.push(block);
  }

  /** Idempotent. A loan that is never ended costs its memory, which the collector takes. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const block of this.#blocks) block.returned();
    this.#blocks.length = 0;
  }
}

/**
 * The bytes of a block, and who has them. Their memory is free for others exactly when the block was dropped, every loan of it is
 * over, and nobody was given bytes of it for good: then `free` is called, once, and whoever still has a view of it, against
 * all this, has an empty one instead of somebody else's bytes.
 */
export class LentBlock {
  readonly lengthBytes: number;
  readonly #bytes: Uint8Array;
  readonly #free: (bytes: Uint8Array) => void;
  #loanCount = 0;
  #lentBytes = 0;
  #isDropped = false;
  #isKept = false;

  /** `bytes`: all of their memory is theirs alone, if they are as long as it is. */
  constructor(bytes: Uint8Array, free: (bytes: Uint8Array) => void) {
    this.lengthBytes = bytes.length;
    this.#bytes = bytes;
    this.#free = free;
  }

  /** As many bytes were lent as there are: who reads in sequence, each byte once, wants no more of it. */
  get isReadThrough(): boolean {
    return this.#lentBytes >= this.lengthBytes;
  }

  /** Bytes of a block that was not dropped: until the loan is over, or for good without one. */
  lend(begin: number, end: number, loan: Loan | undefined): Uint8Array {
    assert(!this.#isDropped, "a block that was dropped is not lent any more");
    if (loan === undefined) this.#isKept = true;
    else {
      loan.add(this);
      this.#loanCount++;
      this.#lentBytes += end - begin;
    }
    return this.#bytes.subarray(begin, end);
  }

  /** Nobody will ask for it again. Idempotent. */
  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#freeIfUnused();
  }

  /** A loan is over. Only for `Loan`. */
  returned(): void {
    assert(this.#loanCount > 0, "only what was lent is returned");
    this.#loanCount--;
    this.#freeIfUnused();
  }

  #freeIfUnused(): void {
    if (!this.#isDropped || this.#isKept || this.#loanCount > 0) return;
    const { buffer } = this.#bytes;
    // A part of something larger is not ours to give away; what threads share cannot be taken from them.
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength !== this.lengthBytes) return;
    this.#free(new Uint8Array(structuredClone(buffer, { transfer: [buffer] })));
  }
}
