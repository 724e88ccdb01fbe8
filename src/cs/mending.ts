import { failureOf, StorageError } from "../base/index.js";
import { BLOCK_BYTES, type ChainMember, type ChunkVersion, REGION_BYTES } from "../chunk/index.js";
import { type BlockFate, blockFate, type PeerAnswer } from "./core/block-fate.js";
import { regionsOf } from "./core/dirty-regions.js";
import type { ReplicaEnvironment } from "./environment.js";
import type { InTurn } from "./filling.js";
import type { BlockRange } from "./merge-blocks.js";
import { hasCode } from "./store/chunk-file.js";
import type { StoredReplica } from "./store/stored-replica.js";
import { checksumAt, damagedOf } from "./store/verify-blocks.js";

/** How many damaged blocks ended how; see `BlockFate`. */
export interface MendOutcome {
  mendedCount: number;
  lostCount: number;
  strangeCount: number;
  postponedCount: number;
}

const ASK_TIMEOUT_MS = 2_000;
const TURN_TIMEOUT_MS = 10_000;
const NOTHING = new Uint8Array(0);

/**
 * Puts right what the disk has wrong, with what other members of the chain have. A block is only ever replaced by bytes
 * that match the checksum this replica kept for it: so it does not matter what else is going on in the chain, and no wrong
 * byte can come from anybody. A replica that cannot be put right is reported, so that the MDS replaces it; but not when
 * nobody has the bytes, or who has them cannot be asked: its other blocks may be all there is of theirs.
 */
export class Mending {
  readonly #env: ReplicaEnvironment;
  readonly #stored: StoredReplica;
  readonly #inTurn: InTurn;
  readonly #version: () => ChunkVersion;
  /** Regions being mended. Who reads there meanwhile is sent elsewhere: two servers that mend the same would wait for each other. */
  readonly #busy = new Set<number>();
  /** Regions with blocks that nobody has. */
  readonly #lost = new Set<number>();

  constructor(env: ReplicaEnvironment, stored: StoredReplica, version: () => ChunkVersion, inTurn: InTurn) {
    this.#env = env;
    this.#stored = stored;
    this.#version = version;
    this.#inTurn = inTurn;
  }

  /** Regions with blocks that no member of the chain has whole, ascending: the replica is kept as it is. */
  get lostRegions(): number[] {
    return [...this.#lost].sort((a, b) => a - b);
  }

  /**
   * Runs `read` on blocks of these ranges, once more if they were damaged and could be put right. `isHeld`: the caller
   * keeps changes of these blocks away.
   */
  async around<T>(ranges: readonly BlockRange[], isHeld: boolean, read: () => Promise<T>): Promise<T> {
    const version = this.#version();
    try {
      return await read();
    } catch (error) {
      if (!(await this.#mended(error, ranges, isHeld, version))) throw error;
    }
    return await read();
  }

  /** Reads the region as the disk has it, checksums and data, and puts it right if need be. False: it is damaged. */
  async scrub(region: number): Promise<boolean> {
    const offset = region * REGION_BYTES;
    const lengthBytes = Math.min(REGION_BYTES, this.#stored.chunkBytes - offset);
    const range = { offset, lengthBytes: Math.ceil(lengthBytes / BLOCK_BYTES) * BLOCK_BYTES };
    try {
      await this.around([range], false, () =>
        this.#quietly(range, false, async () => {
          await this.#stored.read(range.offset, range.lengthBytes);
          await this.#stored.rewriteDamagedSums(region);
        }),
      );
    } catch (error) {
      if (hasCode(error, "chunk_corrupt")) return false;
      throw error;
    }
    this.#lost.delete(region);
    return true;
  }

  async #mended(
    error: unknown,
    ranges: readonly BlockRange[],
    isHeld: boolean,
    version: ChunkVersion,
  ): Promise<boolean> {
    const code = failureOf(error)?.code;
    const { selfId, report } = this.#env;
    if (code === "io_error") {
      report(this.#stored.chunkId, version, selfId, code);
      this.#env.diskFailed(code);
    }
    if (code !== "chunk_corrupt") return false;
    const regions = ranges.flatMap(({ offset, lengthBytes }) => regionsOf(offset, lengthBytes));
    if (regions.some((region) => this.#busy.has(region))) return false;
    for (const region of regions) this.#busy.add(region);
    try {
      let isMended = true;
      for (const range of ranges) if (!(await this.#mend(range, isHeld, version))) isMended = false;
      return isMended;
    } finally {
      for (const region of regions) this.#busy.delete(region);
    }
  }

  async #mend(range: BlockRange, isHeld: boolean, version: ChunkVersion): Promise<boolean> {
    const { chunkId } = this.#stored;
    const { log, report, selfId, damageFound } = this.#env;
    const outcome = { mendedCount: 0, lostCount: 0, strangeCount: 0, postponedCount: 0 };
    let offset: number | undefined = range.offset;
    try {
      offset = await this.#mendBlocks(range, version, isHeld, outcome);
    } catch (error) {
      const code = failureOf(error)?.code;
      if (code === undefined) throw error;
      // It ended or moved on, or somebody was in the way for too long: whoever reads next sees it again.
      if (code !== "chunk_corrupt") return false;
      // The checksums themselves are damaged.
      outcome.strangeCount++;
    }
    if (offset === undefined) return true;
    log.warn("replica is damaged", { chunkId, version, offset, ...outcome });
    damageFound(chunkId, offset, outcome);
    if (outcome.strangeCount > 0) report(chunkId, version, selfId, "chunk_corrupt");
    return outcome.lostCount + outcome.strangeCount + outcome.postponedCount === 0;
  }

  /** Adds to the outcome; returns where the first damage was, undefined if there is none. */
  async #mendBlocks(
    range: BlockRange,
    version: ChunkVersion,
    isHeld: boolean,
    outcome: MendOutcome,
  ): Promise<number | undefined> {
    const found = await this.#quietly(range, isHeld, () =>
      this.#stored.readUnverified(range.offset, range.lengthBytes),
    );
    const damaged = damagedOf(found);
    for (const block of damaged) {
      const expected = checksumAt(found.checksums, block);
      const offset = range.offset + block * BLOCK_BYTES;
      const fate = await this.#mendBlock(offset, expected, version, isHeld);
      outcome[`${fate}Count`]++;
      if (fate === "lost") for (const region of regionsOf(offset, BLOCK_BYTES)) this.#lost.add(region);
    }
    return damaged[0] === undefined ? undefined : range.offset + damaged[0] * BLOCK_BYTES;
  }

  async #mendBlock(
    offset: number,
    expected: number,
    version: ChunkVersion,
    isHeld: boolean,
  ): Promise<BlockFate> {
    const answers: PeerAnswer[] = [];
    for (const member of this.#others()) {
      const answer = await this.#ask(member, offset, expected, version);
      if (typeof answer !== "string") {
        await this.#whileDamaged(offset, expected, isHeld, () => this.#stored.putBack(offset, answer));
        return "mended";
      }
      // One that was being filled when the version began may be whole by now; until then it has nothing to say.
      if (!(member.syncing && answer === "absent")) answers.push(answer);
    }
    const isStill = await this.#whileDamaged(offset, expected, isHeld, () => Promise.resolve());
    // The end of the file was cut off, and with it the high-water mark: putting blocks back does not bring that back.
    const isBeyondEnd = offset >= this.#stored.highWaterBytes;
    return isStill ? blockFate(answers, isBeyondEnd) : "mended";
  }

  /** Runs `act`, while nobody else changes the block, if it is still damaged and should still be the same; false if not. */
  #whileDamaged(
    offset: number,
    expected: number,
    isHeld: boolean,
    act: () => Promise<void>,
  ): Promise<boolean> {
    return this.#quietly({ offset, lengthBytes: BLOCK_BYTES }, isHeld, async () => {
      const found = await this.#stored.readUnverified(offset, BLOCK_BYTES);
      const isStill = checksumAt(found.checksums, 0) === expected && damagedOf(found).length > 0;
      if (isStill) await act();
      return isStill;
    });
  }

  /** Runs `act` while nobody changes these blocks here. */
  async #quietly<T>(range: BlockRange, isHeld: boolean, act: () => Promise<T>): Promise<T> {
    if (isHeld) return await act();
    return await this.#inTurn(range.offset, range.lengthBytes, TURN_TIMEOUT_MS, act);
  }

  /** What the member has there, if it is what should be here. */
  async #ask(
    member: ChainMember,
    offset: number,
    expected: number,
    version: ChunkVersion,
  ): Promise<Uint8Array | PeerAnswer> {
    const { chunkId } = this.#stored;
    const body = { chunkId, version, offset, lengthBytes: BLOCK_BYTES, background: false, isOfServer: true };
    const call = { request: { type: "read", body } as const, payload: NOTHING };
    try {
      const { payload } = await this.#env.links.request(member.address, call, ASK_TIMEOUT_MS);
      const checksums = new Uint8Array(4);
      new DataView(checksums.buffer).setUint32(0, expected, true);
      const isRight = payload.length === BLOCK_BYTES && damagedOf({ bytes: payload, checksums }).length === 0;
      return isRight ? payload : "different";
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      return error.code === "chunk_corrupt" ? "damaged" : "absent";
    }
  }

  #others(): ChainMember[] {
    const { selfId } = this.#env;
    return this.#stored.record.chain.filter(({ csId }) => csId !== selfId);
  }
}
