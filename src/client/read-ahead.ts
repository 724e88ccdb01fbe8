import { concatBytes } from "../base/index.js";
import { IO_BYTES_MAX } from "../chunk/index.js";
import { LentBlock, type Loan } from "./core/lent-block.js";
import { ReadStreams, WINDOW_BYTES_MAX } from "./core/read-streams.js";
import { SlotMemory } from "./core/slot-memory.js";
import type { FileLease } from "./file-lease.js";
import { abortable, forMany } from "./waiting.js";

/** A part of a file that was read ahead, or is being read. */
interface Block {
  readonly owner: ReadAhead;
  readonly index: number;
  readonly lengthBytes: number;
  /** Undefined if it could not be read. */
  readonly bytes: Promise<LentBlock | undefined>;
  /** `bytes`, once there. */
  ready: LentBlock | undefined;
}

const BLOCK_BYTES = IO_BYTES_MAX;
/** As many as are on their way to two readers. */
const SPARE_COUNT_MAX = (2 * WINDOW_BYTES_MAX) / BLOCK_BYTES;

/** What was read ahead, of all files of a client: bounded, what was not used for longest goes first. */
export class ReadAheadMemory {
  /** Of blocks that nobody has any more: the next ones are read into it. */
  readonly spare = new SlotMemory(BLOCK_BYTES, SPARE_COUNT_MAX);
  readonly #bytesMax: number;
  /** In the order of their last use. */
  readonly #blocks = new Set<Block>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(block: Block): void {
    this.#blocks.add(block);
    this.#bytes += block.lengthBytes;
    for (const oldest of this.#blocks) {
      if (this.#bytes <= this.#bytesMax) return;
      oldest.owner.forget(oldest);
    }
  }

  touch(block: Block): void {
    if (this.#blocks.delete(block)) this.#blocks.add(block);
  }

  delete(block: Block): void {
    if (this.#blocks.delete(block)) this.#bytes -= block.lengthBytes;
  }
}

/** What it needs of its file. */
export interface ReadAheadFile {
  readonly lease: Pick<FileLease, "kind" | "isReady">;
  /** From the chunk servers. */
  readonly fetch: (offset: number, lengthBytes: number, signal: AbortSignal) => Promise<Uint8Array>;
}

/**
 * Reads ahead of those who read a file in sequence, and keeps what was read under the present lease. Whoever changes
 * bytes says so with `changed` when the change can be seen at the servers; a block that was asked for before is then
 * never handed out. A lease that does not allow to cache keeps nothing.
 */
export class ReadAhead {
  readonly #memory: ReadAheadMemory;
  readonly #file: ReadAheadFile;
  readonly #streams = new ReadStreams();
  readonly #blocks = new Map<number, Block>();
  /** Of the blocks on their way. */
  #stop: AbortController | undefined;

  constructor(memory: ReadAheadMemory, file: ReadAheadFile) {
    this.#memory = memory;
    this.#file = file;
  }

  /**
   * The bytes, as far as they were read ahead: all of the range, or undefined, at once or when they are there. Begins to
   * read ahead of a reader in sequence. The bytes are shared: nobody may change them. With a loan they are lent; whoever borrows
   * keeps copies himself, so that a block of which everything was borrowed is not kept here as well.
   */
  read(
    begin: number,
    end: number,
    sizeBytes: number,
    signal: AbortSignal | undefined,
    loan?: Loan,
  ): Uint8Array | Promise<Uint8Array | undefined> | undefined {
    if (!this.#mayKeep) return undefined;
    this.#noted(begin, end, sizeBytes);
    const first = Math.floor(begin / BLOCK_BYTES);
    const last = Math.floor((end - 1) / BLOCK_BYTES);
    if (first === last) return this.#readOne(first, begin, end, signal, loan);
    const parts: (Uint8Array | Promise<Uint8Array | undefined>)[] = [];
    for (let index = first; index <= last; index++) {
      const from = Math.max(begin, index * BLOCK_BYTES);
      const part = this.#readOne(index, from, Math.min(end, (index + 1) * BLOCK_BYTES), signal, loan);
      if (part === undefined) return undefined;
      parts.push(part);
    }
    return Promise.all(parts).then(joined);
  }

  /**
   * The same for one who does not wait, and asks once more if he has to. "wait": they are on their way, or so many that they lie in
   * several blocks.
   */
  readAtOnce(begin: number, end: number, sizeBytes: number, loan?: Loan): Uint8Array | "wait" | undefined {
    if (!this.#mayKeep) return undefined;
    this.#noted(begin, end, sizeBytes);
    if (this.#blocks.size === 0) return undefined;
    const first = Math.floor(begin / BLOCK_BYTES);
    if (first !== Math.floor((end - 1) / BLOCK_BYTES)) return "wait";
    const block = this.#blocks.get(first);
    const offset = begin - first * BLOCK_BYTES;
    if (block === undefined || offset + end - begin > block.lengthBytes) return undefined;
    if (block.ready === undefined) return "wait";
    this.#memory.touch(block);
    return this.#lend(block, block.ready, offset, end - begin, loan);
  }

  /** The bytes of the range are others now. */
  changed(begin: number, end: number): void {
    if (this.#blocks.size === 0) return;
    for (const block of this.#blocks.values()) {
      const from = block.index * BLOCK_BYTES;
      if (from < end && begin < from + BLOCK_BYTES) this.forget(block);
    }
  }

  forget(block: Block): void {
    if (this.#blocks.get(block.index) === block) this.#blocks.delete(block.index);
    this.#memory.delete(block);
    block.ready?.drop();
  }

  /** The lease has changed, or the file is closed. */
  forgetAll(): void {
    for (const block of this.#blocks.values()) this.forget(block);
    this.#streams.reset();
    this.#stop?.abort();
    this.#stop = undefined;
  }

  get #mayKeep(): boolean {
    const { lease } = this.#file;
    return (lease.kind === "exclusive" || lease.kind === "read") && lease.isReady("read");
  }

  #noted(begin: number, end: number, sizeBytes: number): void {
    const ahead = this.#streams.note(begin, end);
    if (ahead !== undefined) this.#fetchAhead(ahead.begin, Math.min(ahead.end, sizeBytes), sizeBytes);
  }

  #readOne(
    index: number,
    begin: number,
    end: number,
    signal: AbortSignal | undefined,
    loan: Loan | undefined,
  ): Uint8Array | Promise<Uint8Array | undefined> | undefined {
    const block = this.#blocks.get(index);
    const offset = begin - index * BLOCK_BYTES;
    if (block === undefined || offset + end - begin > block.lengthBytes) return undefined;
    this.#memory.touch(block);
    if (block.ready !== undefined) return this.#lend(block, block.ready, offset, end - begin, loan);
    return this.#whenThere(block, offset, end - begin, signal, loan);
  }

  #lend(
    block: Block,
    memory: LentBlock,
    offset: number,
    lengthBytes: number,
    loan: Loan | undefined,
  ): Uint8Array {
    const bytes = memory.lend(offset, offset + lengthBytes, loan);
    if (memory.isReadThrough) this.forget(block);
    return bytes;
  }

  async #whenThere(
    block: Block,
    offset: number,
    lengthBytes: number,
    signal: AbortSignal | undefined,
    loan: Loan | undefined,
  ): Promise<Uint8Array | undefined> {
    const memory = await abortable(block.bytes, signal);
    // The lease came down, or the bytes were changed, while they were on their way.
    if (this.#blocks.get(block.index) !== block || !this.#mayKeep) return undefined;
    return memory && this.#lend(block, memory, offset, lengthBytes, loan);
  }

  #fetchAhead(begin: number, end: number, sizeBytes: number): void {
    for (let index = Math.floor(begin / BLOCK_BYTES); index * BLOCK_BYTES < end; index++) {
      const offset = index * BLOCK_BYTES;
      const lengthBytes = Math.min(BLOCK_BYTES, sizeBytes - offset);
      const known = this.#blocks.get(index);
      if (known !== undefined && known.lengthBytes >= lengthBytes) continue;
      if (known !== undefined) this.forget(known);
      this.#fetch(index, offset, lengthBytes);
    }
  }

  #fetch(index: number, offset: number, lengthBytes: number): void {
    this.#stop ??= forMany(new AbortController());
    const bytes = this.#file.fetch(offset, lengthBytes, this.#stop.signal).then(
      (fetched) => {
        const memory = new LentBlock(fetched, (bytes) => this.#memory.spare.giveBack(bytes));
        block.ready = memory;
        return memory;
      },
      // Whoever needs them asks again, and hears what is the matter.
      () => {
        this.forget(block);
        return undefined;
      },
    );
    const block: Block = { owner: this, index, lengthBytes, bytes, ready: undefined };
    this.#blocks.set(index, block);
    this.#memory.add(block);
  }
}

/** One after the other, unless one is missing. */
function joined(parts: readonly (Uint8Array | undefined)[]): Uint8Array | undefined {
  const there: Uint8Array[] = [];
  for (const part of parts) {
    if (part === undefined) return undefined;
    there.push(part);
  }
  return concatBytes(...there);
}
