import { FIRST_LEVEL, LEVEL, LEVEL_OF, toldLevel } from "../../chunk/index.js";

/** What a hello says of this program: the version of the conversation, and the highest level that it knows. */
export const SPEAKS = { protocolVersion: 2, level: LEVEL } as const;

/** The level of the cluster, as far as this client was told: what it may ask of servers. It never comes down. */
export class KnownLevel {
  #level: number = FIRST_LEVEL;

  /** As a metadata server says; undefined: it does not speak of levels. */
  note(level: number | undefined): void {
    this.#level = Math.max(this.#level, toldLevel(level));
  }

  /** All servers understand it. */
  has(what: keyof typeof LEVEL_OF): boolean {
    return this.#level >= LEVEL_OF[what];
  }
}
