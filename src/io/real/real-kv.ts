import type { Level } from "level";
import { type StorageError, storageError } from "../../base/index.js";
import type { Clock } from "../clock.js";
import type { Kv, KvChange, KvEntry, KvRange } from "../kv.js";
import { storageErrorOf } from "./errno.js";

interface Waiting {
  readonly changes: readonly KvChange[];
  readonly sync: boolean;
  readonly resolve: () => void;
  readonly reject: (error: StorageError) => void;
}

type Engine = Level<Uint8Array, Uint8Array>;

/** Keys read ahead at once by an iteration. */
const RANGE_READ_AHEAD = 256;

/**
 * How long another process may keep the lock of a store that is to be opened. One that was killed looks gone before
 * its last thread is, and until then its locks are held.
 */
const LOCK_WAIT_MS = 2000;
const LOCK_POLL_MS = 20;

/**
 * LevelDB. Keeps two promises that it does not keep by itself:
 *
 * - Batches are applied in the order of the calls: one write is under way at a time, and what is asked for
 *   meanwhile goes out together as the next one, so that many callers share one sync.
 * - After a failed write everything later is refused until the store is opened again: the tail of LevelDB's
 *   log is then unknown, and a record behind a torn one would be lost though it was acknowledged.
 */
export class RealKv implements Kv {
  readonly #engine: Engine;
  readonly #path: string;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #failure: StorageError | undefined;
  #closing: Promise<void> | undefined;

  private constructor(engine: Engine, path: string) {
    this.#engine = engine;
    this.#path = path;
  }

  static async open(path: string, clock: Clock): Promise<RealKv> {
    // Programs that open no store do not load it.
    const { Level } = await import("level");
    const endMs = clock.monotonicMs() + LOCK_WAIT_MS;
    for (;;) {
      const engine: Engine = new Level(path, { keyEncoding: "view", valueEncoding: "view" });
      try {
        await engine.open();
        return new RealKv(engine, path);
      } catch (error) {
        if (!isLockedByAnother(error) || clock.monotonicMs() >= endMs)
          throw engineError(error, `open store ${path}`);
      }
      await clock.sleep("io.kv.locked", LOCK_POLL_MS);
    }
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#closing !== undefined) throw this.#closedError();
    try {
      return this.#engine.getSync(key);
    } catch (error) {
      throw engineError(error, `read store ${this.#path}`);
    }
  }

  batch(
    changes: readonly KvChange[],
    options: { readonly sync: boolean; readonly label: string },
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const refusal = this.#closing === undefined ? this.#failure : this.#closedError();
      if (refusal !== undefined) {
        reject(refusal);
        return;
      }
      this.#waiting.push({ changes, sync: options.sync, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  range(range: KvRange): AsyncIterable<KvEntry> {
    if (this.#closing !== undefined) throw this.#closedError();
    // The iterator takes LevelDB's snapshot now, not when the caller starts to iterate.
    const iterator = this.#engine.iterator({
      gte: range.gte,
      lt: range.lt,
      limit: range.limit ?? -1,
      reverse: range.reverse ?? false,
    });
    const failureOf = (error: unknown): StorageError =>
      this.#closing === undefined ? engineError(error, `read store ${this.#path}`) : this.#closedError();
    return readAhead(iterator, failureOf);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#writing;
    await this.#engine.close();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      await this.#writeGroup(group);
    }
    this.#writing = undefined;
  }

  /** Never rejects: every waiting caller is told. */
  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure;
      const sync = group.some((waiting) => waiting.sync);
      await this.#write(group, sync);
      for (const waiting of group) waiting.resolve();
    } catch (error) {
      this.#failure ??= engineError(error, `write store ${this.#path}`);
      for (const waiting of group) waiting.reject(this.#failure);
    }
  }

  /** A chained batch costs a quarter of what an array of operations does: those are copied and checked one by one. */
  async #write(group: readonly Waiting[], sync: boolean): Promise<void> {
    const batch = this.#engine.batch();
    try {
      for (const { changes } of group) {
        for (const change of changes) {
          if (change.type === "delete") batch.del(change.key);
          else batch.put(change.key, change.value);
        }
      }
      await batch.write({ sync });
    } finally {
      await batch.close();
    }
  }

  #closedError(): StorageError {
    return storageError("closed", `store ${this.#path} is closed`);
  }
}

interface EngineIterator {
  nextv(count: number): Promise<[Uint8Array, Uint8Array][]>;
  close(): Promise<void>;
}

async function* readAhead(
  iterator: EngineIterator,
  failureOf: (error: unknown) => StorageError,
): AsyncGenerator<KvEntry> {
  try {
    for (;;) {
      const entries = await iterator.nextv(RANGE_READ_AHEAD);
      if (entries.length === 0) return;
      for (const [key, value] of entries) yield { key, value };
    }
  } catch (error) {
    throw failureOf(error);
  } finally {
    await iterator.close();
  }
}

/** LevelDB tells errors of the file system by text only; what went wrong in opening is in the cause. */
function engineError(error: unknown, what: string): StorageError {
  const root = rootOf(error);
  const text = root instanceof Error ? root.message : String(root);
  if (codeOf(root) === LOCKED)
    return storageError("io_error", `${what}: ${LOCKED}, it is open already`, error);
  if (/no space left|quota exceeded/i.test(text)) return storageError("no_space", `${what}: ENOSPC`, error);
  if (/read-only file system/i.test(text)) return storageError("read_only", `${what}: EROFS`, error);
  if (/corruption/i.test(codeOf(root) + text)) return storageError("log_corrupt", `${what}: ${text}`, error);
  return storageErrorOf(root, what);
}

const LOCKED = "LEVEL_LOCKED";

/** What this process has open itself will not be closed while it waits. */
function isLockedByAnother(error: unknown): boolean {
  const root = rootOf(error);
  return codeOf(root) === LOCKED && !/already held by process/.test(String(root));
}

function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? error.cause : error;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
