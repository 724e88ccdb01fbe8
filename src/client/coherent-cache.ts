import { toUtf8 } from "../base/index.js";
import type { Clock } from "../io/index.js";
import type {
  Attributes,
  InodeNumber,
  InvalidItem,
  MetadataMutation,
  MetadataReply,
  ReportFile,
} from "../meta/index.js";
import type { CacheListener } from "./cache-listener.js";
import type { Prediction } from "./core/early-predictions.js";
import { type Asked, MetadataCache } from "./core/metadata-cache.js";
import { ownChange, ownNames } from "./core/own-changes.js";

/**
 * What this client keeps of names and attributes, and when it may be believed: while the session is in force and its
 * connection to the leader is up. Everything is dropped before the session says hello again.
 */
export class CoherentCache {
  readonly #clock: Clock;
  readonly #listener: CacheListener | undefined;
  readonly #cache = new MetadataCache();
  #validMs: () => number = () => 0;

  constructor(clock: Clock, listener: CacheListener | undefined) {
    this.#clock = clock;
    this.#listener = listener;
  }

  /** The session says for how long, from now on, it is surely known to the leader; 0 if that is in doubt. */
  trust(validMs: () => number): void {
    this.#validMs = validMs;
  }

  /** For how long what is kept may be believed without asking again, by this machine's clock. */
  get validMs(): number {
    return this.#validMs();
  }

  get nowMs(): number {
    return this.#clock.monotonicMs();
  }

  /** What is kept, if it may be believed at this moment. */
  get known(): MetadataCache | undefined {
    return this.#validMs() > 0 ? this.#cache : undefined;
  }

  /** Asks the MDS; `work` may keep what it is told. */
  async asking<T>(work: (asked: Asked, cache: MetadataCache) => Promise<T>): Promise<T> {
    const asked = this.#cache.ask();
    try {
      return await work(asked, this.#cache);
    } finally {
      this.#cache.answered();
    }
  }

  /** A mutation is about to be sent. What is returned is called with its answer, or with nothing if it has none. */
  changing(mutation: MetadataMutation): (reply?: MetadataReply) => void {
    const entryOf = (directory: ReportFile["ino"], name: Uint8Array): ReportFile["ino"] | null | undefined =>
      this.#cache.entry(directory, name, this.nowMs);
    const change = this.#cache.beginChange(ownChange(mutation, entryOf));
    return (reply) => {
      const names = reply === undefined ? [] : ownNames(mutation, reply);
      this.#cache.endChange(change, reply?.coherence, names, this.nowMs);
    };
  }

  /**
   * The MDS says that this is not true any more. Resolves when nobody here keeps it. True: this session was alone with
   * some of it.
   */
  async invalidate(items: readonly InvalidItem[]): Promise<boolean> {
    const wasSole = this.#cache.invalidate(items);
    await this.#listener?.invalidate(items);
    return wasSole;
  }

  /** A mutation that was answered early is answered by the MDS, or lost. */
  confirm(prediction: Prediction): void {
    this.#cache.confirm(prediction);
  }

  /** Whether the MDS may not know some of these as they are known here; of `all`, any. */
  isUnconfirmed(inos: readonly InodeNumber[] | "all"): boolean {
    if (this.#cache.isAllConfirmed) return false;
    return inos === "all" || inos.some((ino) => this.#cache.isUnconfirmed(ino));
  }

  /** What is known of an inode that the MDS does not know so yet. */
  unconfirmedAttributes(ino: InodeNumber): Attributes | undefined {
    return this.#cache.isUnconfirmed(ino) ? this.known?.attributes(ino) : undefined;
  }

  /** Names and attributes that were believed here are not; copies elsewhere stay until the connection ends. */
  forgetMetadata(): void {
    this.#cache.forgetAll();
  }

  /** To be sent in the same moment: directories that nobody here asked about for longer than a session's term. */
  release(items: readonly InvalidItem[], termMs: number): InvalidItem["ino"][] {
    return this.#cache.release(items, this.nowMs, termMs);
  }

  /** Resolves when nothing is kept any more. */
  async forgetAll(): Promise<void> {
    this.#cache.forgetAll();
    await this.#listener?.forgetAll();
  }
}

/** `.` and `..` are no names that anything is kept of. */
export const isDots = (name: Uint8Array): boolean =>
  name.length <= 2 && name.every((byte) => byte === DOT) && name.length > 0;

const [DOT] = toUtf8(".");
