import { storageError } from "../../base/index.js";
import type { ChunkId } from "../../chunk/index.js";
import { REGION_BLOCKS } from "../core/dirty-regions.js";
import { type ChecksumPage, PAGE_BYTES } from "./checksum-page.js";

/** The checksums of a replica that are in memory, by regions: of all regions written since they were clean, and of some others. */
export class ChecksumPages {
  readonly #chunkId: ChunkId;
  readonly #pages = new Map<number, ChecksumPage>();
  readonly #loading = new Map<number, Promise<void>>();

  constructor(chunkId: ChunkId) {
    this.#chunkId = chunkId;
  }

  get count(): number {
    return this.#pages.size;
  }

  has(region: number): boolean {
    return this.#pages.has(region);
  }

  get(region: number): ChecksumPage | undefined {
    return this.#pages.get(region);
  }

  /** Without a page: of a region where nothing is. */
  set(region: number, page: ChecksumPage = new Uint8Array(PAGE_BYTES)): void {
    this.#pages.set(region, page);
  }

  /** Gives back the memory of the regions that are not to be kept. */
  drop(mustKeep: (region: number) => boolean): void {
    for (const region of this.#pages.keys()) if (!mustKeep(region)) this.#pages.delete(region);
  }

  /** Brings those regions into memory that are not there; `read` is asked once for each. */
  async load(regions: readonly number[], read: (region: number) => Promise<ChecksumPage>): Promise<void> {
    for (;;) {
      const missing = regions.filter((region) => !this.#pages.has(region));
      if (missing.length === 0) return;
      await Promise.all(missing.map((region) => this.#loading.get(region) ?? this.#load(region, read)));
    }
  }

  /** Of so many blocks, all in memory. */
  sums(firstBlock: number, count: number): Uint8Array {
    const result = new Uint8Array(4 * count);
    this.#eachPage(firstBlock, count, (page, from, to, done) => result.set(page.subarray(from, to), done));
    return result;
  }

  setSums(firstBlock: number, checksums: Uint8Array): void {
    this.#eachPage(firstBlock, checksums.length / 4, (page, from, to, done) => {
      page.set(checksums.subarray(done, done + to - from), from);
    });
  }

  #load(region: number, read: (region: number) => Promise<ChecksumPage>): Promise<void> {
    const loading = read(region)
      .then((page) => {
        if (!this.#pages.has(region)) this.#pages.set(region, page);
      })
      .finally(() => this.#loading.delete(region));
    this.#loading.set(region, loading);
    return loading;
  }

  #eachPage(
    firstBlock: number,
    count: number,
    visit: (page: ChecksumPage, from: number, to: number, done: number) => void,
  ): void {
    for (let block = firstBlock; block < firstBlock + count; ) {
      const region = Math.floor(block / REGION_BLOCKS);
      const end = Math.min(firstBlock + count, (region + 1) * REGION_BLOCKS);
      const page = this.#pages.get(region);
      if (page === undefined)
        throw storageError("io_error", `checksums of chunk ${this.#chunkId} are not there`);
      const from = 4 * (block - region * REGION_BLOCKS);
      visit(page, from, from + 4 * (end - block), 4 * (block - firstBlock));
      block = end;
    }
  }
}
