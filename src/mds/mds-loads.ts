import { failureOf } from "../base/index.js";
import type { Clock } from "../io/index.js";
import type { MdsLoad } from "../meta/index.js";

/** What was heard is not asked again sooner. */
const FRESH_MS = 2_000;
/** Nobody who looks at the cluster waits longer than this for a server that does not answer. */
export const MDS_LOAD_WAIT_MS = 250;
/** After that long without an answer a server is shown without numbers. */
const STALE_MS = 10_000;

export interface MdsLoadsWorld {
  readonly clock: Clock;
  /** Asks the MDS with that MDS-to-MDS address. Ends by itself. */
  readonly ask: (address: string) => Promise<MdsLoad>;
}

interface Known {
  readonly askedMs: number;
  readonly answer: Promise<void>;
  load: { readonly heardMs: number; readonly value: MdsLoad } | undefined;
}

/** What the other metadata servers cost, asked when somebody wants to know. */
export class MdsLoads {
  readonly #world: MdsLoadsWorld;
  readonly #known = new Map<string, Known>();

  constructor(world: MdsLoadsWorld) {
    this.#world = world;
  }

  /**
   * By address; those who have not answered lately are missing. Takes no longer than `MDS_LOAD_WAIT_MS`, and nothing if
   * they were asked before and have had that long already.
   */
  async of(addresses: readonly string[]): Promise<ReadonlyMap<string, MdsLoad>> {
    const { clock } = this.#world;
    for (const address of this.#known.keys()) if (!addresses.includes(address)) this.#known.delete(address);
    const asked = addresses.map((address) => this.#ask(address));
    const untilMs = Math.max(0, ...asked.map(({ askedMs }) => askedMs)) + MDS_LOAD_WAIT_MS;
    const answers = Promise.all(asked.map(({ answer }) => answer));
    const enough = new AbortController();
    const waitMs = Math.max(0, untilMs - clock.monotonicMs());
    await Promise.race([answers, clock.sleep("mds.load", waitMs, enough.signal)]);
    enough.abort();
    const loads = new Map<string, MdsLoad>();
    for (const [address, { load }] of this.#known) {
      if (load !== undefined && clock.monotonicMs() - load.heardMs < STALE_MS) loads.set(address, load.value);
    }
    return loads;
  }

  #ask(address: string): Known {
    const { clock, ask } = this.#world;
    const nowMs = clock.monotonicMs();
    const before = this.#known.get(address);
    if (before !== undefined && nowMs - before.askedMs < FRESH_MS) return before;
    const answer = ask(address).then(
      (value) => {
        known.load = { heardMs: clock.monotonicMs(), value };
      },
      (error: unknown) => {
        // A server that is not there has no numbers.
        if (failureOf(error) === undefined) throw error;
      },
    );
    const known: Known = { askedMs: nowMs, answer, load: before?.load };
    this.#known.set(address, known);
    return known;
  }
}
