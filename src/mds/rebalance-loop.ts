import type { ChunkId, CsId } from "../chunk/index.js";
import { Heartbeat } from "./background-jobs.js";
import { configNumber } from "./core/cluster-config.js";
import { FillLevels, type Move } from "./core/rebalance-plan.js";
import { suppressionOf } from "./core/repair-plan.js";
import type { Leadership } from "./leadership.js";

const PERIOD_MS = 1000;
/** Chunks looked at in one period. */
const PAGE = 500;
/** After a move it takes so long until heartbeats tell of it. */
const SETTLE_MS = 5000;

interface MoveUnderWay extends Move {
  /** When its copy was seen to be complete, or to have failed; undefined: it goes on. */
  endedMs: number | undefined;
}

/**
 * Moves healthy replicas, some at a time, while nothing has to be repaired: goes through the chunks as long as disks are unevenly full, and
 * once after every change of servers or of what files want.
 */
export class RebalanceLoop {
  readonly #leadership: Leadership;
  readonly #beat: Heartbeat;
  readonly #moves = new Map<ChunkId, MoveUnderWay>();
  #after: ChunkId | undefined;
  /** A whole round without a move is due. */
  #isDue = true;
  #hasMoved = false;

  constructor(leadership: Leadership) {
    this.#leadership = leadership;
    this.#beat = new Heartbeat(leadership.clock, "mds.rebalance", PERIOD_MS, () => this.#round());
  }

  start(): void {
    this.#beat.start();
  }

  /** Servers came or went, or files want something else. */
  kick(): void {
    this.#isDue = true;
    this.#hasMoved = true;
  }

  close(): void {
    this.#beat.close();
  }

  async #round(): Promise<void> {
    const { tables, store } = this.#leadership;
    this.#follow();
    const left = configNumber(tables, "mds.rebalance.max_moves") - this.#runningCount;
    if (left <= 0 || configNumber(tables, "mds.rebalance.enabled") === 0) return;
    if (suppressionOf(tables) !== undefined) return;
    const levels = new FillLevels(tables, this.#moves.values());
    if (!this.#isDue && !levels.isUneven) return;
    // Whatever lacks replicas comes first.
    if ((await store.degradedPage(undefined, 1)).length > 0) return;
    const page = await store.chunksPage(this.#after, PAGE);
    const moves: Move[] = [];
    const busy = new Set<CsId>();
    for (const { source, target, endedMs } of this.#moves.values()) {
      if (endedMs === undefined) busy.add(source).add(target);
    }
    for (const record of page) {
      if (moves.length === left) break;
      this.#after = record.chunkId;
      const move = levels.plan(record, (csId) => busy.has(csId));
      if (move === undefined || this.#moves.has(record.chunkId)) continue;
      moves.push(move);
      busy.add(move.source).add(move.target);
    }
    if (page.length < PAGE && moves.length < left) this.#wrap();
    for (const move of moves) await this.#begin(move);
  }

  /** A round is over. */
  #wrap(): void {
    this.#after = undefined;
    this.#isDue = this.#hasMoved;
    this.#hasMoved = false;
  }

  async #begin(move: Move): Promise<void> {
    const { chunkId } = move.step;
    this.#moves.set(chunkId, { ...move, endedMs: undefined });
    this.#hasMoved = true;
    if (await this.#leadership.proposeQuietly({ type: "reconfigureChunk", body: move.step })) return;
    this.#moves.delete(chunkId);
  }

  /** What has become of the moves. */
  #follow(): void {
    const { clock, tables } = this.#leadership;
    const nowMs = clock.monotonicMs();
    for (const [chunkId, move] of this.#moves) {
      const member = tables.chunks.get(chunkId)?.chain.find(({ csId }) => csId === move.target);
      if (member?.syncing === true) continue;
      move.endedMs ??= nowMs;
      if (move.endedMs + SETTLE_MS <= nowMs) this.#moves.delete(chunkId);
    }
  }

  get #runningCount(): number {
    return [...this.#moves.values()].filter(({ endedMs }) => endedMs === undefined).length;
  }
}
