/** A set of small integers, one bit each, lowest bit first, as bitmaps travel and are stored. */
export class Bitmap {
  #bytes: Uint8Array;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = new Uint8Array(bytes);
  }

  static of(...members: readonly number[]): Bitmap {
    const result = new Bitmap();
    for (const member of members) result.add(member);
    return result;
  }

  has(member: number): boolean {
    return ((this.#bytes[member >>> 3] ?? 0) & (1 << (member & 7))) !== 0;
  }

  add(member: number): void {
    const index = member >>> 3;
    if (index >= this.#bytes.length) {
      const grown = new Uint8Array(Math.max(index + 1, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[index] = (this.#bytes[index] ?? 0) | (1 << (member & 7));
  }

  delete(member: number): void {
    const index = member >>> 3;
    if (index < this.#bytes.length) this.#bytes[index] = (this.#bytes[index] ?? 0) & ~(1 << (member & 7));
  }

  addAll(other: Bitmap): void {
    for (const member of other) this.add(member);
  }

  /** Adds every integer in [from, to). */
  addRange(from: number, to: number): void {
    for (let member = from; member < to; member++) this.add(member);
  }

  get isEmpty(): boolean {
    return this.#bytes.every((byte) => byte === 0);
  }

  /** How many members there are. */
  get count(): number {
    let count = 0;
    for (const _ of this) count++;
    return count;
  }

  /** In ascending order. */
  *[Symbol.iterator](): IterableIterator<number> {
    for (let index = 0; index < this.#bytes.length; index++) {
      for (let bits = this.#bytes[index] ?? 0; bits !== 0; bits &= bits - 1) {
        yield index * 8 + 31 - Math.clz32(bits & -bits);
      }
    }
  }

  /** A copy, without zeros at the end. */
  toBytes(): Uint8Array {
    let length = this.#bytes.length;
    while (length > 0 && this.#bytes[length - 1] === 0) length--;
    return this.#bytes.slice(0, length);
  }
}
