import { assert, crc32, failureOf, type StorageError, storageError } from "../../base/index.js";
import { type ChunkId, type ChunkVersion, type CsId, LEVEL } from "../../chunk/index.js";
import type { Clock, Kv } from "../../io/index.js";
import type { InodeNumber, InvalidItem, SessionId } from "../../meta/index.js";
import type { Command, Outcome } from "../core/command.js";
import type { Effect } from "../core/effects.js";
import { levelOf } from "../core/levels.js";
import { observedTables } from "../core/observed-tables.js";
import type { ChunkRecord, DentryRecord, EventRecordStored } from "../core/records.js";
import { apply } from "../core/state-machine.js";
import type { Tables } from "../core/tables.js";
import type { AppliedEntry, OpenSnapshot, StateMachine } from "../replica-api.js";
import { decodeCommand } from "./command-codec.js";
import { type Applied, LevelTables } from "./level-tables.js";
import { currentGeneration, deleteRubbish, writeGeneration } from "./state-generations.js";
import { decodeSnapshot, encodeSnapshot } from "./state-snapshot.js";
import { StateWriter } from "./state-writer.js";
import { APPLIED_LAYOUT } from "./table-layouts.js";

/** What one command changed of what clients may keep. */
export interface Touches {
  /** The mutation that did it, if it was one. */
  readonly causer: { readonly sessionId: SessionId; readonly sequence: number } | undefined;
  readonly items: readonly InvalidItem[];
}

/**
 * The metadata as a replicated state machine over a key-value store of its own, which it closes.
 *
 * Applying is synchronous and in memory; the store follows behind (`StateWriter`). If an entry cannot be applied to its
 * end, or the store fails, nothing is written any more and every later call fails: what is on disk then is still a
 * state that the log went through.
 */
export class MetadataStore implements StateMachine {
  readonly #kv: Kv;
  readonly #tables: LevelTables;
  readonly #writer: StateWriter;
  readonly #handlers: ((effects: readonly Effect[]) => void)[] = [];
  /** As `tables`; what commands change through it is noted in `#touched`. */
  readonly #observed: Tables;
  #touched: InvalidItem[] = [];
  #observer: ((touches: Touches) => void) | undefined;
  #applied: Applied;
  #cleaning: Promise<void>;
  #closing: Promise<void> | undefined;

  private constructor(kv: Kv, tables: LevelTables, applied: Applied, clock: Clock) {
    this.#kv = kv;
    this.#tables = tables;
    this.#observed = observedTables(tables, (item) => this.#touched.push(item));
    this.#applied = applied;
    this.#writer = new StateWriter(kv, tables, applied, clock);
    this.#cleaning = this.#clean();
  }

  /** Fails with `log_corrupt` if what is there cannot be read. */
  static async open(kv: Kv, clock: Clock): Promise<MetadataStore> {
    try {
      const { tables, applied } = await LevelTables.load(kv, currentGeneration(kv));
      requireKnown(levelOf(tables));
      return new MetadataStore(kv, tables, applied, clock);
    } catch (error) {
      await kv.close();
      throw error;
    }
  }

  /** The state as applied so far. Always the same object. Only `apply` may change it. */
  get tables(): Tables {
    return this.#tables;
  }

  /** What the applied commands call for, in order: called by `apply`, before it returns. */
  onEffects(handler: (effects: readonly Effect[]) => void): void {
    this.#handlers.push(handler);
  }

  /** Has what commands change of what clients may keep reported, before their effects; `undefined` ends it. */
  observe(observer: ((touches: Touches) => void) | undefined): void {
    this.#observer = observer;
  }

  appliedIndex(): number {
    return this.#applied.index;
  }

  apply(entries: readonly AppliedEntry[]): readonly (Outcome | undefined)[] {
    this.#requireSound();
    const effects: Effect[] = [];
    const touches: Touches[] = [];
    const outcomes: (Outcome | undefined)[] = [];
    try {
      for (const entry of entries) outcomes.push(this.#applyEntry(entry, effects, touches));
    } catch (error) {
      this.#writer.halt(asFailure(error));
      throw error;
    }
    this.#writer.wrote(this.#applied);
    for (const each of touches) this.#observer?.(each);
    if (effects.length > 0) for (const handler of this.#handlers) handler(effects);
    return outcomes;
  }

  async persistUpTo(): Promise<number> {
    this.#requireSound();
    return await this.#writer.persist();
  }

  async openSnapshot(): Promise<OpenSnapshot> {
    this.#requireSound();
    const { applied, entries } = await this.#writer.picture();
    return { ...applied, bytes: encodeSnapshot(applied, entries) };
  }

  async restoreSnapshot(index: number, term: number, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    this.#requireSound();
    const current = this.#tables.generation;
    await this.#writer.flush();
    await this.#cleaning;
    // What an earlier attempt left behind must not get in between.
    await deleteRubbish(this.#kv, current);
    await writeGeneration(this.#kv, current + 1, decodeSnapshot(bytes, { index, term }));
    const applied = await this.#tables.reload(current + 1);
    assert(applied.index === index, "a snapshot holds the state of its index");
    this.#haltIfUnknown();
    this.#applied = applied;
    this.#writer.restart(applied);
    this.#cleaning = this.#clean();
  }

  /** Names after `after` (Latin-1), in byte order. */
  async directoryPage(
    parent: InodeNumber,
    after: string,
    limit: number,
  ): Promise<{ readonly name: string; readonly entry: DentryRecord }[]> {
    // No name is empty, so that this is before all of them.
    const rows = await this.#tables.dentries.page([parent], after, limit);
    return rows.map(({ key, value }) => ({ name: key[1] as string, entry: value }));
  }

  /** Chunks of a file from that index up, those that are cut off included. */
  async fileChunksPage(
    ino: InodeNumber,
    fromIndex: number,
    limit: number,
  ): Promise<{ readonly index: number; readonly chunkId: ChunkId }[]> {
    const after = fromIndex === 0 ? undefined : fromIndex - 1;
    const rows = await this.#tables.fileChunks.page([ino], after, limit);
    return rows.map(({ key, value }) => ({ index: key[1] as number, chunkId: value }));
  }

  /** Chunks with a replica on a server, in a chain or lost. */
  async csChunksPage(csId: CsId, after: ChunkId | undefined, limit: number): Promise<ChunkId[]> {
    const rows = await this.#tables.csChunks.page([csId], after, limit);
    return rows.map(({ key }) => key[1] as ChunkId);
  }

  async deletionsPage(
    csId: CsId,
    after: ChunkId | undefined,
    limit: number,
  ): Promise<{ readonly chunkId: ChunkId; readonly version: ChunkVersion }[]> {
    const rows = await this.#tables.deletions.page([csId], after, limit);
    return rows.map(({ key, value }) => ({ chunkId: key[1] as ChunkId, version: value }));
  }

  async degradedPage(after: ChunkId | undefined, limit: number): Promise<ChunkId[]> {
    const rows = await this.#tables.degraded.page([], after, limit);
    return rows.map(({ key }) => key[0] as ChunkId);
  }

  async chunksPage(after: ChunkId | undefined, limit: number): Promise<ChunkRecord[]> {
    const rows = await this.#tables.chunks.page([], after, limit);
    return rows.map(({ value }) => value);
  }

  /** Events with a greater number, oldest first. */
  async eventsPage(after: number, limit: number): Promise<EventRecordStored[]> {
    const rows = await this.#tables.events.page([], after, limit);
    return rows.map(({ value }) => value);
  }

  /** Equal on all servers that have applied the same entries. Reads everything: for tests and for doubt. */
  async stateHash(): Promise<string> {
    const { entries } = await this.#writer.picture();
    const skipped = APPLIED_LAYOUT.tag.charCodeAt(0);
    let forward = 0;
    let count = 0;
    let other = 0;
    for await (const { key, value } of entries) {
      if (key[4] === skipped) continue;
      forward = crc32(value, crc32(key.subarray(4), forward));
      other = crc32(key.subarray(4), crc32(value, other));
      count += 1;
    }
    return [count, forward, other].map((part) => part.toString(16)).join("-");
  }

  /** Writes what is applied, and closes the store. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#cleaning;
    await this.#writer.flush();
    await this.#kv.close();
  }

  #applyEntry(
    { index, term, data }: AppliedEntry,
    effects: Effect[],
    touches: Touches[],
  ): Outcome | undefined {
    assert(index === this.#applied.index + 1, "entries are applied without gaps");
    this.#applied = { index, term };
    if (data.length === 0) return undefined;
    const command = decodeCommand(data);
    if (command.change.type === "raiseLevel") requireKnown(command.change.body.level);
    const applied = apply(this.#observer === undefined ? this.#tables : this.#observed, command);
    for (const effect of applied.effects) effects.push(effect);
    if (this.#touched.length > 0) {
      touches.push({ causer: causerOf(command), items: this.#touched });
      this.#touched = [];
    }
    return applied.outcome;
  }

  #haltIfUnknown(): void {
    try {
      requireKnown(levelOf(this.#tables));
    } catch (error) {
      this.#writer.halt(asFailure(error));
      throw error;
    }
  }

  #requireSound(): void {
    if (this.#closing !== undefined) throw storageError("closed", "the metadata store is closed");
    if (this.#writer.failure !== undefined) throw this.#writer.failure;
  }

  /** In the background, and again at the next start if it comes to nothing. */
  async #clean(): Promise<void> {
    try {
      await deleteRubbish(this.#kv, this.#tables.generation);
    } catch (error) {
      if (failureOf(error) === undefined) throw error;
    }
  }
}

function causerOf({ change }: Command): Touches["causer"] {
  if (change.type !== "mutate") return undefined;
  const { sessionId, mutation } = change.body;
  return { sessionId, sequence: mutation.body.id.sequence };
}

function asFailure(error: unknown): StorageError {
  if (failureOf(error) !== undefined) return error as StorageError;
  return storageError("io_error", "an entry of the log could not be applied", error);
}

/** What a newer program made of the metadata means something that is not known here. */
function requireKnown(level: number): void {
  if (level <= LEVEL) return;
  const known = `this program knows none above ${LEVEL}`;
  throw storageError("unsupported", `the metadata are of level ${level}, and ${known}: start a newer one`);
}
