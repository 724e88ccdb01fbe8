import { areSound, BLOCK_BYTES, blockChecksum, CHUNK_BYTES_MAX, REGION_BYTES } from "../../chunk/index.js";

const REGION_BLOCKS = REGION_BYTES / BLOCK_BYTES;
/** Of a chunk of the greatest size. */
const REGIONS_MAX = CHUNK_BYTES_MAX / REGION_BYTES;
/** Regions whose checksums are kept of one file: a kilobyte each. Who was kept for longest goes first. */
const PAGES_MAX = 8192;

/** The checksums of one region of one chunk, as its replica has them. */
interface Page {
  readonly version: number;
  readonly path: string;
  readonly checksums: Uint8Array;
}

/** Checksums that were asked for and have not been answered yet. */
export interface SumsQuestion {
  readonly key: number;
  /** Where the region is in the file. */
  readonly begin: number;
  readonly end: number;
  /** They may be others by now: good for who asked, not to be kept. */
  isOutdated: boolean;
}

/** What a reader needs to know of whole blocks within one region. */
export interface LocatedBlocks {
  readonly path: string;
  /** One per block, 0: never written. */
  readonly checksums: Uint8Array;
}

/**
 * The checksums of a file's blocks, kept under a lease that lets nobody else change them. Whoever changes bytes says so with
 * `changed` when the change is acknowledged: what was asked for before is then not kept.
 */
export class LocalSums {
  readonly #pages = new Map<number, Page>();
  readonly #questions = new Set<SumsQuestion>();
  #chunkBytes = 0;

  /** What is known of blocks inside one region of the chunk at that version. */
  find(index: number, version: number, offset: number, lengthBytes: number): LocatedBlocks | undefined {
    const region = Math.floor(offset / REGION_BYTES);
    const page = this.#pages.get(keyOf(index, region));
    if (page === undefined || page.version !== version) return undefined;
    const from = 4 * (offset / BLOCK_BYTES - region * REGION_BLOCKS);
    const checksums = page.checksums.subarray(from, from + (4 * lengthBytes) / BLOCK_BYTES);
    return { path: page.path, checksums };
  }

  /** Somebody asks for the checksums of a region; to be ended by `answered` or `givenUp`. */
  ask(index: number, region: number, chunkBytes: number): SumsQuestion {
    this.#chunkBytes = chunkBytes;
    const begin = index * chunkBytes + region * REGION_BYTES;
    const question = {
      key: keyOf(index, region),
      begin,
      end: begin + REGION_BYTES,
      isOutdated: false,
    };
    this.#questions.add(question);
    return question;
  }

  answered(question: SumsQuestion, version: number, { path, checksums }: LocatedBlocks): void {
    this.#questions.delete(question);
    if (question.isOutdated) return;
    this.#pages.delete(question.key);
    // A copy: the answer is a part of something larger.
    this.#pages.set(question.key, { version, path, checksums: checksums.slice() });
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size <= PAGES_MAX) return;
      this.#pages.delete(oldest);
    }
  }

  givenUp(question: SumsQuestion): void {
    this.#questions.delete(question);
  }

  /** The file does not have what these checksums say: it is another one, or was just being changed. */
  doubt(index: number, offset: number): void {
    this.#pages.delete(keyOf(index, Math.floor(offset / REGION_BYTES)));
  }

  /** The bytes of this range of the file are others now. */
  changed(begin: number, end: number): void {
    for (const question of this.#questions) {
      if (question.begin < end && begin < question.end) question.isOutdated = true;
    }
    if (this.#pages.size === 0 || this.#chunkBytes === 0) return;
    if (end - begin > PAGES_MAX * REGION_BYTES) {
      this.#forgetBeyond(begin);
      return;
    }
    for (let at = begin; at < end; ) {
      const index = Math.floor(at / this.#chunkBytes);
      const region = Math.floor((at - index * this.#chunkBytes) / REGION_BYTES);
      this.#pages.delete(keyOf(index, region));
      at = Math.min(index * this.#chunkBytes + (region + 1) * REGION_BYTES, (index + 1) * this.#chunkBytes);
    }
  }

  /** The lease has changed: others may have been here since. */
  forgetAll(): void {
    this.#pages.clear();
    for (const question of this.#questions) question.isOutdated = true;
  }

  #forgetBeyond(begin: number): void {
    for (const key of this.#pages.keys()) {
      const index = Math.floor(key / REGIONS_MAX);
      const region = key % REGIONS_MAX;
      if (index * this.#chunkBytes + (region + 1) * REGION_BYTES > begin) this.#pages.delete(key);
    }
  }
}

/**
 * Makes whole blocks as a file has them what the replica says they are: those never written become zeros. False if a
 * block is something else.
 */
export function matchesSums(bytes: Uint8Array, checksums: Uint8Array): boolean {
  if (areSound(bytes, checksums)) return true;
  const view = new DataView(checksums.buffer, checksums.byteOffset, checksums.length);
  for (let block = 0; 4 * block < checksums.length; block++) {
    const expected = view.getUint32(4 * block, true);
    const contents = bytes.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
    if (expected === 0) contents.fill(0);
    else if (blockChecksum(contents) !== expected) return false;
  }
  return true;
}

function keyOf(index: number, region: number): number {
  return index * REGIONS_MAX + region;
}
