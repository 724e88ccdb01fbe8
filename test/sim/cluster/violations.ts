/** Something that must never happen, and did. */
export interface Violation {
  /** Which checker found it. */
  readonly checker: string;
  /** One line or more for people. */
  readonly message: string;
  readonly atMs: number;
}

/** What the checkers of one run have found. */
export class Violations {
  readonly #found: Violation[] = [];
  readonly #nowMs: () => number;
  readonly #onFirst: () => void;

  constructor(nowMs: () => number, onFirst: () => void = () => undefined) {
    this.#nowMs = nowMs;
    this.#onFirst = onFirst;
  }

  get all(): readonly Violation[] {
    return this.#found;
  }

  add(checker: string, message: string): void {
    this.#found.push({ checker, message, atMs: this.#nowMs() });
    if (this.#found.length === 1) this.#onFirst();
  }
}
