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
  {
    name: "an answer that crossed an invalidation is kept",
    file: "src/client/core/metadata-cache.ts",
    find: "    if (since < this.#floor || (this.#spoiled.get(key) ?? 0) > since) return false;",
    replace: "    if (since < this.#floor) return false;",
    climate: "network",
    seed: 1,
  },
  {
    name: "changes of a client's own do not concern its cache",
    file: "src/client/core/own-changes.ts",
    find: '  const { type, body } = mutation;\n  switch (type) {\n    case "create":\n      return naming(',
    replace:
      '  const { type, body } = mutation;\n  if (body.id.sequence === 0) return { inos: [], names: [], isWild: false, keepsXattrs: true };\n  switch (type) {\n    case "create":\n      return naming(',
    climate: "network",
    seed: 1,
  },
  {
    name: "a new leader does not wait for clients with caches",
    file: "src/mds/coherence.ts",
    find: "      if (caches === true && !isEnding) this.#absent.add(sessionId);",
    replace: "      if (caches === true && !isEnding && sessionId < 0) this.#absent.add(sessionId);",
    climate: "kills",
    seed: 1,
  },
];
