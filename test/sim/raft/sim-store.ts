import type { Entry, HardState, LogReader, Membership, SnapshotMeta } from "../../../src/raft/index.js";

/** What one Ready wants on disk. */
export interface SimWrite {
  readonly snapshot: SnapshotMeta | undefined;
  readonly hardState: HardState | undefined;
  readonly entries: readonly Entry[];
}

/** What a disk holds after everything else was lost. Writes are atomic and happen in order. */
export class SimStore implements LogReader {
  #start: SnapshotMeta;
  #entries: Entry[];
  hardState: HardState;
  /** The state machine's durable state: the places of the commands it has applied. */
  machine: MachineState = { index: 0, digest: 0 };

  constructor(start: SnapshotMeta, entries: readonly Entry[], hardState: HardState) {
    this.#start = start;
    this.#entries = [...entries];
    this.hardState = hardState;
  }

  start(): SnapshotMeta {
    return this.#start;
  }

  lastIndex(): number {
    return this.#start.index + this.#entries.length;
  }

  termAt(index: number): number | undefined {
    if (index === this.#start.index) return this.#start.term;
    return this.#entries[index - this.#start.index - 1]?.term;
  }

  entries(from: number, to: number, maxBytes: number): readonly Entry[] {
    const wanted = this.#entries.slice(from - this.#start.index - 1, to - this.#start.index - 1);
    if (from <= this.#start.index || wanted.length !== to - from) throw new Error("read outside of the log");
    let bytes = 0;
    const fitting = wanted.findIndex((entry, i) => {
      bytes += entry.data.length;
      return i > 0 && bytes > maxBytes;
    });
    return fitting === -1 ? wanted : wanted.slice(0, fitting);
  }

  write({ snapshot, hardState, entries }: SimWrite): void {
    if (snapshot !== undefined) {
      this.#start = snapshot;
      this.#entries = [];
    }
    if (hardState !== undefined) this.hardState = hardState;
    const first = entries[0];
    if (first === undefined) return;
    const place = first.index - this.#start.index - 1;
    if (place < 0 || place > this.#entries.length) throw new Error("a gap in the log");
    this.#entries.splice(place, this.#entries.length, ...entries);
  }

  compact(index: number, term: number, membership: Membership): void {
    this.#entries = this.#entries.slice(index - this.#start.index);
    this.#start = { index, term, membership };
  }

  /** A restore that the machine has completed but the log has not followed. */
  finishRestore(meta: SnapshotMeta): void {
    if (this.machine.index < meta.index || this.#start.index >= meta.index) return;
    if (this.termAt(meta.index) === meta.term) return;
    const isNewTerm = meta.term > this.hardState.term;
    const { term, vote, commit } = this.hardState;
    this.write({
      snapshot: meta,
      hardState: {
        term: Math.max(term, meta.term),
        vote: isNewTerm ? undefined : vote,
        commit: Math.max(commit, meta.index),
      },
      entries: [],
    });
  }
}

/** The state of the replicated machine: a running digest of all commands, which differs if anything ever differed. */
export interface MachineState {
  readonly index: number;
  readonly digest: number;
}
