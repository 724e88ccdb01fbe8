import { failureOf, type StorageError, storageError } from "../base/index.js";
import { WRITE_BYTES_MAX } from "../chunk/index.js";
import type { Clock, Timer } from "../io/index.js";
import type { InodeNumber } from "../meta/index.js";
import type { Logger } from "../telemetry/index.js";
import { DirtyExtents, type Extent, RUN_COST, type Span } from "./core/dirty-extents.js";
import { SlotMemory } from "./core/slot-memory.js";
import { Room, Wakeup } from "./waiting.js";

/** How much may wait here, bytes. */
export interface WriteBehindLimits {
  /** Of one file; default 32 MiB. */
  readonly fileBytesMax: number;
  /** Of all files of a client; default 128 MiB. */
  readonly clientBytesMax: number;
}

export const WRITE_BEHIND_LIMITS: WriteBehindLimits = {
  fileBytesMax: 32 << 20,
  clientBytesMax: 128 << 20,
};

export interface WriteBehindWorld {
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits: WriteBehindLimits;
  /** Of all files of the client. */
  readonly room: Room;
  readonly memory: SlotMemory;
}

/** Memory of slots that is kept for the next ones of all files of a client. */
export function slotMemory(): SlotMemory {
  return new SlotMemory(SLOT_BYTES, SPARE_COUNT_MAX);
}

/** What the buffer needs of its file. */
export interface WriteBehindFile {
  readonly ino: InodeNumber;
  /**
   * Carries the bytes to every replica; they do not change meanwhile. `isDurable`: and makes them safe from loss of power
   * on the way. Fails only if it never can. False if somebody may still look at the bytes: a message that was given up, for another
   * one did it.
   */
  readonly store: (extent: Extent, isDurable: boolean) => Promise<boolean>;
  /** Bytes of the range have left the buffer, and the servers have them. */
  readonly landed: (begin: number, end: number) => void;
}

/** What is written together; a slot never has two requests for the same byte under way. */
const SLOT_BYTES = WRITE_BYTES_MAX;
/** A slot that was left alone for so long is sent. */
const IDLE_MS = 100;
/** A slot that is written again and again is sent after so long all the same. */
const AGE_MS = 1000;
/** On their way at most, of one file. */
const FLIGHT_BYTES_MAX = 16 << 20;
const FLIGHT_COUNT_MAX = 64;
const SPARE_COUNT_MAX = 4;
/** Who has synced so many small pieces in a row, each by itself, will sync the next one, too. */
const HABIT_COUNT = 4;
const HABIT_BYTES_MAX = 64 << 10;

/**
 * Writes of one file that were accepted here and are on their way to the cluster, or will be soon.
 *
 * What is here is part of the file for every reader of this client: readers lay it over what the servers say. It goes
 * out when a slot is full, left alone, or old, when there is much of it, and when somebody waits for it. What cannot be
 * stored is dropped, and the failure is kept for those who ask.
 */
export class WriteBehind {
  readonly #world: WriteBehindWorld;
  readonly #file: WriteBehindFile;
  readonly #extents: DirtyExtents;
  readonly #room: Room;
  /** Slots to be sent as soon as there is room on the way. */
  readonly #due = new Set<number>();
  readonly #changed = new Wakeup();
  readonly #watches = new Set<Watch>();
  #flightBytes = 0;
  #flightCount = 0;
  /** A slot that somebody waits to see synced. */
  #durable: number | undefined;
  #putCount = 0;
  /** What was put since the last sync is one small piece. */
  #isLone = false;
  /** How many syncs in a row were of such a one. */
  #loneSyncCount = 0;
  #timer: Timer | undefined;
  #failureCount = 0;
  #lastFailure: StorageError | undefined;

  constructor(world: WriteBehindWorld, file: WriteBehindFile) {
    this.#world = world;
    this.#file = file;
    this.#extents = new DirtyExtents(world.memory);
    this.#room = new Room(world.limits.fileBytesMax);
  }

  /** Everything has arrived. */
  get isEmpty(): boolean {
    return this.#extents.isEmpty;
  }

  /** How often bytes could not be stored. */
  get failureCount(): number {
    return this.#failureCount;
  }

  get lastFailure(): StorageError | undefined {
    return this.#lastFailure;
  }

  /** How many bytes from the offset on one `put` may take. */
  pieceAt(offset: number, lengthBytes: number): number {
    return Math.min(lengthBytes, SLOT_BYTES - (offset % SLOT_BYTES));
  }

  /** Makes sure of room for a piece, to be used by `put` or given up; undefined: at once. */
  reserve(lengthBytes: number, signal?: AbortSignal): Promise<void> | undefined {
    const cost = costMax(lengthBytes);
    const mine = this.#room.take(cost, signal);
    if (mine !== undefined) return mine.then(() => this.#reserveOfAll(cost, signal));
    return this.#reserveOfAll(cost, signal);
  }

  /** Makes sure of room if there is some without waiting. */
  reserveAtOnce(lengthBytes: number): boolean {
    const cost = costMax(lengthBytes);
    if (!this.#room.has(cost) || !this.#world.room.has(cost)) return false;
    return this.reserve(lengthBytes) === undefined;
  }

  /** The room that was made sure of is not needed. */
  giveUp(lengthBytes: number): void {
    this.#giveBack(costMax(lengthBytes));
  }

  /** Takes a copy of one piece, for which there is room. */
  put(offset: number, bytes: Uint8Array): void {
    const { clock, limits } = this.#world;
    const wasEmpty = this.#extents.isEmpty;
    const grown = this.#extents.write(offset, bytes, clock.monotonicMs());
    this.#giveBack(costMax(bytes.length) - grown);
    const index = Math.floor(offset / SLOT_BYTES);
    this.#isLone = this.#putCount++ === 0 && bytes.length <= HABIT_BYTES_MAX;
    if (!this.#isLone) this.#loneSyncCount = 0;
    if (wasEmpty && this.#loneSyncCount >= HABIT_COUNT) {
      this.#durable = index;
      this.#due.add(index);
    } else if (this.#extents.isComplete(index)) this.#due.add(index);
    else if (this.#extents.dirtyCost > limits.fileBytesMax / 2) this.#sendOldest();
    this.#pump();
    this.#wind();
  }

  /** The part of the range that has all its bytes that are not here. */
  gap(begin: number, end: number): Span | undefined {
    return this.#extents.gap(begin, end);
  }

  overlay(target: Uint8Array, begin: number): void {
    this.#extents.overlay(target, begin);
  }

  /** The parts of the range whose bytes are here. */
  spans(begin: number, end: number): Span[] {
    return this.#extents.spans(begin, end);
  }

  /** Tells whether bytes of the range leave this buffer, until `unwatch`. */
  watch(begin: number, end: number): Watch {
    const watch: Watch = {
      begin,
      end,
      isDisturbed: false,
    };
    this.#watches.add(watch);
    return watch;
  }

  unwatch(watch: Watch): void {
    this.#watches.delete(watch);
  }

  /** Resolves when everything that was put into the range before has arrived, or could not be stored. */
  async drain(begin: number, end: number, signal?: AbortSignal): Promise<void> {
    const targets: { readonly index: number; readonly count: number }[] = [];
    for (const { index, runs, takenCount } of this.#extents.slots()) {
      if (index * SLOT_BYTES >= end || (index + 1) * SLOT_BYTES <= begin) continue;
      targets.push({ index, count: runs.length > 0 ? takenCount + 1 : takenCount });
      if (runs.length > 0) this.#due.add(index);
    }
    this.#pump();
    for (const { index, count } of targets) {
      const slot = this.#extents.slot(index);
      while (slot !== undefined && this.#extents.slot(index) === slot && slot.landedCount < count) {
        if (slot.takenCount < count) this.#due.add(index);
        this.#pump();
        if (slot.landedCount < count) await this.#changed.next(signal);
      }
    }
  }

  /**
   * The same for everything. If it is a single piece it is made durable on its way: a program that syncs what it
   * has just written waits for one message down the chain instead of two. Of one that does so all the time the next piece is
   * on its way, durable, before the sync comes.
   */
  async drainDurably(signal?: AbortSignal): Promise<void> {
    this.#loneSyncCount = this.#isLone ? this.#loneSyncCount + 1 : 0;
    this.#isLone = false;
    this.#putCount = 0;
    const [only, other] = this.#extents.slots();
    if (only?.runs.length === 1 && only.flying === undefined && other === undefined)
      this.#durable = only.index;
    await this.drain(0, Number.MAX_SAFE_INTEGER, signal);
  }

  /** Whoever might store it has lost the right to: nothing that is here will ever arrive. */
  drop(failure: StorageError): void {
    if (this.#extents.isEmpty) return;
    this.#world.log.warn("buffered writes were lost", { ino: this.#file.ino, code: failure.code });
    this.#failed(failure);
    this.#giveBack(this.#extents.clear());
    this.#due.clear();
    this.#disturb(0, Number.MAX_SAFE_INTEGER);
    this.#changed.all();
  }

  /** The same happened to something that was accepted and is kept elsewhere. */
  lost(failure: StorageError): void {
    this.#world.log.warn("buffered writes were lost", { ino: this.#file.ino, code: failure.code });
    this.#failed(failure);
  }

  dispose(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #reserveOfAll(cost: number, signal: AbortSignal | undefined): Promise<void> | undefined {
    const { room } = this.#world;
    try {
      return room.take(cost, signal)?.catch((error: unknown) => {
        this.#room.give(cost);
        throw error;
      });
    } catch (error) {
      this.#room.give(cost);
      throw error;
    }
  }

  #giveBack(cost: number): void {
    this.#room.give(cost);
    this.#world.room.give(cost);
  }

  /** There is much here: what has been here longest goes. */
  #sendOldest(): void {
    let count = 0;
    for (const { index, flying } of this.#extents.slots()) {
      if (this.#due.size > FLIGHT_COUNT_MAX || ++count > 2 * FLIGHT_COUNT_MAX) return;
      if (flying === undefined) this.#due.add(index);
    }
  }

  /** Sends what is due, as far as there is room on the way. */
  #pump(): void {
    for (const index of this.#due) {
      if (this.#flightCount >= FLIGHT_COUNT_MAX || this.#flightBytes >= FLIGHT_BYTES_MAX) return;
      const slot = this.#extents.slot(index);
      this.#due.delete(index);
      // What is on its way now lands first; then it is looked at again.
      if (slot === undefined || slot.flying !== undefined || slot.runs.length === 0) continue;
      void this.#send(index);
    }
  }

  async #send(index: number): Promise<void> {
    const isDurable = this.#durable === index;
    this.#durable = undefined;
    const extents = this.#extents.take(index);
    const slot = this.#extents.slot(index);
    const bytes = extents.reduce((sum, extent) => sum + extent.bytes.length, 0);
    this.#flightBytes += bytes;
    this.#flightCount += extents.length;
    const outcomes = await Promise.allSettled(extents.map((extent) => this.#file.store(extent, isDurable)));
    this.#flightBytes -= bytes;
    this.#flightCount -= extents.length;
    // Dropped meanwhile: nobody waits for it any more.
    if (this.#extents.slot(index) === slot) {
      for (const outcome of outcomes) if (outcome.status === "rejected") this.#storeFailed(outcome.reason);
      const isDone = outcomes.every((outcome) => outcome.status === "fulfilled" && outcome.value);
      this.#giveBack(this.#extents.landed(index, isDone));
      for (const { offset, bytes: landed } of extents) this.#disturb(offset, offset + landed.length);
      if (this.#extents.isComplete(index)) this.#due.add(index);
    }
    this.#pump();
    this.#changed.all();
  }

  #storeFailed(error: unknown): void {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    if (failure.code !== "closed")
      this.#world.log.warn("buffered writes could not be stored", {
        ino: this.#file.ino,
        code: failure.code,
      });
    this.#failed(storageError(failure.code, "an earlier write could not be stored", error));
  }

  #failed(failure: StorageError): void {
    this.#failureCount++;
    this.#lastFailure = failure;
  }

  #disturb(begin: number, end: number): void {
    this.#file.landed(begin, end);
    for (const watch of this.#watches) {
      if (watch.begin < end && begin < watch.end) watch.isDisturbed = true;
    }
  }

  /** While something is here, it is looked after. */
  #wind(): void {
    if (this.#timer !== undefined || this.#extents.isEmpty) return;
    this.#timer = this.#world.clock.after("client.write-behind", IDLE_MS, () => {
      this.#timer = undefined;
      const nowMs = this.#world.clock.monotonicMs();
      for (const { index, runs, lastWriteMs, firstWriteMs } of this.#extents.slots()) {
        if (runs.length === 0) continue;
        if (nowMs - lastWriteMs >= IDLE_MS || nowMs - firstWriteMs >= AGE_MS) this.#due.add(index);
      }
      this.#pump();
      this.#wind();
    });
  }
}

/** Whether something left the buffer. */
export interface Watch {
  readonly begin: number;
  readonly end: number;
  isDisturbed: boolean;
}

/** Of a piece in a gap. Falling into several gaps it costs a little more, which is owed then. */
function costMax(lengthBytes: number): number {
  return lengthBytes + RUN_COST;
}
