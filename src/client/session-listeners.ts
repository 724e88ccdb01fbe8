import type { MetadataPush } from "../meta/index.js";
import type { SessionEvents } from "./session.js";

/** Several who hear of one session: each is told everything, in the order given here. */
export class SessionListeners implements SessionEvents {
  readonly #listeners: readonly SessionEvents[];

  constructor(listeners: readonly SessionEvents[]) {
    this.#listeners = listeners;
  }

  onPush(push: MetadataPush): void {
    for (const listener of this.#listeners) listener.onPush(push);
  }

  onResumed(): void {
    for (const listener of this.#listeners) listener.onResumed();
  }

  onLost(): void {
    for (const listener of this.#listeners) listener.onLost();
  }
}
