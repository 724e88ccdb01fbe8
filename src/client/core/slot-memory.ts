/**
 * Memory for slots that a stream fills one after the other: what has landed is written again. To allocate as much anew costs more than
 * to fill it, and V8 collects all garbage for every few of them. Bounded: what is too much is left to the collector.
 */
export class SlotMemory {
  readonly slotBytes: number;
  readonly #spareMax: number;
  readonly #spare: Uint8Array[] = [];

  constructor(slotBytes: number, spareMax: number) {
    this.slotBytes = slotBytes;
    this.#spareMax = spareMax;
  }

  /** As long as a slot. What is in it is of no meaning. */
  take(): Uint8Array {
    return this.#spare.pop() ?? new Uint8Array(this.slotBytes);
  }

  /** Memory of that length that was given back, if there is any: who reads would only clear new memory in vain. */
  spare(lengthBytes: number): Uint8Array | undefined {
    return lengthBytes === this.slotBytes ? this.#spare.pop() : undefined;
  }

  /** Nobody looks at these bytes any more. Nothing happens if they are not all the memory of a slot, or a part of it. */
  giveBack(bytes: Uint8Array): void {
    const { buffer } = bytes;
    if (buffer.byteLength !== this.slotBytes || this.#spare.length >= this.#spareMax) return;
    this.#spare.push(new Uint8Array(buffer));
  }
}
