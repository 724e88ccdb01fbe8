import type { ChainEpoch, ChunkVersion, ForwardWrite } from "../../chunk/index.js";
import type { Change, Submission } from "./chain-types.js";

/**
 * The changes of a replica that are in order: consecutive numbers of one counter (epoch), from the oldest that is
 * not acknowledged by everybody behind.
 */
export class ChangeLog {
  #changes: Change[] = [];
  #epoch: ChainEpoch | undefined;
  /** Number of the newest change ever received under this epoch. */
  #received = 0;
  /** The next change to be forwarded, as an index. */
  #nextToForward = 0;

  get epoch(): ChainEpoch | undefined {
    return this.#epoch;
  }

  get received(): number {
    return this.#received;
  }

  get oldest(): Change | undefined {
    return this.#changes[0];
  }

  /** At the head: gives the change its number. A head without a counter begins one. */
  append(change: Change, version: ChunkVersion, incarnation: number): void {
    this.#epoch ??= { version, incarnation };
    change.order = ++this.#received;
    this.#changes.push(change);
  }

  /**
   * Whether a change from the server before is the next one (`new`), was received earlier (`known`), or leaves a
   * gap (`gap`). A counter that begins is taken only when nothing of the older one is left, and only at its floor:
   * the sender vouches that everything below was acknowledged by this replica.
   */
  classify({ epoch, order, floor }: ForwardWrite): "new" | "known" | "gap" {
    const difference = this.#epoch === undefined ? 1 : compareEpochs(epoch, this.#epoch);
    if (difference === 0) {
      if (order <= this.#received) return "known";
      return order === this.#received + 1 ? "new" : "gap";
    }
    return difference > 0 && this.#changes.length === 0 && order === floor ? "new" : "gap";
  }

  /** Behind the head: takes a change that was classified as new. */
  receive(change: Change, epoch: ChainEpoch, order: number): void {
    this.#epoch = epoch;
    this.#received = order;
    change.order = order;
    this.#changes.push(change);
  }

  /** The change with that number if it is not released. */
  find(order: number): Change | undefined {
    return this.#changes[order - (this.oldest?.order ?? 0)];
  }

  /** Takes out the oldest changes that are stored here and passed on. */
  release(): Change[] {
    const index = this.#changes.findIndex(({ isStored, isPassed }) => !isStored || !isPassed);
    const released = this.#changes.splice(0, index < 0 ? this.#changes.length : index);
    this.#nextToForward = Math.max(0, this.#nextToForward - released.length);
    return released;
  }

  /** The next change to be forwarded, if it may be: its regions must be marked here first. */
  takeNextToForward(): Change | undefined {
    const change = this.#changes[this.#nextToForward];
    if (change?.isMarked !== true) return undefined;
    this.#nextToForward++;
    return change;
  }

  /** There is a new successor: all go down again, from the oldest on. Without one they count as passed. */
  rewind(hasSuccessor: boolean): void {
    for (const change of this.#changes) change.isPassed = !hasSuccessor;
    this.#nextToForward = 0;
  }

  clear(): void {
    this.#changes = [];
    this.#nextToForward = 0;
  }
}

/** A change that has no place in the order yet. `isPassed`: there is nobody behind. */
export function newChange(id: number, submission: Submission, isPassed: boolean): Change {
  const { writeId, kind, offset, lengthBytes, extents } = submission;
  return {
    id,
    writeId,
    kind,
    offset,
    lengthBytes,
    extents,
    endBytes: 0,
    order: 0,
    isMarked: false,
    isStored: false,
    isPassed,
    isAcknowledged: false,
    waiters: [],
  };
}

function compareEpochs(a: ChainEpoch, b: ChainEpoch): number {
  return a.version - b.version || a.incarnation - b.incarnation;
}
