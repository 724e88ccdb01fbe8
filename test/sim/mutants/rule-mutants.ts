import type { RuleMutant } from "./mutants.js";

/**
 * Bugs in rules for what is so rare that no simulation of some minutes meets it: crashes of a whole chain, several in a row, at a
 * moment when its servers differ. The rules are pure, and have tests of their own.
 */
export const RULE_MUTANTS: readonly RuleMutant[] = [
  {
    name: "the first of suspect replicas brings a chunk back",
    file: "src/mds/core/inventory.ts",
    find: '  const suspect = last("suspect");',
    replace: '  const suspect = known.find((lost) => lost.evidence === "suspect");',
    test: "test/unit/mds/core/inventory.test.ts",
  },
  {
    name: "suspect members do not wait for those behind them",
    file: "src/mds/core/inventory.ts",
    find: "  if (active.some(isAwaited) || lost.some(mayStillCome)) return undefined;",
    replace: "  if (active.some(isAwaited) && lost.some(mayStillCome)) return undefined;",
    test: "test/unit/mds/core/inventory.test.ts",
  },
  {
    name: "a replica that is being filled anew counts as complete",
    file: "src/mds/lost-evidence.ts",
    find: '    if (this.of(csId, record) !== "complete") return;',
    replace: '    if (this.of(csId, record) !== "unknown") return;',
    test: "test/unit/mds/lost-evidence.test.ts",
  },
  {
    name: "who closes a file leaves unsaid what others wrote",
    file: "src/client/file-opens.ts",
    find: "lost === undefined && !this.#unsaid.isEmpty()",
    replace: "lost === undefined && this.#unsaid.isEmpty() && this.isWriter",
    test: "test/unit/client/lingering.test.ts",
  },
  {
    name: "a new leader does not wait out what the old one promised",
    file: "src/mds/coherence.ts",
    find: "      if (caches !== true || isEnding) continue;",
    replace: "      if (caches === true || isEnding) continue;",
    test: "test/sim/coherence.test.ts",
  },
  {
    name: "a growing file does not tell its contents first",
    file: "src/client/file-content.ts",
    find: '    while (image.isDirty && lease.kind === "exclusive") await size.report();\n',
    replace: "",
    test: "test/unit/client/small-files.test.ts",
  },
  {
    name: "a directory is given up before what was answered early is known",
    file: "src/client/session.ts",
    find: "    if (wasSole === true) await this.#early?.answered();\n",
    replace: "",
    test: "test/sim/early.test.ts",
  },
  {
    name: "a sync does not wait for what was answered early",
    file: "src/client/early-answers.ts",
    find: "    await this.answered(signal);\n    if (this.#lossCount",
    replace: "    if (this.#lossCount",
    test: "test/sim/early.test.ts",
  },
  {
    name: "what is sent later overtakes what was answered early",
    file: "src/client/session.ts",
    find: "    if (pending.early === undefined) this.#early?.sendAll();\n",
    replace: "",
    test: "test/sim/early.test.ts",
  },
  {
    name: "a change that is refused among others is not noticed",
    file: "src/client/core/early-check.ts",
    find: "  if (failure !== undefined) return [{ error: storageError(failure, detail) }];\n",
    replace: "  if (failure !== undefined) return [];\n",
    test: "test/unit/client/core/early-check.test.ts",
  },
  {
    name: "who made something together with other things is not known to know it",
    file: "src/mds/coherent-answers.ts",
    find: "    for (const { type, body } of partsOf(mutation)) {\n",
    replace: "    for (const { type, body } of [mutation]) {\n",
    test: "test/sim/early.test.ts",
  },
  {
    name: "who writes a little of a longer file has all of it told each time",
    file: "src/client/core/inline-image.ts",
    find: "    if (bytes.length > BLOCK_BYTES) this.#longToldCount++;\n",
    replace: "",
    test: "test/unit/client/small-files.test.ts",
  },
  {
    name: "contents are kept that no chunk of the file could take over",
    file: "src/mds/core/inline-contents.ts",
    find: "  if (bytes.length > inlineBytesMaxOf(bytesMax, storage))\n",
    replace:
      "  if (bytes.length > inlineBytesMaxOf(bytesMax, { chunkBytes: 2 ** 20 }) + 0 * storage.tier)\n",
    test: "test/unit/mds/core/inline-contents.test.ts",
  },
  {
    name: "a new leader does not wait for what was answered early",
    file: "src/mds/sole-holds.ts",
    find: "    if ((earlyCount ?? 0) > 0) this.#behind.set(sessionId, 0);\n    else this",
    replace: "    this",
    test: "test/sim/early.test.ts",
  },
  {
    name: "what was answered early is carried out in any order",
    file: "src/mds/core/mutations.ts",
    find: '  if (!isInOrder(context, session, id)) return fail("busy", "another mutation comes first");\n',
    replace: "",
    test: "test/unit/mds/core/reserved-numbers.test.ts",
  },
  {
    // Clients stop by themselves before their leases end: only a packet that is later than all of that meets this check.
    name: "a chunk server serves any version",
    file: "src/cs/core/replica-chain.ts",
    find: "if (version !== this.#version) {\n      return { code",
    replace: "if (version > this.#version) {\n      return { code",
    test: "test/unit/cs/core/replica-chain.test.ts",
  },
  {
    name: "a candidate with an old log is voted for",
    file: "src/raft/log.ts",
    find: "    return lastTerm > this.lastTerm || (lastTerm === this.lastTerm && lastIndex >= this.lastIndex);",
    replace: "    return lastTerm + lastIndex >= 0;",
    test: "test/golden/raft.test.ts",
  },
  {
    name: "a durable write is acknowledged before it is safe",
    file: "src/cs/cargo.ts",
    find: "  if (cargo.isDurable) await stored.sync();\n",
    replace: "",
    test: "test/unit/cs/chain.test.ts",
  },
  {
    name: "a server does not tell the next one that a write is durable",
    file: "src/cs/forward-call.ts",
    find: "    checksums,\n    isDurable,\n",
    replace: "    checksums,\n",
    test: "test/unit/cs/chain.test.ts",
  },
  {
    name: "bytes of a local file are taken as they are",
    file: "src/client/core/local-sums.ts",
    find: "    else if (blockChecksum(contents) !== expected) return false;\n",
    replace: "    else if (blockChecksum(contents) === 0) return false;\n",
    test: "test/unit/client/local-reads.test.ts",
  },
  {
    name: "checksums that were asked for before a change are kept",
    file: "src/client/core/local-sums.ts",
    find: "      if (question.begin < end && begin < question.end) question.isOutdated = true;\n",
    replace: "",
    test: "test/unit/client/core/local-sums.test.ts",
  },
  {
    name: "a name is taken for safe before its file is made",
    file: "src/cs/store/stored-replica.ts",
    find: "!this.#isNameDurable && this.#data.isThere",
    replace: "!this.#isNameDurable && this.#data.sizeBytes > 0",
    test: "test/unit/cs/store/chunk-store.test.ts",
  },
];
