import type { Failure } from "../../base/index.js";
import type { ChainAnswer, ChainEffect } from "./chain-types.js";

/** Effects in the order they must be carried out. */
export class ChainOutput {
  #effects: ChainEffect[] = [];

  push(effect: ChainEffect): void {
    this.#effects.push(effect);
  }

  answer(requestId: number, answer: ChainAnswer): void {
    this.push({ type: "answer", requestId, answer });
  }

  done(requestId: number): void {
    this.answer(requestId, { type: "done" });
  }

  fail(requestId: number, failure: Failure): void {
    this.answer(requestId, { type: "failed", failure });
  }

  /** Everything since the last call. */
  take(): ChainEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
