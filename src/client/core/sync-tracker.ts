/** A chunk with acknowledged writes that may be lost with the power. */
export interface UnsyncedChunk {
  readonly index: number;
  /** Which writes a sync that begins now covers. */
  readonly mark: number;
}

/**
 * Which chunks of a file have acknowledged writes that no completed sync covers. A chunk stays here until a sync that
 * began after its last write has *ended*: a second caller of sync never returns before the first one's is done.
 */
export class SyncTracker {
  readonly #unsynced = new Map<number, number>();
  #lastMark = 0;

  wrote(index: number): void {
    this.#unsynced.set(index, ++this.#lastMark);
  }

  /** Of the last acknowledged write of the chunk that no sync covers. */
  markOf(index: number): number | undefined {
    return this.#unsynced.get(index);
  }

  /** What a sync that begins now must cover. */
  pending(): UnsyncedChunk[] {
    return [...this.#unsynced].map(([index, mark]) => ({ index, mark }));
  }

  synced({ index, mark }: UnsyncedChunk): void {
    const last = this.#unsynced.get(index);
    if (last !== undefined && last <= mark) this.#unsynced.delete(index);
  }

  /** The file was truncated: chunks from this index on are gone. */
  forgetFrom(index: number): void {
    for (const known of this.#unsynced.keys()) if (known >= index) this.#unsynced.delete(known);
  }

  get isClean(): boolean {
    return this.#unsynced.size === 0;
  }
}
