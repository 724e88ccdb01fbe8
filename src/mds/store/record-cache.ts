/**
 * The records used last, as decoded values; `undefined` says that there is none. Bounded: two maps of half the
 * capacity, of which the older one is forgotten when the younger one is full.
 */
export class RecordCache<Key, Value> {
  readonly #half: number;
  #young = new Map<Key, Value | undefined>();
  #old = new Map<Key, Value | undefined>();

  constructor(capacity: number) {
    this.#half = Math.max(1, Math.floor(capacity / 2));
  }

  has(key: Key): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  /** Also makes it the youngest. Ask `has` first. */
  get(key: Key): Value | undefined {
    const value = this.#young.get(key);
    if (value !== undefined || this.#young.has(key)) return value;
    const older = this.#old.get(key);
    this.put(key, older);
    return older;
  }

  put(key: Key, value: Value | undefined): void {
    this.#young.set(key, value);
    if (this.#young.size < this.#half) return;
    this.#old = this.#young;
    this.#young = new Map();
  }

  clear(): void {
    this.#young = new Map();
    this.#old = new Map();
  }
}
