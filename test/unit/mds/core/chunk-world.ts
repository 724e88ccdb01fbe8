import { type ChunkId, type CsId, chunkId } from "../../../../src/chunk/index.js";
import type { Outcome, ReconfigureChunk } from "../../../../src/mds/core/command.js";
import type { ChunkRecord } from "../../../../src/mds/core/records.js";
import type { InodeNumber, SessionId, StorageAttributes } from "../../../../src/meta/index.js";
import { CoreWorld } from "./core-world.js";

/** A cluster with servers, one session and one file open for writing. */
export class ChunkWorld extends CoreWorld {
  readonly servers: readonly CsId[];
  readonly sessionId: SessionId;
  readonly ino: InodeNumber;

  constructor(serverCount: number, storage: Partial<StorageAttributes> = {}) {
    super();
    this.servers = Array.from({ length: serverCount }, (_, i) => this.addServer(i + 1));
    this.sessionId = this.session();
    this.ino = this.create(this.sessionId, "file").attributes.ino;
    this.mutate(this.sessionId, "setStorage", { ino: this.ino, chunkBytes: 4096, ...storage });
    this.open(this.sessionId, this.ino, "write");
  }

  allocate(index = 0): Outcome {
    const leaseSequence = this.tables.opens.get(this.ino, this.sessionId)?.leaseSequence ?? 0;
    return this.mutate(this.sessionId, "allocateChunk", { ino: this.ino, leaseSequence, index });
  }

  /** A chunk that is allocated and installed. */
  written(index = 0): ChunkRecord {
    this.allocate(index);
    this.installAll();
    return this.chunkOf(index);
  }

  chunkOf(index: number): ChunkRecord {
    const id = this.tables.fileChunks.get(this.ino, index);
    if (id === undefined) throw new Error("the chunk is allocated");
    return this.chunk(id);
  }

  chunk(id: ChunkId): ChunkRecord {
    const record = this.tables.chunks.get(id);
    if (record === undefined) throw new Error("the chunk exists");
    return record;
  }

  /** One step from the present version. */
  reconfigure(id: ChunkId, step: Partial<ReconfigureChunk>): Outcome {
    const { version } = this.chunk(id);
    const body = { chunkId: id, version, remove: [], add: [], areSurplus: false, reason: "test", ...step };
    return this.apply({ type: "reconfigureChunk", body }).outcome;
  }

  install(id: ChunkId, highWaterBytes = 0): Outcome {
    const { version } = this.chunk(id);
    return this.apply({ type: "chunkInstalled", body: { chunkId: id, version, highWaterBytes } }).outcome;
  }

  synced(id: ChunkId, csId: CsId): Outcome {
    const { version } = this.chunk(id);
    return this.apply({ type: "replicaSynced", body: { chunkId: id, version, csId } }).outcome;
  }

  /** `1025 1026*`: the chain, with a star at those being filled. */
  chain(id: ChunkId): string {
    return this.chunk(id)
      .chain.map(({ csId, syncing }) => `${csId}${syncing ? "*" : ""}`)
      .join(" ");
  }

  deletions(): string[] {
    return this.tables.deletions.entries().map(([[csId, id], version]) => `CS#${csId} ${id} v${version}`);
  }

  eventTexts(): string[] {
    return this.tables.events.entries().map(([, { message }]) => message);
  }
}

export const FIRST_CHUNK = chunkId(1);
