import { BLOCK_BYTES, extentsOf, type ForwardWrite } from "../chunk/index.js";
import type { Activity } from "./activity.js";
import type { Fill } from "./core/fill.js";
import type { Payload } from "./merge-blocks.js";
import { putFetched } from "./store/put-fetched.js";
import type { StoredReplica } from "./store/stored-replica.js";

/** Within that time the changes before the end of a resynchronisation are over, or it is tried again. */
const FINISH_TIMEOUT_MS = 20_000;

/** Runs `act` when no earlier operation on the range is in the way; later changes of it wait meanwhile. */
export type InTurn = <T>(
  offset: number,
  lengthBytes: number,
  deadlineMs: number,
  act: () => Promise<T>,
) => Promise<T>;

/** A replica whose contents are being fetched: what is put into it, while the chain's changes flow in. */
export class Filling {
  readonly fill: Fill;
  readonly #stored: StoredReplica;
  readonly #disk: Activity;
  readonly #inTurn: InTurn;

  constructor(fill: Fill, stored: StoredReplica, disk: Activity, inTurn: InTurn) {
    this.fill = fill;
    this.#stored = stored;
    this.#disk = disk;
    this.#inTurn = inTurn;
  }

  /** A change has come down the chain. */
  changed(forward: ForwardWrite): void {
    const { kind, endBytes } = forward;
    for (const { offset, lengthBytes } of extentsOf(forward)) this.fill.touch(offset, lengthBytes);
    if (kind === "truncate") this.fill.truncate(endBytes);
    else this.fill.extend(endBytes);
  }

  /** An install cuts the chunk there, on every member by itself. */
  cut(truncateBytes: number): void {
    this.fill.truncate(truncateBytes);
  }

  /** The source has said what has changed: no more is needed than that. */
  async narrow(): Promise<void> {
    const { missing } = this.fill;
    if (missing !== undefined && this.#stored.needed !== "all") await this.#stored.narrow(missing);
  }

  /** Puts in what was fetched of one region, where the chain has not changed it since. */
  async put(region: number, offset: number, fetched: Payload, deadlineMs: number): Promise<void> {
    const lengthBytes = (fetched.checksums.length / 4) * BLOCK_BYTES;
    const { highWaterBytes } = this.fill;
    await this.#disk.run(async () => this.#stored.prepare([region]));
    try {
      await this.#inTurn(offset, lengthBytes, deadlineMs, () =>
        putFetched(this.#stored, region, fetched, (block) => this.fill.isWanted(block), highWaterBytes),
      );
    } finally {
      this.#stored.release([region]);
    }
  }

  /** Everything was put in: the high-water mark follows, and all becomes safe from loss of power. */
  async finish(): Promise<void> {
    // Changes wait meanwhile, so that none of them is cut off.
    await this.#inTurn(0, this.#stored.chunkBytes, FINISH_TIMEOUT_MS, async () => {
      await this.#stored.cutTo(this.fill.endBytes);
      await this.#stored.raiseHighWater(this.fill.highWaterBytes);
    });
    await this.#disk.run(async () => {
      await this.#stored.sync();
      await this.#stored.filled();
    });
  }
}
