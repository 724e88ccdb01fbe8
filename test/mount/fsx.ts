import type { Prng } from "../../src/base/index.js";
import type { Agent, Argument, CallResult } from "./agent.js";
import { AT, decodeStatx, FALLOC, MAP, MS, O, PROT, STATX_BASIC, STATX_SIZE } from "./linux.js";

/** The file does not grow beyond this, unless a test says otherwise. */
const SIZE_MAX = 400_000;
const LENGTH_MAX = 70_000;
const PAGE = 4096;

/** One process with the file open; all of them have the same file, by whichever mount. */
interface Hand {
  readonly agent: Agent;
  readonly path: string;
  readonly name: string;
  fd: number;
}

/**
 * Does random things to one file through several processes, one thing at a time, and checks every byte against a model in
 * memory. The first difference throws, with the last things that were done.
 */
export class FileExerciser {
  readonly #prng: Prng;
  readonly #hands: Hand[];
  readonly #sizeMax: number;
  readonly #lengthMax: number;
  readonly #history: string[] = [];
  #model = Buffer.alloc(0);

  constructor(
    prng: Prng,
    hands: readonly { readonly agent: Agent; readonly path: string }[],
    sizeMax = SIZE_MAX,
  ) {
    this.#prng = prng;
    this.#sizeMax = sizeMax;
    this.#lengthMax = Math.min(LENGTH_MAX, Math.floor(sizeMax / 4));
    this.#hands = hands.map(({ agent, path }, index) => ({ agent, path, name: `#${index}`, fd: -1 }));
  }

  async run(count: number): Promise<void> {
    for (const hand of this.#hands)
      hand.fd = await this.#call(hand, "open", hand.path, O.RDWR | O.CREAT, 0o644);
    const operations = [
      ...this.#repeated(6, this.#write),
      ...this.#repeated(6, this.#read),
      ...this.#repeated(3, this.#mapRead),
      ...this.#repeated(3, this.#mapWrite),
      ...this.#repeated(2, this.#append),
      ...this.#repeated(2, this.#truncate),
      ...this.#repeated(2, this.#punch),
      ...[this.#zero, this.#allocate, this.#copy, this.#sync, this.#reopen, this.#size],
    ];
    for (let step = 0; step < count; step++) {
      await this.#prng.pick(operations).call(this, this.#prng.pick(this.#hands));
    }
    for (const hand of this.#hands) {
      await this.#check(hand, 0, this.#sizeMax);
      await this.#call(hand, "close", hand.fd);
    }
  }

  #repeated<T>(count: number, item: T): T[] {
    return Array.from({ length: count }, () => item);
  }

  #range(): { offset: number; length: number } {
    const length =
      1 + this.#prng.below(this.#prng.chance(0.5) ? Math.min(5000, this.#lengthMax) : this.#lengthMax);
    return { offset: this.#prng.below(this.#sizeMax - length), length };
  }

  async #write(hand: Hand): Promise<void> {
    const { offset, length } = this.#range();
    const bytes = this.#prng.bytes(length);
    this.#did(hand, `write ${offset}+${length}`);
    this.#expect(
      (await this.#call(hand, "pwrite", hand.fd, bytes, length, offset)) === length,
      "a short write",
    );
    this.#put(bytes, offset);
  }

  async #append(hand: Hand): Promise<void> {
    if (this.#model.length + this.#lengthMax > this.#sizeMax) return;
    const bytes = this.#prng.bytes(1 + this.#prng.below(this.#lengthMax));
    this.#did(hand, `append ${bytes.length} at ${this.#model.length}`);
    const fd = await this.#call(hand, "open", hand.path, O.WRONLY | O.APPEND, 0);
    this.#expect(
      (await this.#call(hand, "write", fd, bytes, bytes.length)) === bytes.length,
      "a short append",
    );
    await this.#call(hand, "close", fd);
    this.#put(bytes, this.#model.length);
  }

  async #read(hand: Hand): Promise<void> {
    const { offset, length } = this.#range();
    this.#did(hand, `read ${offset}+${length}`);
    await this.#check(hand, offset, length);
  }

  async #size(hand: Hand): Promise<void> {
    this.#did(hand, "stat");
    await this.#learnSize(hand);
  }

  /**
   * Where the kernel goes by the size it knows, without asking anybody (faults of mappings, copy_file_range), programs
   * have to look at the size first, as they do: else they may meet the one from before another mount's last change.
   */
  async #learnSize(hand: Hand): Promise<void> {
    const { out } = await this.#result(hand, "statx", hand.fd, "", AT.EMPTY_PATH, STATX_BASIC, {
      out: STATX_SIZE,
    });
    const { size } = decodeStatx(out[0] ?? Buffer.alloc(STATX_SIZE));
    this.#expect(size === this.#model.length, `the size is ${size}, not ${this.#model.length}`);
  }

  /** What lies in the page cache of this kernel. */
  async #mapRead(hand: Hand): Promise<void> {
    if (this.#model.length === 0) return;
    const offset = this.#prng.below(this.#model.length);
    const length = Math.min(1 + this.#prng.below(this.#lengthMax), this.#model.length - offset);
    this.#did(hand, `mapread ${offset}+${length}`);
    await this.#mapped(hand, offset, length, PROT.READ, async (address) => {
      this.#compare(await hand.agent.peek(address, length), offset, length);
    });
  }

  async #mapWrite(hand: Hand): Promise<void> {
    if (this.#model.length === 0) return;
    const offset = this.#prng.below(this.#model.length);
    const bytes = this.#prng.bytes(
      Math.min(1 + this.#prng.below(this.#lengthMax), this.#model.length - offset),
    );
    this.#did(hand, `mapwrite ${offset}+${bytes.length}`);
    await this.#mapped(hand, offset, bytes.length, PROT.READ | PROT.WRITE, async (address, start, length) => {
      await hand.agent.poke(address, bytes);
      await this.#call(hand, "msync", start, length, MS.SYNC);
    });
    this.#put(bytes, offset);
  }

  async #mapped(
    hand: Hand,
    offset: number,
    length: number,
    protection: number,
    work: (address: number, start: number, mapLength: number) => Promise<void>,
  ): Promise<void> {
    await this.#learnSize(hand);
    const begin = Math.floor(offset / PAGE) * PAGE;
    const mapLength = offset + length - begin;
    const start = await this.#call(hand, "mmap", 0, mapLength, protection, MAP.SHARED, hand.fd, begin);
    await work(start + offset - begin, start, mapLength);
    await this.#call(hand, "munmap", start, mapLength);
  }

  async #truncate(hand: Hand): Promise<void> {
    const size = this.#prng.below(this.#sizeMax);
    this.#did(hand, `truncate ${this.#model.length} -> ${size}`);
    await this.#call(hand, "ftruncate", hand.fd, size);
    this.#resize(size);
  }

  async #punch(hand: Hand): Promise<void> {
    const { offset, length } = this.#range();
    this.#did(hand, `punch ${offset}+${length}`);
    await this.#call(hand, "fallocate", hand.fd, FALLOC.PUNCH_HOLE | FALLOC.KEEP_SIZE, offset, length);
    this.#model.fill(0, Math.min(offset, this.#model.length), Math.min(offset + length, this.#model.length));
  }

  async #zero(hand: Hand): Promise<void> {
    const { offset, length } = this.#range();
    this.#did(hand, `zero ${offset}+${length}`);
    await this.#call(hand, "fallocate", hand.fd, FALLOC.ZERO_RANGE, offset, length);
    this.#put(new Uint8Array(length), offset);
  }

  async #allocate(hand: Hand): Promise<void> {
    const { offset, length } = this.#range();
    this.#did(hand, `allocate ${offset}+${length}`);
    await this.#call(hand, "fallocate", hand.fd, 0, offset, length);
    this.#resize(Math.max(this.#model.length, offset + length));
  }

  async #copy(hand: Hand): Promise<void> {
    const half = this.#sizeMax / 2;
    const length = 1 + this.#prng.below(this.#lengthMax);
    const from = this.#prng.below(half - length);
    const to = half + this.#prng.below(half - length);
    const there = Math.max(0, Math.min(length, this.#model.length - from));
    this.#did(hand, `copy ${from}+${length} to ${to}`);
    const [source, target] = [from, to].map((at) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt(at));
      return { inout: new Uint8Array(bytes) };
    });
    if (source === undefined || target === undefined) return;
    await this.#learnSize(hand);
    const copied = await this.#call(hand, "copy_file_range", hand.fd, source, hand.fd, target, length, 0);
    this.#expect(copied <= there && (copied > 0 || there === 0), `${copied} bytes were copied of ${there}`);
    if (copied > 0) this.#put(Buffer.from(this.#model.subarray(from, from + copied)), to);
  }

  async #sync(hand: Hand): Promise<void> {
    this.#did(hand, "fsync");
    await this.#call(hand, "fsync", hand.fd);
  }

  async #reopen(hand: Hand): Promise<void> {
    this.#did(hand, "close and open");
    await this.#call(hand, "close", hand.fd);
    hand.fd = await this.#call(hand, "open", hand.path, O.RDWR, 0);
  }

  async #check(hand: Hand, offset: number, length: number): Promise<void> {
    const { value, out } = await this.#result(hand, "pread", hand.fd, { out: length }, length, offset);
    const wanted = Math.max(0, Math.min(length, this.#model.length - offset));
    this.#expect(value === wanted, `${value} bytes were read, not ${wanted}`);
    this.#compare((out[0] ?? Buffer.alloc(0)).subarray(0, value), offset, wanted);
  }

  #compare(found: Buffer, offset: number, length: number): void {
    const wanted = this.#model.subarray(offset, offset + length);
    if (found.equals(wanted)) return;
    let at = 0;
    while (found[at] === wanted[at]) at++;
    let end = length;
    while (found[end - 1] === wanted[end - 1]) end--;
    this.#expect(false, `byte ${offset + at} to ${offset + end}: ${found[at]}, not ${wanted[at]}`);
  }

  #put(bytes: Uint8Array, offset: number): void {
    this.#resize(Math.max(this.#model.length, offset + bytes.length));
    this.#model.set(bytes, offset);
  }

  #resize(size: number): void {
    const next = Buffer.alloc(size);
    this.#model.copy(next);
    this.#model = next;
  }

  #did(hand: Hand, what: string): void {
    this.#history.push(`${hand.name} ${what}`);
  }

  #expect(truth: boolean, otherwise: string): void {
    if (truth) return;
    const count = this.#history.length;
    throw new Error(`step ${count}: ${otherwise}\n  ${this.#history.slice(-25).join("\n  ")}`);
  }

  async #call(hand: Hand, name: string, ...args: readonly Argument[]): Promise<number> {
    return (await this.#result(hand, name, ...args)).value;
  }

  async #result(hand: Hand, name: string, ...args: readonly Argument[]): Promise<CallResult> {
    const result = await hand.agent.call(name, ...args);
    this.#expect(result.errno === undefined, `${name}: ${result.errno}`);
    return result;
  }
}
