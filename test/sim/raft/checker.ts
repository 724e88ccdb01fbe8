import { crc32 } from "../../../src/base/index.js";
import type { Entry, Membership } from "../../../src/raft/index.js";

/** Something that must never happen has happened. */
export class Violation extends Error {
  override readonly name = "Violation";
}

interface Known {
  readonly term: number;
  /** Of the leader that committed it. */
  readonly commitTerm: number;
  readonly hash: number;
}

/**
 * Knows everything that ever happened in the group, and says at once when it contradicts itself:
 *
 * - election safety: one leader per term;
 * - log matching: one entry per index and term, with one predecessor;
 * - state machine safety: one committed entry per index, on every node, for ever;
 * - leader completeness: a new leader has everything that was committed;
 * - applied-state identity: the same index gives the same state;
 * - pre-vote: nobody stands for election whom a majority would not elect;
 * - linearizability: the log is the order, so an operation's place must lie behind all that was completed before it
 *   began.
 */
export class Checker {
  readonly #leaders = new Map<number, number>();
  readonly #entries = new Map<string, { readonly hash: number; readonly previousTerm: number | undefined }>();
  readonly #committed: (Known | undefined)[] = [];
  readonly #digests: (number | undefined)[] = [];
  /** The last place that somebody outside knows to have taken effect. */
  floor = 0;

  get committedIndex(): number {
    return Math.max(0, this.#committed.length - 1);
  }

  leads(node: number, term: number): void {
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== node) {
      throw new Violation(`election safety: ${other} and ${node} both lead in term ${term}`);
    }
    this.#leaders.set(term, node);
  }

  /** Nobody raises the term, which ends leaderships, without a majority's promise. */
  stands(node: number, term: number, membership: Membership, promised: ReadonlySet<number>): void {
    const voters = membership.members.filter((member) => member.role === "voter");
    const count = voters.filter(({ id }) => id === node || promised.has(id)).length;
    if (2 * count <= voters.length) {
      throw new Violation(
        `pre-vote: ${node} stands in term ${term} with ${count} of ${voters.length} promises`,
      );
    }
  }

  appended(node: number, entry: Entry, previousTerm: number | undefined): void {
    const key = `${entry.index}/${entry.term}`;
    const hash = hashOf(entry);
    const known = this.#entries.get(key);
    if (known === undefined) {
      this.#entries.set(key, { hash, previousTerm });
      return;
    }
    const isSamePrevious =
      known.previousTerm === undefined || previousTerm === undefined || known.previousTerm === previousTerm;
    if (known.hash !== hash || !isSamePrevious) {
      throw new Violation(`log matching: node ${node} has another entry ${key}`);
    }
  }

  /** `nodeTerm` is the term of the node that sees it committed: of the first one to see it, the committing leader's. */
  committed(node: number, nodeTerm: number, entry: Entry): void {
    const known = this.#committed[entry.index];
    const hash = hashOf(entry);
    if (known === undefined) {
      this.#committed[entry.index] = { term: entry.term, commitTerm: nodeTerm, hash };
    } else if (known.term !== entry.term || known.hash !== hash) {
      throw new Violation(
        `state machine safety: node ${node} commits entry ${entry.index} of term ${entry.term}, ` +
          `which was committed with term ${known.term}`,
      );
    }
  }

  /** `termAt` shows the new leader's log; undefined for what it has compacted. */
  completes(
    node: number,
    nodeTerm: number,
    firstIndex: number,
    termAt: (index: number) => number | undefined,
  ): void {
    for (let index = this.committedIndex; index >= firstIndex; index--) {
      const known = this.#committed[index];
      // A leader of an older term, elected late, need not have what a newer one has committed.
      if (known !== undefined && known.commitTerm < nodeTerm && termAt(index) !== known.term) {
        throw new Violation(`leader completeness: the new leader ${node} lacks the committed entry ${index}`);
      }
    }
  }

  applied(node: number, index: number, digest: number): void {
    const known = this.#digests[index];
    if (known === undefined) this.#digests[index] = digest;
    else if (known !== digest) throw new Violation(`applied state: node ${node} differs at entry ${index}`);
  }

  /** An operation that began when the floor was `floorAtStart` took effect at that place, and its client knows. */
  completed(what: "read" | "write", floorAtStart: number, index: number): void {
    const isStale = what === "read" ? index < floorAtStart : index <= floorAtStart;
    if (isStale) {
      throw new Violation(
        `linearizability: a ${what} took effect at ${index}, behind ${floorAtStart}, which was known before`,
      );
    }
    this.floor = Math.max(this.floor, index);
  }
}

export function hashOf(entry: Entry): number {
  return crc32(entry.data, entry.type.length);
}
