import type { ChunkId } from "../../chunk/index.js";

/** Where things lie in a chunk server's directory; docs/on-disk-format.md explains them. */
export class StorePaths {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  get identity(): string {
    return `${this.root}/identity.json`;
  }

  get runState(): string {
    return `${this.root}/state.json`;
  }

  get replicas(): string {
    return `${this.root}/replicas`;
  }

  get chunks(): string {
    return `${this.root}/chunks`;
  }

  get logs(): string {
    return `${this.root}/logs`;
  }

  /** Chunks are spread over 256 directories by the lowest byte of their id. */
  directory(chunkId: ChunkId): string {
    return `${this.chunks}/${chunkName(chunkId).slice(-2)}`;
  }

  data(chunkId: ChunkId): string {
    return `${this.directory(chunkId)}/${chunkName(chunkId)}.data`;
  }

  sums(chunkId: ChunkId): string {
    return `${this.directory(chunkId)}/${chunkName(chunkId)}.sums`;
  }
}

/** Sixteen hexadecimal digits. */
export function chunkName(chunkId: ChunkId): string {
  return chunkId.toString(16).padStart(16, "0");
}
