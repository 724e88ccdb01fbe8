import { concatBytes } from "../../base/index.js";
import type { ChunkId } from "../../chunk/index.js";
import type { DiskFile } from "../../io/index.js";
import {
  type ChecksumPage,
  decodeSlot,
  encodeSlot,
  encodeSumsHeader,
  isSumsHeader,
  SLOT_BYTES,
  SUMS_HEADER_BYTES,
  slotOffset,
} from "./checksum-page.js";
import { ChunkFile, hasCode, type StoreFiles } from "./chunk-file.js";

/** The checksum file of a chunk: a header, and a slot for each region, right whenever the region is clean. */
export class ChunkSums {
  readonly #file: ChunkFile;
  readonly #chunkId: ChunkId;
  #hasHeader = false;

  constructor(store: StoreFiles, chunkId: ChunkId) {
    this.#chunkId = chunkId;
    this.#file = new ChunkFile(store, chunkId, "sums");
  }

  /** The page of a clean region that was written, or undefined if it is damaged or missing. */
  async read(region: number): Promise<ChecksumPage | undefined> {
    try {
      return await this.#use("read-write", async (file) => {
        if (!(await this.#checkHeader(file))) return undefined;
        const slot = new Uint8Array(SLOT_BYTES);
        const count = await file.read(slot, slotOffset(region), "cs.sums.read");
        return count === SLOT_BYTES ? decodeSlot(this.#chunkId, region, slot) : undefined;
      });
    } catch (error) {
      if (hasCode(error, "not_found")) return undefined;
      throw error;
    }
  }

  /** Writes the pages (in ascending order of regions) and syncs the file. */
  async write(pages: readonly (readonly [region: number, page: ChecksumPage])[]): Promise<void> {
    await this.#use("create", async (file) => {
      if (!this.#hasHeader) {
        await file.write([encodeSumsHeader(this.#chunkId)], 0, "cs.sums.write");
        this.#hasHeader = true;
      }
      for (const [first, run] of runsOf(pages)) {
        const slots = run.map((page, index) => encodeSlot(this.#chunkId, first + index, page));
        await file.write([concatBytes(...slots)], slotOffset(first), "cs.sums.write");
      }
      await file.sync("cs.sums.sync");
    });
  }

  async #checkHeader(file: DiskFile): Promise<boolean> {
    if (this.#hasHeader) return true;
    const header = new Uint8Array(SUMS_HEADER_BYTES);
    await file.read(header, 0, "cs.sums.read");
    this.#hasHeader = isSumsHeader(header, this.#chunkId);
    return this.#hasHeader;
  }

  #use<T>(mode: "create" | "read-write", act: (file: DiskFile) => Promise<T>): Promise<T> {
    return this.#file.use(mode, act);
  }
}

/** Groups pages of neighbouring regions. */
function runsOf(
  pages: readonly (readonly [region: number, page: ChecksumPage])[],
): [first: number, pages: ChecksumPage[]][] {
  const runs: [number, ChecksumPage[]][] = [];
  for (const [region, page] of pages) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1].length === region) last[1].push(page);
    else runs.push([region, [page]]);
  }
  return runs;
}
