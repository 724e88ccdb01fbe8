import { failureOf } from "../../base/index.js";
import type { InodeOperations } from "../../client/index.js";
import type { Clock, Timer } from "../../io/index.js";
import { ACCESSED_MAX, type InodeNumber, renewsAtime } from "../../meta/index.js";
import type { Logger } from "../../telemetry/index.js";
import { timestampOfMs } from "../core/relatime.js";
import type { Node } from "./node-table.js";

/** Reads are told to the MDS after this long, many at once. */
const TELL_MS = 1000;
/** More are not remembered: an access time that is not renewed is renewed by the next read. */
const PENDING_MAX = 10_000;

/**
 * Which inodes were read and have to get a new access time by the rule of `relatime`. Readers never wait for it; whoever
 * asks for the attributes does.
 */
export class AccessTimes {
  readonly #world: { readonly inodes: InodeOperations; readonly clock: Clock; readonly log: Logger };
  readonly #isActive: boolean;
  readonly #pending = new Set<InodeNumber>();
  readonly #telling = new Map<InodeNumber, Promise<void>>();
  #timer: Timer | undefined;

  constructor(
    world: { readonly inodes: InodeOperations; readonly clock: Clock; readonly log: Logger },
    isActive: boolean,
  ) {
    this.#world = world;
    this.#isActive = isActive;
  }

  /** The inode was read. */
  read(node: Node): void {
    const { attributes } = node;
    if (!this.#isActive || node.isGone || attributes === undefined) return;
    if (this.#pending.has(node.ino) || this.#pending.size >= PENDING_MAX) return;
    const now = timestampOfMs(this.#world.clock.wallMs());
    if (!renewsAtime(attributes, now)) return;
    // Once is enough until somebody tells other attributes.
    node.attributes = { ...attributes, atime: now };
    this.#pending.add(node.ino);
    this.#timer ??= this.#world.clock.after("mount.atime", TELL_MS, () => this.#tellAll());
  }

  /** The times of the inode are set by somebody: what was read before does not count. */
  forget(ino: InodeNumber): void {
    this.#pending.delete(ino);
  }

  /** Undefined if there is nothing to be told of the inode; else resolves when it is told, or could not be. */
  settled(ino: InodeNumber): Promise<void> | undefined {
    if (this.#pending.size === 0 && this.#telling.size === 0) return undefined;
    return this.#pending.has(ino) ? this.#tell([ino]) : this.#telling.get(ino);
  }

  /** Tells all that is pending; then there is no timer any more. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    while (this.#pending.size > 0) void this.#tell([...this.#pending].slice(0, ACCESSED_MAX));
    await Promise.all(this.#telling.values());
  }

  #tellAll(): void {
    this.#timer = undefined;
    // While the cluster is away they wait here, where there is a bound.
    if (this.#telling.size === 0) void this.#tell([...this.#pending].slice(0, ACCESSED_MAX));
    if (this.#pending.size > 0)
      this.#timer = this.#world.clock.after("mount.atime", TELL_MS / 10, () => this.#tellAll());
  }

  #tell(inos: readonly InodeNumber[]): Promise<void> {
    for (const ino of inos) this.#pending.delete(ino);
    const telling = this.#world.inodes
      .accessed(inos)
      .then(
        () => undefined,
        (error: unknown) => {
          const code = failureOf(error)?.code;
          if (code === undefined) throw error;
          // The cluster is gone: access times are not worth more than this.
          this.#world.log.debug("access times were not renewed", { count: inos.length, code });
        },
      )
      .finally(() => {
        for (const ino of inos) if (this.#telling.get(ino) === telling) this.#telling.delete(ino);
      });
    for (const ino of inos) this.#telling.set(ino, telling);
    return telling;
  }
}
