import type { WriteId } from "../chunk/index.js";
import { SequenceWindow } from "./core/sequence-window.js";

/** The name of one write, for as long as it is tried. */
export interface WriteName {
  /** As it is sent now: says which earlier writes are over. */
  now(): WriteId;
  /** The session it was named under is the present one. */
  isValid(): boolean;
  /** It will not be sent again. */
  settle(): void;
}

/** Names the writes of a session, so that chunk servers apply a repeated one once. */
export class WriteNumbers {
  readonly #sessionId: () => number;
  #window = new SequenceWindow();
  #windowOf = 0;

  constructor(sessionId: () => number) {
    this.#sessionId = sessionId;
  }

  begin(): WriteName {
    const sessionId = this.#sessionId();
    if (sessionId !== this.#windowOf) {
      this.#windowOf = sessionId;
      this.#window = new SequenceWindow();
    }
    const window = this.#window;
    const sequence = window.next();
    return {
      now: () => ({ sessionId, sequence, acknowledgedBelow: window.openFrom }),
      isValid: () => this.#sessionId() === sessionId,
      settle: () => window.settle(sequence),
    };
  }
}
