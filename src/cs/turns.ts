import { type StorageError, storageError } from "../base/index.js";
import type { Clock } from "../io/index.js";

interface Turn {
  readonly begin: () => void;
  readonly refuse: (error: StorageError) => void;
}

/** Operations that wait until the chain lets them begin. */
export class Turns {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Turn>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when `begin` is called with that id, perhaps by `ask`; rejects at the deadline or when refused. */
  wait(operationId: number, deadlineMs: number, ask: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      let cancel = (): void => undefined;
      const finish = (): void => {
        this.#waiting.delete(operationId);
        cancel();
      };
      const begin = (): void => {
        finish();
        resolve();
      };
      const refuse = (error: StorageError): void => {
        finish();
        reject(error);
      };
      this.#waiting.set(operationId, { begin, refuse });
      ask();
      if (!this.#waiting.has(operationId)) return;
      const timer = this.#clock.after("cs.turn.deadline", deadlineMs, () =>
        refuse(storageError("timed_out", "writes that are not acknowledged are in the way")),
      );
      cancel = () => timer.cancel();
    });
  }

  begin(operationId: number): void {
    this.#waiting.get(operationId)?.begin();
  }

  refuseAll(error: StorageError): void {
    for (const { refuse } of [...this.#waiting.values()]) refuse(error);
  }
}
