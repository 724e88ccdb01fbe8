import { type StorageError, storageError } from "../base/index.js";
import type { Entry, Position, ReadState } from "../raft/index.js";

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (failure: StorageError) => void;
}

/** A proposal that has not been given to the core yet. */
export interface QueuedProposal extends Waiter<unknown> {
  readonly data: Uint8Array;
}

/**
 * Who waits for a proposal.
 *
 * The outcome of a proposal that was put at a place of the log is known when an entry of that place is applied: it is
 * ours if the term is, otherwise ours was replaced and never takes effect (`not_leader`). Until then it is unknown,
 * also after the leadership was lost; who does not want to wait longer gets `unavailable`.
 */
export class ProposalWaiters {
  readonly #queue: QueuedProposal[] = [];
  readonly #placed = new Map<number, Waiter<unknown> & { readonly term: number }>();

  get count(): number {
    return this.#queue.length + this.#placed.size;
  }

  enqueue(proposal: QueuedProposal): void {
    this.#queue.push(proposal);
  }

  get queued(): readonly QueuedProposal[] {
    return this.#queue;
  }

  /** Gives up on one that was not placed yet. True: it surely has no effect. */
  withdraw(proposal: QueuedProposal): boolean {
    const place = this.#queue.indexOf(proposal);
    if (place !== -1) this.#queue.splice(place, 1);
    return place !== -1;
  }

  /** The core put all that were queued at consecutive places from there. */
  placeQueued(first: Position): void {
    for (const [i, proposal] of this.#queue.splice(0).entries()) {
      this.place({ index: first.index + i, term: first.term }, proposal);
    }
  }

  place(position: Position, waiter: Waiter<unknown>): void {
    // An older proposal of the same place was replaced by this node's own log.
    this.#placed.get(position.index)?.reject(replaced());
    this.#placed.set(position.index, { term: position.term, ...waiter });
  }

  /** None of the queued will be placed. */
  rejectQueued(failure: StorageError): void {
    for (const proposal of this.#queue.splice(0)) proposal.reject(failure);
  }

  applied(entries: readonly Entry[], results: readonly unknown[]): void {
    if (this.#placed.size === 0) return;
    for (const [i, entry] of entries.entries()) {
      const waiter = this.#placed.get(entry.index);
      if (waiter === undefined) continue;
      this.#placed.delete(entry.index);
      if (waiter.term === entry.term) waiter.resolve(results[i]);
      else waiter.reject(replaced());
    }
  }

  /** Those of earlier terms, or all, have waited long enough: their outcome stays unknown. */
  rejectPlaced(failure: StorageError, beforeTerm = Number.POSITIVE_INFINITY): void {
    for (const [index, waiter] of this.#placed) {
      if (waiter.term >= beforeTerm) continue;
      this.#placed.delete(index);
      waiter.reject(failure);
    }
  }
}

function replaced(): StorageError {
  return storageError("not_leader", "another leader replaced the proposal; it has no effect");
}

/** Who waits for a linearizable read point: first for its index, then for that index to be applied. */
export class ReadWaiters {
  #nextContext = 1;
  /** Came since the core was last asked: they share one question. */
  #new: Waiter<void>[] = [];
  readonly #asked = new Map<number, Waiter<void>[]>();
  /** Know their index, which is not applied yet. */
  #behind: { readonly index: number; readonly waiters: Waiter<void>[] }[] = [];
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(waiter: Waiter<void>): void {
    this.#new.push(waiter);
    this.#count++;
  }

  /** Asks the core for all that came, once. `ask` is false when this node does not lead. */
  ask(ask: (context: number) => boolean, refuse: () => StorageError): void {
    if (this.#new.length === 0) return;
    const waiters = this.#new;
    this.#new = [];
    const context = this.#nextContext++;
    if (ask(context)) this.#asked.set(context, waiters);
    else this.#reject(waiters, refuse());
  }

  answered(states: readonly ReadState[], appliedIndex: number): void {
    for (const { context, index } of states) {
      const waiters = this.#asked.get(context);
      this.#asked.delete(context);
      if (waiters !== undefined) this.#behind.push({ index, waiters });
    }
    this.applied(appliedIndex);
  }

  aborted(contexts: readonly number[], failure: StorageError): void {
    for (const context of contexts) {
      this.#reject(this.#asked.get(context) ?? [], failure);
      this.#asked.delete(context);
    }
  }

  applied(appliedIndex: number): void {
    if (this.#behind.length === 0) return;
    const ready = this.#behind.filter((read) => read.index <= appliedIndex);
    this.#behind = this.#behind.filter((read) => read.index > appliedIndex);
    for (const { waiters } of ready) {
      this.#count -= waiters.length;
      for (const waiter of waiters) waiter.resolve();
    }
  }

  rejectAll(failure: StorageError): void {
    const all = [this.#new, ...this.#asked.values(), ...this.#behind.map((read) => read.waiters)];
    this.#new = [];
    this.#asked.clear();
    this.#behind = [];
    for (const waiters of all) this.#reject(waiters, failure);
  }

  #reject(waiters: readonly Waiter<void>[], failure: StorageError): void {
    this.#count -= waiters.length;
    for (const waiter of waiters) waiter.reject(failure);
  }
}
