import { BLOCK_BYTES, extentsOf } from "../chunk/index.js";
import type { Change } from "./core/chain-types.js";
import { regionsOf } from "./core/dirty-regions.js";
import {
  completeWrite,
  floorToBlock,
  NO_PAYLOAD,
  type Payload,
  partialBlocks,
  truncatedBlock,
  zeroEdges,
} from "./merge-blocks.js";
import type { StoredReplica } from "./store/stored-replica.js";
import type { StoredBlocks } from "./store/verify-blocks.js";

/** What travels with a change and is not the core's business. */
export interface Cargo {
  /** As the client gave it: perhaps not whole blocks. */
  readonly offset: number;
  readonly lengthBytes: number;
  payload: Payload;
  /** It counts as stored when it is safe from loss of power. */
  readonly isDurable: boolean;
}

interface Loaded extends Cargo {
  /** Regions held against cleaning. */
  held: readonly number[];
}

/** Payload bytes in the memory of the whole server. */
export class CargoMeter {
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  add(count: number): void {
    this.#bytes += count;
  }
}

/** The cargoes of a replica's changes: payloads in memory, regions held. */
export class Cargoes {
  readonly #stored: StoredReplica;
  readonly #cargoes = new Map<number, Loaded>();
  readonly #total: CargoMeter;
  #bytes = 0;

  constructor(stored: StoredReplica, total: CargoMeter) {
    this.#stored = stored;
    this.#total = total;
  }

  /** Payload bytes in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  get(changeId: number): Cargo | undefined {
    return this.#cargoes.get(changeId);
  }

  load(changeId: number, cargo: Cargo): void {
    this.#cargoes.set(changeId, { held: [], ...cargo });
    this.#add(cargo.payload.bytes.length);
  }

  /** The payload was completed to whole blocks. */
  replace(changeId: number, payload: Payload): void {
    const cargo = this.#cargoes.get(changeId);
    if (cargo === undefined) return;
    this.#add(payload.bytes.length - cargo.payload.bytes.length);
    cargo.payload = payload;
  }

  /** The store has prepared these regions for the change; if it was given up meanwhile, they are let go. */
  hold(changeId: number, regions: readonly number[]): void {
    const cargo = this.#cargoes.get(changeId);
    if (cargo === undefined) this.#stored.release(regions);
    else cargo.held = regions;
  }

  unload(changeId: number): void {
    const cargo = this.#cargoes.get(changeId);
    if (cargo === undefined) return;
    this.#cargoes.delete(changeId);
    this.#add(-cargo.payload.bytes.length);
    this.#stored.release(cargo.held);
  }

  #add(count: number): void {
    this.#bytes += count;
    this.#total.add(count);
  }
}

/** Whether the payload is whole blocks as it came. */
export function isWhole(change: Change, { offset, lengthBytes }: Cargo): boolean {
  if (change.kind === "extents") return true;
  return change.kind === "write" && partialBlocks(offset, lengthBytes).length === 0;
}

/** Completes partial blocks with what is stored; nothing that overlaps is under way, and the regions are prepared. */
export async function completePayload(
  stored: StoredReplica,
  change: Change,
  { offset, lengthBytes, payload }: Cargo,
): Promise<Payload> {
  const readBlock = (block: number): Promise<StoredBlocks> => stored.read(block, BLOCK_BYTES);
  if (change.kind === "truncate") {
    if (offset % BLOCK_BYTES === 0) return NO_PAYLOAD;
    return truncatedBlock(offset, await readBlock(floorToBlock(offset)));
  }
  const partial = partialBlocks(offset, lengthBytes);
  if (partial.length === 0) return payload;
  if (change.kind === "write") {
    const old = new Map<number, StoredBlocks>();
    for (const block of partial) old.set(block, await readBlock(block));
    return completeWrite(offset, payload, old);
  }
  const last = change.offset + change.lengthBytes - BLOCK_BYTES;
  const first = await readBlock(change.offset);
  return zeroEdges(offset, lengthBytes, first, last === change.offset ? undefined : await readBlock(last));
}

/** How far the bytes of a change reach: the new high-water mark if it is beyond the old one, or the cut. */
export function endOfChange(change: Change, cargo: Cargo, highWaterBytes: number): number {
  if (change.kind === "truncate") return Math.min(cargo.offset, highWaterBytes);
  const isData = change.kind === "write" || change.kind === "extents";
  const clientEnd = isData ? cargo.offset + cargo.lengthBytes : 0;
  return Math.min(change.offset + change.lengthBytes, Math.max(clientEnd, highWaterBytes));
}

/** Regions that a change alters here: zeros alter nothing where nothing was written. */
export function regionsOfChange(stored: StoredReplica, change: Change, payload: Payload): number[] {
  const { kind, offset, lengthBytes } = change;
  if (kind === "write") return regionsOf(offset, lengthBytes);
  if (kind === "extents")
    return [...new Set(extentsOf(change).flatMap((part) => regionsOf(part.offset, part.lengthBytes)))];
  const regions = new Set(regionsOf(offset, lengthBytes).filter((region) => stored.written.has(region)));
  if (payload.bytes.length > 0) for (const region of regionsOf(offset, 1)) regions.add(region);
  if (payload.bytes.length > BLOCK_BYTES) {
    for (const region of regionsOf(offset + lengthBytes - 1, 1)) regions.add(region);
  }
  return [...regions].sort((a, b) => a - b);
}

/** Carries the change out on the disk; makes it safe there if it has to be, with everything that was stored before. */
export async function storeChange(stored: StoredReplica, change: Change, cargo: Cargo): Promise<void> {
  const { payload, isDurable } = cargo;
  if (isDurable && change.kind === "write")
    return await stored.write(change.offset, payload.bytes, payload.checksums, change.endBytes, true);
  await applyChange(stored, change, payload);
  if (isDurable) await stored.sync();
}

async function applyChange(stored: StoredReplica, change: Change, payload: Payload): Promise<void> {
  const { offset, lengthBytes, endBytes, kind } = change;
  const { bytes, checksums } = payload;
  if (kind === "write") return await stored.write(offset, bytes, checksums, endBytes);
  if (kind === "extents") return await stored.writeExtents(extentsOf(change), bytes, checksums);
  if (kind === "truncate") {
    await stored.truncate(offset, bytes, checksums, endBytes);
    // Safe at once: the new size is, and no client knows afterwards that there is something to be synced here.
    return await stored.sync();
  }
  const firstBytes = Math.min(bytes.length, BLOCK_BYTES);
  const lastBytes = bytes.length - firstBytes;
  const last = offset + lengthBytes - lastBytes;
  // Blocks that keep something are overwritten once, never zeroed before: what was synced in them outlives a loss of power.
  if (offset + firstBytes < last) await stored.zero(offset + firstBytes, last - offset - firstBytes);
  if (firstBytes > 0)
    await stored.write(offset, bytes.subarray(0, firstBytes), checksums.subarray(0, 4), endBytes);
  if (lastBytes > 0) await stored.write(last, bytes.subarray(firstBytes), checksums.subarray(4), endBytes);
}
