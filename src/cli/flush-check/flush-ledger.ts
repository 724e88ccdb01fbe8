/** A thread whose disk forgot what it had flushed. */
export interface Loss {
  readonly thread: number;
  /** The last flush that was reported, and what the disk has. */
  readonly flushed: number;
  readonly found: number;
}

/** What the server of the flush test remembers of its clients: the last flush of each thread. */
export class FlushLedger {
  readonly #clients = new Map<string, Map<number, number>>();

  /** The client flushed that record. */
  flushed(client: string, thread: number, sequence: number): void {
    const threads = this.#clients.get(client) ?? new Map<number, number>();
    this.#clients.set(client, threads);
    threads.set(thread, Math.max(sequence, threads.get(thread) ?? 0));
  }

  /** The client has come back, and this is what its disk has now. Undefined: nothing is lost. */
  found(client: string, thread: number, sequence: number): Loss | undefined {
    const flushed = this.#clients.get(client)?.get(thread) ?? 0;
    return sequence < flushed ? { thread, flushed, found: sequence } : undefined;
  }

  /** Flushes of that client so far, over all threads. */
  total(client: string): number {
    return [...(this.#clients.get(client)?.values() ?? [])].reduce((sum, sequence) => sum + sequence, 0);
  }
}
