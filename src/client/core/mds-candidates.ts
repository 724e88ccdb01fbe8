/**
 * In which order to ask the metadata servers who leads. Hints first, then whoever led last, then each of the others;
 * the last of them ends the round, and the caller pauses before the next.
 */
export class MdsCandidates {
  /** Given by the user: never forgotten. */
  readonly #given: readonly string[];
  #known: string[];
  #lastLeader: string | undefined;
  /** Failed last: asked after all the others. */
  #failed: string | undefined;
  #hint: string | undefined;
  #untried: string[] = [];
  #hintsFollowed = 0;

  constructor(addresses: readonly string[]) {
    this.#given = addresses;
    this.#known = [...new Set(addresses)];
  }

  /** Begins a round. `shuffle` gives the order of the ones nothing is known about. */
  beginRound(shuffle: (addresses: readonly string[]) => string[]): void {
    const first = this.#lastLeader;
    const last = this.#failed;
    const rest = this.#known.filter((address) => address !== first && address !== last);
    this.#untried = shuffle(rest);
    if (first !== undefined) this.#untried.unshift(first);
    if (last !== undefined && last !== first) this.#untried.push(last);
    this.#hintsFollowed = 0;
  }

  /** The next one to ask, or undefined at the end of the round. */
  next(): string | undefined {
    const hint = this.#hint;
    this.#hint = undefined;
    if (hint === undefined) return this.#untried.shift();
    this.#untried = this.#untried.filter((address) => address !== hint);
    return hint;
  }

  /** Somebody said that this one leads. Servers that point at each other do not keep us busy for ever. */
  hint(address: string | undefined): void {
    if (address === undefined || address === "") return;
    if (!this.#known.includes(address)) this.#known.push(address);
    if (this.#hintsFollowed++ < HINTS_MAX) this.#hint = address;
  }

  /** These are all there are now, says the leader. */
  learn(addresses: readonly string[]): void {
    this.#known = [...new Set([...this.#given, ...addresses.slice(0, LEARNED_MAX)])];
  }

  leads(address: string): void {
    this.#lastLeader = address;
    this.#failed = undefined;
  }

  /** It does not lead, or is not there: others are asked first. */
  failed(address: string): void {
    if (this.#lastLeader === address) this.#lastLeader = undefined;
    this.#failed = address;
  }
}

/** More metadata servers than any cluster has. */
const LEARNED_MAX = 64;

/** Hints followed in one round. */
const HINTS_MAX = 4;
