import { StorageError, storageError } from "../base/index.js";
import type { Clock } from "../io/index.js";
import type { Change, Command, Outcome } from "./core/command.js";

/** Puts a change into the log and resolves with what applying it gave. Throws a failure as `StorageError`. */
export type Propose = (change: Change) => Promise<Settled>;

/** An outcome that is no failure. */
export type Settled = Exclude<Outcome, { readonly type: "failure" }>;

/** What proposals need of the replica and the codec of commands. */
export interface ProposalWorld {
  readonly clock: Clock;
  readonly submit: (command: Uint8Array, signal?: AbortSignal) => Promise<unknown>;
  readonly encode: (command: Command) => Uint8Array;
}

/** Stamps commands with this leader's time, which never runs backwards, and unpacks their outcomes. */
export class Proposals {
  readonly #world: ProposalWorld;
  #lastStampMs = 0;

  constructor(world: ProposalWorld) {
    this.#world = world;
  }

  readonly propose: Propose = async (change) => {
    this.#lastStampMs = Math.max(this.#lastStampMs, this.#world.clock.wallMs());
    const command: Command = { stampMs: this.#lastStampMs, change };
    const outcome = (await this.#world.submit(this.#world.encode(command))) as Outcome;
    if (outcome.type === "failure") throw new StorageError(outcome.failure);
    return outcome;
  };

  /** Of a command that cannot have to wait: the number it gave out. */
  async number(change: Change): Promise<number> {
    const outcome = await this.propose(change);
    if (outcome.type === "done") return outcome.value;
    throw storageError("busy", "the change cannot be made now; try again");
  }
}
