import type { SmallTable } from "../core/tables.js";
import type { KeyPart } from "./keys.js";
import {
  type Change,
  encodeChange,
  type Key,
  type MapKey,
  mapKeyOf,
  type StoredTable,
  type TableLayout,
  type TakenChanges,
} from "./stored-table.js";

/** A table that is in memory as a whole: loaded at start, and written to disk behind the changes. */
export class ResidentTable<K extends Key, Value> implements SmallTable<K, Value>, StoredTable {
  readonly #layout: TableLayout<Value>;
  #root = new Branch<Value>();
  #untaken = new Map<MapKey, Change<Value>>();
  #size = 0;

  constructor(layout: TableLayout<Value>) {
    this.#layout = layout;
  }

  get size(): number {
    return this.#size;
  }

  get(...key: K): Value | undefined {
    return this.#branch(key)?.value;
  }

  put(value: Value, ...key: K): void {
    this.load(key, value);
    this.#untaken.set(mapKeyOf(key), { key, value });
  }

  delete(...key: K): void {
    if (this.get(...key) === undefined) return;
    this.#root.remove(key, 0);
    this.#size -= 1;
    this.#untaken.set(mapKeyOf(key), { key, value: undefined });
  }

  values(): IterableIterator<Value> {
    return this.#root.values();
  }

  valuesOf(...prefix: Partial<K>): IterableIterator<Value> {
    const branch = this.#branch(prefix.filter((part) => part !== undefined));
    return branch?.values() ?? [].values();
  }

  /** Takes over what is on disk. */
  load(key: Key, value: Value): void {
    let branch = this.#root;
    for (const part of key) branch = branch.childAt(part);
    if (branch.value === undefined) this.#size += 1;
    branch.value = value;
  }

  takeChanges(generation: number): TakenChanges {
    const taken = this.#untaken;
    this.#untaken = new Map();
    const changes = Array.from(taken.values(), (change) => encodeChange(this.#layout, generation, change));
    return { changes, settle: () => {} };
  }

  reset(): void {
    this.#root = new Branch();
    this.#untaken.clear();
    this.#size = 0;
  }

  get layout(): TableLayout<Value> {
    return this.#layout;
  }

  #branch(key: Key): Branch<Value> | undefined {
    let branch: Branch<Value> | undefined = this.#root;
    for (const part of key) branch = branch?.child(part);
    return branch;
  }
}

/** Children by key, when they were last put in order; those removed since are still among them, and empty. */
interface Order<Value> {
  readonly branches: readonly Branch<Value>[];
  /** All before this one are empty: whoever takes from the front for long does not pass over them again and again. */
  begin: number;
}

/** All records whose keys begin alike. Its own order is made when it is asked for, and kept while it holds. */
class Branch<Value> {
  value: Value | undefined;
  #children: Map<KeyPart, Branch<Value>> | undefined;
  #order: Order<Value> | undefined;

  child(part: KeyPart): Branch<Value> | undefined {
    return this.#children?.get(part);
  }

  childAt(part: KeyPart): Branch<Value> {
    const known = this.child(part);
    if (known !== undefined) return known;
    const child = new Branch<Value>();
    this.#children ??= new Map();
    this.#children.set(part, child);
    this.#order = undefined;
    return child;
  }

  /** True if nothing is left. */
  remove(key: Key, depth: number): boolean {
    const part = key[depth];
    if (part === undefined) {
      this.value = undefined;
    } else if (this.child(part)?.remove(key, depth + 1) === true) {
      this.#children?.delete(part);
      this.#forgetEmpty();
    }
    return this.isEmpty;
  }

  get isEmpty(): boolean {
    return this.value === undefined && this.#childCount === 0;
  }

  /** In key order. */
  *values(): Generator<Value, undefined> {
    if (this.value !== undefined) yield this.value;
    if (this.#childCount === 0) return;
    const order = this.#inOrder();
    const { branches } = order;
    while (branches[order.begin]?.isEmpty === true) order.begin++;
    for (let i = order.begin; i < branches.length; i++) {
      const branch = branches[i];
      if (branch !== undefined) yield* branch.values();
    }
  }

  get #childCount(): number {
    return this.#children?.size ?? 0;
  }

  #inOrder(): Order<Value> {
    if (this.#order === undefined) {
      const children = [...(this.#children ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
      this.#order = { branches: children.map(([, branch]) => branch), begin: 0 };
    }
    return this.#order;
  }

  /** An order that is empty for the most part is made anew. */
  #forgetEmpty(): void {
    if (this.#order !== undefined && this.#order.branches.length > 2 * this.#childCount)
      this.#order = undefined;
  }
}
