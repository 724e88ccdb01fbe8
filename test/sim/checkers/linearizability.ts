/**
 * Whether a history of operations could have come from one machine that carries them out one at a time.
 *
 * The algorithm of Wing and Gong with the memory of Lowe: operations are put in order one after the other, each
 * somewhere between its call and its return, and dead ends are remembered by the set of what was put in order and
 * the state it led to.
 */

/** One operation. Times are positions in the history: every call and return has its own. */
export interface Operation<Action> {
  readonly action: Action;
  readonly calledAt: number;
  /** Infinity: nobody heard of its end; it may take effect at any time later, or never. */
  readonly returnedAt: number;
  /** It may also have had no effect at all: it failed, and what it did until then was fenced off at its return. */
  readonly isOptional?: boolean | undefined;
}

/** What the machine does. States are values. */
export interface Model<State, Action> {
  readonly initial: State;
  /**
   * The state afterwards, or undefined if that action with that outcome is impossible here. An action of unknown
   * outcome is always possible: where it would fail, nothing changes.
   */
  step(state: State, action: Action): State | undefined;
  /** Equal for equal states only. */
  key(state: State): string;
}

export type Verdict<Action> =
  | { readonly type: "ok" }
  /** `stuckAt`: the return that no order could get past, in the order that came farthest. */
  | {
      readonly type: "violation";
      readonly stuckAt: Operation<Action>;
      readonly placed: readonly Operation<Action>[];
    }
  /** The search was given up: too many orders. */
  | { readonly type: "unknown" };

interface Entry<Action> {
  readonly operation: Operation<Action>;
  readonly index: number;
  /** Undefined for the return. */
  readonly returning: Entry<Action> | undefined;
  previous: Entry<Action> | undefined;
  next: Entry<Action> | undefined;
}

/** States looked at before the search is given up. */
const STEPS_MAX = 2_000_000;

export function checkLinearizable<State, Action>(
  model: Model<State, Action>,
  operations: readonly Operation<Action>[],
  stepsMax = STEPS_MAX,
): Verdict<Action> {
  const head = entriesOf(operations);
  const search = new Search(model, operations, head);
  return search.run(stepsMax);
}

class Search<State, Action> {
  readonly #model: Model<State, Action>;
  readonly #operations: readonly Operation<Action>[];
  readonly #head: Entry<Action>;
  readonly #seen = new Set<string>();
  readonly #placed: Uint32Array;
  readonly #stack: { readonly entry: Entry<Action>; readonly state: State; readonly isSkipped: boolean }[] =
    [];
  #state: State;
  #farthest: { readonly stuckAt: Operation<Action>; readonly placed: Operation<Action>[] } | undefined;

  constructor(model: Model<State, Action>, operations: readonly Operation<Action>[], head: Entry<Action>) {
    this.#model = model;
    this.#operations = operations;
    this.#head = head;
    this.#state = model.initial;
    this.#placed = new Uint32Array(Math.ceil(operations.length / 32));
  }

  run(stepsMax: number): Verdict<Action> {
    let entry = this.#head.next;
    for (let steps = 0; entry !== undefined; steps++) {
      // What is left are operations of unknown outcome, which may never have happened.
      if (entry.returning === undefined && entry.operation.returnedAt === Number.POSITIVE_INFINITY) break;
      if (steps > stepsMax) return { type: "unknown" };
      if (entry.returning !== undefined) {
        const isPlaced = this.#tryToPlace(entry, false) || this.#tryToPlace(entry, true);
        entry = isPlaced ? this.#head.next : entry.next;
        continue;
      }
      this.#noteStuck(entry.operation);
      const last = this.#stack.pop();
      if (last === undefined) return this.#violation();
      this.#takeBack(last.entry);
      this.#state = last.state;
      const isSkippedInstead = !last.isSkipped && this.#tryToPlace(last.entry, true);
      entry = isSkippedInstead ? this.#head.next : last.entry.next;
    }
    return { type: "ok" };
  }

  /** `isSkipped`: as an operation without effect, if it may be one. */
  #tryToPlace(entry: Entry<Action>, isSkipped: boolean): boolean {
    const { action, isOptional } = entry.operation;
    if (isSkipped && isOptional !== true) return false;
    const after = isSkipped ? this.#state : this.#model.step(this.#state, action);
    if (after === undefined) return false;
    this.#mark(entry.index, true);
    const key = `${this.#placed.join(",")}|${this.#model.key(after)}`;
    if (this.#seen.has(key)) {
      this.#mark(entry.index, false);
      return false;
    }
    this.#seen.add(key);
    this.#stack.push({ entry, state: this.#state, isSkipped });
    this.#state = after;
    unlink(entry);
    if (entry.returning !== undefined) unlink(entry.returning);
    return true;
  }

  #takeBack(entry: Entry<Action>): void {
    this.#mark(entry.index, false);
    if (entry.returning !== undefined) relink(entry.returning);
    relink(entry);
  }

  #mark(index: number, isPlaced: boolean): void {
    const word = this.#placed[index >> 5] ?? 0;
    this.#placed[index >> 5] = isPlaced ? word | (1 << (index & 31)) : word & ~(1 << (index & 31));
  }

  #noteStuck(stuckAt: Operation<Action>): void {
    if (this.#farthest !== undefined && this.#farthest.placed.length >= this.#stack.length) return;
    this.#farthest = { stuckAt, placed: this.#stack.map(({ entry }) => entry.operation) };
  }

  #violation(): Verdict<Action> {
    const [first] = this.#operations;
    if (this.#farthest !== undefined) return { type: "violation", ...this.#farthest };
    return first === undefined ? { type: "ok" } : { type: "violation", stuckAt: first, placed: [] };
  }
}

/** Calls and returns in order, behind a head that is none of them. */
function entriesOf<Action>(operations: readonly Operation<Action>[]): Entry<Action> {
  const entries: { at: number; entry: Entry<Action> }[] = [];
  operations.forEach((operation, index) => {
    const returning = newEntry(operation, index, undefined);
    entries.push({ at: operation.calledAt, entry: newEntry(operation, index, returning) });
    entries.push({ at: operation.returnedAt, entry: returning });
  });
  entries.sort((a, b) => (a.at === b.at ? 0 : a.at - b.at));
  const head = newEntry<Action>({} as Operation<Action>, -1, undefined);
  let last = head;
  for (const { entry } of entries) {
    last.next = entry;
    entry.previous = last;
    last = entry;
  }
  return head;
}

function newEntry<Action>(
  operation: Operation<Action>,
  index: number,
  returning: Entry<Action> | undefined,
): Entry<Action> {
  return { operation, index, returning, previous: undefined, next: undefined };
}

function unlink<Action>(entry: Entry<Action>): void {
  if (entry.previous !== undefined) entry.previous.next = entry.next;
  if (entry.next !== undefined) entry.next.previous = entry.previous;
}

function relink<Action>(entry: Entry<Action>): void {
  if (entry.previous !== undefined) entry.previous.next = entry;
  if (entry.next !== undefined) entry.next.previous = entry;
}
