import { defined, fromLatin1, type Prng, toLatin1 } from "../../../src/base/index.js";
import type { KvChange, KvEntry, KvRange } from "../../../src/io/index.js";
import type { Survival } from "./sim-file.js";
import type { SimProcess } from "./sim-process.js";

/** What was there before a batch: key and value, or undefined where there was none. */
type Undo = readonly (readonly [string, Uint8Array | undefined])[];

/** LevelDB brings its log to tables now and then; so many batches may be unsynced at most. */
const UNSYNCED_COUNT_MAX = 256;
/** What an entry costs beside its bytes. */
const ENTRY_BYTES = 32;

/**
 * The contents of an ordered store on a medium.
 *
 * Fault model: batches are atomic and in order. They survive the process at once; loss of power undoes a random
 * number of the last batches that were written without sync.
 */
export class SimStore {
  readonly type = "store";
  /** Sorted; Latin-1 text keeps the order of the bytes. */
  readonly #keys: string[] = [];
  readonly #values = new Map<string, Uint8Array>();
  #unsynced: Undo[] = [];
  #sizeBytes = 0;
  /** The process that has it open. */
  owner: SimProcess | undefined;

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const value = this.#values.get(toLatin1(key));
    return value === undefined ? undefined : Uint8Array.from(value);
  }

  range(range: KvRange): KvEntry[] {
    const start = this.#indexOf(toLatin1(range.gte));
    const end = Math.max(start, this.#indexOf(toLatin1(range.lt)));
    const count = Math.min(end - start, range.limit ?? end - start);
    const keys = range.reverse
      ? this.#keys.slice(end - count, end).reverse()
      : this.#keys.slice(start, start + count);
    return keys.map((key) => ({ key: fromLatin1(key), value: Uint8Array.from(this.#valueOf(key)) }));
  }

  apply(changes: readonly KvChange[]): void {
    this.#unsynced.push(
      changes.map((change) => {
        const key = toLatin1(change.key);
        const old = this.#values.get(key);
        this.#set(key, change.type === "put" ? Uint8Array.from(change.value) : undefined);
        return [key, old];
      }),
    );
    if (this.#unsynced.length > UNSYNCED_COUNT_MAX) this.#unsynced.splice(0, UNSYNCED_COUNT_MAX / 2);
  }

  /** Everything applied so far is durable. */
  sync(): void {
    this.#unsynced = [];
  }

  losePower(survival: Survival, prng: Prng): void {
    const total = this.#unsynced.length;
    const lost = survival === "all" ? 0 : survival === "none" ? total : prng.between(0, total);
    for (const undo of this.#unsynced.slice(total - lost).reverse()) {
      for (const [key, old] of [...undo].reverse()) this.#set(key, old);
    }
    this.#unsynced = [];
    this.owner = undefined;
  }

  /** Flips one bit of one value; false when there is none to flip. */
  rot(prng: Prng): boolean {
    const candidates = this.#keys.filter((key) => this.#valueOf(key).length > 0);
    if (candidates.length === 0) return false;
    const key = prng.pick(candidates);
    const rotten = Uint8Array.from(this.#valueOf(key));
    const index = prng.below(rotten.length);
    rotten[index] = (rotten[index] ?? 0) ^ (1 << prng.below(8));
    this.#values.set(key, rotten);
    return true;
  }

  #set(key: string, value: Uint8Array | undefined): void {
    const old = this.#values.get(key);
    if (old !== undefined) this.#sizeBytes -= key.length + old.length + ENTRY_BYTES;
    if (value !== undefined) this.#sizeBytes += key.length + value.length + ENTRY_BYTES;
    if (old === undefined && value !== undefined) this.#keys.splice(this.#indexOf(key), 0, key);
    if (old !== undefined && value === undefined) this.#keys.splice(this.#indexOf(key), 1);
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
  }

  #valueOf(key: string): Uint8Array {
    return defined(this.#values.get(key), "every listed key has a value");
  }

  /** Where the first key is that is not smaller. */
  #indexOf(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (defined(this.#keys[middle], "the middle is inside") < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
