import type { Mutant } from "./mutants.js";

/** Bugs that leave a client with something in its cache that is not true any more. */
export const COHERENCE_MUTANTS: readonly Mutant[] = [
  {
    name: "a change is answered before caches have dropped it",
    file: "src/mds/coherence.ts",
    find: "    if (this.#absent.size === 0 && this.#pending.count === 0) return;",
    replace: "    if (this.#absent.size >= 0) return;",
    climate: "network",
    seed: 1,
  },
  {
    name: "a client keeps its cache when it connects again",
    file: "src/client/session.ts",
    find: "      // The next hello says that nothing is kept.\n      await this.#cache?.forgetAll();\n",
    replace: "",
    climate: "kills",
    seed: 1,
  },
];
