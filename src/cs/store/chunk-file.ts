import { type FailureCode, StorageError } from "../../base/index.js";
import type { ChunkId } from "../../chunk/index.js";
import type { Disk, DiskFile } from "../../io/index.js";
import type { OpenFiles } from "./open-files.js";
import type { StorePaths } from "./paths.js";

/** Where the files of all chunks are. */
export interface StoreFiles {
  readonly disk: Disk;
  readonly paths: StorePaths;
  readonly files: OpenFiles;
}

/** One of the files of a chunk. */
export class ChunkFile {
  readonly #store: StoreFiles;
  readonly #chunkId: ChunkId;
  readonly #kind: "data" | "sums";
  readonly #label: string;
  #path: string | undefined;

  constructor(store: StoreFiles, chunkId: ChunkId, kind: "data" | "sums") {
    this.#store = store;
    this.#chunkId = chunkId;
    this.#kind = kind;
    this.#label = `cs.${kind}.open`;
  }

  /** Opens it, making its directory if need be. */
  async use<T>(mode: "create" | "read-write", act: (file: DiskFile) => Promise<T>): Promise<T> {
    const { disk, paths, files } = this.#store;
    this.#path ??= paths[this.#kind](this.#chunkId);
    try {
      return await files.use(this.#path, mode, this.#label, act);
    } catch (error) {
      if (mode !== "create" || !hasCode(error, "not_found")) throw error;
    }
    await disk.makeDirectory(paths.directory(this.#chunkId), "cs.directory.make");
    await disk.syncDirectory(paths.chunks, "cs.directory.sync");
    return await files.use(this.#path, mode, this.#label, act);
  }
}

export function hasCode(error: unknown, code: FailureCode): boolean {
  return error instanceof StorageError && error.code === code;
}
