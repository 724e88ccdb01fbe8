import type { InodeNumber } from "../../meta/index.js";

/** More are not remembered: mutations of the others are not answered early. */
const SOLE_MAX = 200_000;

/** What this session is alone with, and what it changed of that without the MDS having said so yet. */
export class SoleInodes {
  readonly #soles = new Set<InodeNumber>();
  readonly #unconfirmed = new Map<InodeNumber, number>();

  has(ino: InodeNumber): boolean {
    return this.#soles.has(ino);
  }

  add(ino: InodeNumber): void {
    if (this.#soles.size < SOLE_MAX) this.#soles.add(ino);
  }

  /** True if it was one. */
  delete(ino: InodeNumber): boolean {
    return this.#soles.delete(ino);
  }

  /** Changes that were made stay unconfirmed. */
  clear(): void {
    this.#soles.clear();
  }

  get isAllConfirmed(): boolean {
    return this.#unconfirmed.size === 0;
  }

  /** The MDS may not know it as it is known here. */
  isUnconfirmed(ino: InodeNumber): boolean {
    return this.#unconfirmed.has(ino);
  }

  changed(ino: InodeNumber): void {
    this.#unconfirmed.set(ino, (this.#unconfirmed.get(ino) ?? 0) + 1);
  }

  confirmed(ino: InodeNumber): void {
    const count = this.#unconfirmed.get(ino) ?? 0;
    if (count > 1) this.#unconfirmed.set(ino, count - 1);
    else this.#unconfirmed.delete(ino);
  }
}
