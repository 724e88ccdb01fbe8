import type { ChunkVersion, WriteId } from "../../chunk/index.js";

interface SessionWrites {
  /** Every write with a smaller sequence was acknowledged to the session. */
  acknowledgedBelow: number;
  /** Sequence -> the change it became. */
  readonly changes: Map<number, number>;
  /** Sequence -> the version under which it was seen first, of those that came before the present one. */
  readonly versions: Map<number, ChunkVersion>;
}

/** Writers of one chunk that are remembered at the same time; beyond that the longest silent one is forgotten. */
const SESSION_COUNT_MAX = 64;
/** Writes of one session that are remembered although it does not say they were acknowledged. */
const WRITE_COUNT_MAX = 4096;

/**
 * Which writes of which sessions a chunk has seen, so that a repeated one is applied once. It lives in memory:
 * docs/protocol-chunk.md says why that is enough.
 */
export class WriteIds {
  /** In the order of their last write. */
  readonly #sessions = new Map<number, SessionWrites>();

  /** The change that the write became, "old" if it was acknowledged long ago, undefined if it is new. */
  find({ sessionId, sequence }: WriteId): number | "old" | undefined {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return undefined;
    if (sequence < session.acknowledgedBelow) return "old";
    return session.changes.get(sequence);
  }

  /** The version under which the write was seen, if that is not the present one any more. */
  versionOf({ sessionId, sequence }: WriteId): ChunkVersion | undefined {
    return this.#sessions.get(sessionId)?.versions.get(sequence);
  }

  /** From now on writes come under a later version. */
  close(version: ChunkVersion): void {
    for (const { changes, versions } of this.#sessions.values())
      for (const sequence of changes.keys()) if (!versions.has(sequence)) versions.set(sequence, version);
  }

  note({ sessionId, sequence, acknowledgedBelow }: WriteId, changeId: number): void {
    const session = this.#sessions.get(sessionId) ?? {
      acknowledgedBelow: 0,
      changes: new Map(),
      versions: new Map(),
    };
    this.#sessions.delete(sessionId);
    this.#sessions.set(sessionId, session);
    if (acknowledgedBelow > session.acknowledgedBelow) {
      session.acknowledgedBelow = acknowledgedBelow;
      for (const map of [session.changes, session.versions])
        for (const old of map.keys()) if (old < acknowledgedBelow) map.delete(old);
    }
    if (sequence >= session.acknowledgedBelow) session.changes.set(sequence, changeId);
    if (session.changes.size > WRITE_COUNT_MAX) deleteOldest(session.changes);
    if (session.versions.size > WRITE_COUNT_MAX) deleteOldest(session.versions);
    if (this.#sessions.size > SESSION_COUNT_MAX) deleteOldest(this.#sessions);
  }

  /** The write was not applied after all. */
  forget({ sessionId, sequence }: WriteId): void {
    this.#sessions.get(sessionId)?.changes.delete(sequence);
    this.#sessions.get(sessionId)?.versions.delete(sequence);
  }
}

function deleteOldest(map: Map<number, unknown>): void {
  for (const key of map.keys()) {
    map.delete(key);
    return;
  }
}
