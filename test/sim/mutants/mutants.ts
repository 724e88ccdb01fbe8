/** One deliberate bug: `find` is replaced once in that file. */
export interface CodeChange {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A bug that the simulation must find. */
export interface Mutant extends CodeChange {
  /** Which climate of faults brings it to light, and the seed to begin with: one that has caught it. */
  readonly climate: "drawn" | "calm" | "kills" | "power" | "network" | "leaders" | "late" | "rot";
  readonly seed: number;
}

/** A bug that the simulation hardly ever meets: this test must find it. */
export interface RuleMutant extends CodeChange {
  readonly test: string;
}

/** A text that is not there any more, or twice, makes its mutant fail: the list follows the code. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "a write is acknowledged before those behind have it",
    file: "src/cs/core/replica-chain.ts",
    find: "    if (!change.isStored || !change.isPassed) return;",
    replace: "    if (!change.isStored) return;",
    climate: "kills",
    seed: 1,
  },
  {
    name: "a read does not wait for writes under way",
    file: "src/cs/core/range-gate.ts",
    find: '      if (use !== "read" && earlier.use === "change") {',
    replace: '      if (use === "read") continue;\n      if (earlier.use === "change") {',
    climate: "kills",
    seed: 15,
  },
  {
    name: "a repeated write is applied again",
    file: "src/cs/core/write-ids.ts",
    find: "    if (session === undefined) return undefined;\n    if (sequence",
    replace: "    return undefined;\n    if (session === undefined) return undefined;\n    if (sequence",
    climate: "kills",
    seed: 11,
  },
  {
    name: "a chunk server's sync does nothing",
    file: "src/cs/store/stored-replica.ts",
    find: "    const work = [this.#data.sync()];",
    replace: "    const work = [Promise.resolve()];",
    climate: "power",
    seed: 1,
  },
  {
    name: "a host crash is taken for an orderly end",
    file: "src/cs/store/run-state.ts",
    find: '  return state.bootId === bootId ? "process_crash" : "host_crash";',
    replace: '  return state.bootId === bootId ? "process_crash" : "clean";',
    climate: "power",
    seed: 1,
  },
  {
    name: "the Raft log is not synced",
    file: "src/mds/store/raft-log.ts",
    find: '    await this.#kv.batch(changes, { sync, label: "mds.raft.persist" });',
    replace: '    await this.#kv.batch(changes, { sync: false && sync, label: "mds.raft.persist" });',
    climate: "power",
    seed: 1,
  },
  {
    name: "a server votes twice in a term",
    file: "src/raft/election.ts",
    find: "  return node.vote === candidate || (node.vote === undefined && node.leaderId === undefined);",
    replace: "  return candidate > 0;",
    climate: "network",
    seed: 12,
  },
  {
    name: "a leader answers without making sure that it leads",
    file: "src/mds/leadership.ts",
    find: "    return this.replica.readBarrier().catch(",
    replace: "    return Promise.resolve().catch(",
    climate: "network",
    seed: 1,
  },
  {
    name: "a repeated mutation is carried out again",
    file: "src/mds/core/answers.ts",
    find: "  if (answer !== undefined) return outcomeOf(context, session, id, answer);",
    replace: '  if (answer?.type === "held") return outcomeOf(context, session, id, answer);',
    climate: "kills",
    seed: 1,
  },
  {
    name: "leases are not recalled",
    file: "src/mds/core/lease-open.ts",
    find: '  if (inTheWay.length > 0) return wait({ type: "lease", ino });\n  const open',
    replace: "  const open",
    climate: "calm",
    seed: 2,
  },
  {
    name: "a version is installed while older maps are in use",
    file: "src/mds/chunk-installer.ts",
    find: "    await dropped;\n",
    replace: "    void dropped;\n",
    climate: "kills",
    seed: 1,
  },
  {
    name: "a client acts on its leases for ever",
    file: "src/client/core/lease-clock.ts",
    find: "    return nowMs < this.#validUntilMs;",
    replace: "    return this.#validUntilMs > 0 || nowMs < this.#validUntilMs;",
    climate: "network",
    seed: 1,
  },
  {
    name: "a dead writer's chunks are not fenced",
    file: "src/mds/core/recovery.ts",
    find: '  if ((lease !== "exclusive" && lease !== "shared") || !hasWriters(tables, ino, sessionId)) {',
    replace:
      '  if (true || (lease !== "exclusive" && lease !== "shared") || !hasWriters(tables, ino, sessionId)) {',
    climate: "kills",
    seed: 3,
  },
  {
    name: "a dead writer's size is not recovered",
    file: "src/mds/core/recovery.ts",
    find: "  if (inode !== undefined && sizeBytes > inode.sizeBytes) {",
    replace: "  if (inode !== undefined && sizeBytes > inode.sizeBytes && sizeBytes < 0) {",
    climate: "kills",
    seed: 3,
  },
  {
    name: "what was fetched replaces what was written since",
    file: "src/cs/core/fill.ts",
    find: "    return !this.#touched.has(block);",
    replace: "    return block >= 0;",
    climate: "kills",
    seed: 15,
  },
  {
    name: "checksums are not verified",
    file: "src/cs/store/verify-blocks.ts",
    find: "    if (expected !== 0 && blockChecksum(contents) !== expected) damaged.push(block);",
    replace: "    if (expected !== 0 && blockChecksum(contents) === -1) damaged.push(block);",
    climate: "rot",
    seed: 1,
  },
  {
    name: "a scrub reads nothing",
    file: "src/cs/mending.ts",
    find: "          await this.#stored.read(range.offset, range.lengthBytes);",
    replace: "          if (range.offset < 0) await this.#stored.read(range.offset, range.lengthBytes);",
    climate: "rot",
    seed: 3,
  },
  {
    name: "a truncation keeps what lay beyond",
    file: "src/mds/chunk-installer.ts",
    find: "    truncateBytes: record.truncateBytes,",
    replace: "    truncateBytes: undefined,",
    climate: "calm",
    seed: 1,
  },
  {
    name: "an orphan replica is not deleted",
    file: "src/mds/core/chunk-settle.ts",
    find: "  context.tables.deletions.put(version, csId, chunkId);\n",
    replace: "",
    climate: "kills",
    seed: 1,
  },
  {
    name: "small contents are dropped before the chunk has them",
    file: "src/mds/chunk-installer.ts",
    find: "    contents: own.create ? contentsToInstall(tables, record) : undefined,\n",
    replace: "",
    climate: "calm",
    seed: 1,
  },
  {
    name: "a region that is written counts as unchanged",
    file: "src/cs/store/stored-replica.ts",
    find: "    this.history.note(regions);\n",
    replace: "",
    climate: "kills",
    seed: 4,
  },
  {
    name: "what is on its way when a version begins counts as unchanged",
    file: "src/cs/store/stored-replica.ts",
    find: "    this.history.begin(version, [...this.dirty.underWay(), ...this.#record.suspectRegions]);",
    replace: "    this.history.begin(version, []);",
    climate: "kills",
    seed: 5,
  },
];
