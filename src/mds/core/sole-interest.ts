import { type InodeNumber, isDirectory, type SessionId } from "../../meta/index.js";
import type { Tables } from "./tables.js";

/**
 * A request of a session that changes something, from before it is proposed until it is applied or never will be; or one that had
 * to wait for a holder, until it is answered: else the holder would be alone with it again before the request came to it.
 */
export interface Concern {
  readonly sessionId: SessionId;
  /** Or any there are. */
  readonly inos: readonly InodeNumber[] | "all";
  /** It may concern whatever a name in these directories stands for. */
  readonly directories: readonly InodeNumber[];
}

/**
 * Which session is alone with which inode or directory: nobody else knows anything of it, nor is told or changes anything
 * before that session was asked to give it up and has said that it did. So it may answer mutations of it early.
 *
 * In the memory of the leader; kept beside the interest of sessions, of which it is a stronger form.
 */
export class SoleInterest {
  readonly #holders = new Map<InodeNumber, SessionId>();
  readonly #bySession = new Map<SessionId, Set<InodeNumber>>();
  readonly #concerns = new Set<Concern>();

  get count(): number {
    return this.#holders.size;
  }

  holderOf(ino: InodeNumber): SessionId | undefined {
    return this.#holders.get(ino);
  }

  /** Of those the ones that other sessions are alone with, by session. */
  ofOthers(sessionId: SessionId, inos: Iterable<InodeNumber> | "all"): Map<SessionId, Set<InodeNumber>> {
    const found = new Map<SessionId, Set<InodeNumber>>();
    for (const ino of inos === "all" ? this.#holders.keys() : inos) {
      const holder = this.#holders.get(ino);
      if (holder === undefined || holder === sessionId) continue;
      const held = found.get(holder) ?? new Set();
      found.set(holder, held.add(ino));
    }
    return found;
  }

  /** The session is alone with it from now on. */
  hold(sessionId: SessionId, ino: InodeNumber): void {
    this.#holders.set(ino, sessionId);
    const held = this.#bySession.get(sessionId) ?? new Set();
    this.#bySession.set(sessionId, held.add(ino));
  }

  /** True if it was alone with it. */
  release(sessionId: SessionId, ino: InodeNumber): boolean {
    if (this.#holders.get(ino) !== sessionId) return false;
    this.#holders.delete(ino);
    const held = this.#bySession.get(sessionId);
    held?.delete(ino);
    if (held?.size === 0) this.#bySession.delete(sessionId);
    return true;
  }

  forget(sessionId: SessionId): void {
    for (const ino of this.#bySession.get(sessionId) ?? []) this.#holders.delete(ino);
    this.#bySession.delete(sessionId);
  }

  /** A change is about to be proposed. To be followed by `end`. */
  begin(concern: Concern): void {
    this.#concerns.add(concern);
  }

  end(concern: Concern): void {
    this.#concerns.delete(concern);
  }

  /** Whether nothing that others are about to change, or have open, could concern that inode. */
  isQuiet(
    tables: Pick<Tables, "inodes" | "opens" | "recoveries">,
    sessionId: SessionId,
    ino: InodeNumber,
  ): boolean {
    const inode = tables.inodes.get(ino);
    if (inode === undefined || inode.linkCount === 0 || tables.recoveries.get(ino) !== undefined)
      return false;
    for (const open of tables.opens.valuesOf(ino)) if (open.sessionId !== sessionId) return false;
    // Where the names of a file are is not recorded for certain; a directory has one.
    const isAnywhere = !isDirectory(inode.mode);
    for (const concern of this.#concerns) {
      if (concern.sessionId === sessionId) continue;
      if (concern.inos === "all" || concern.inos.includes(ino) || concern.directories.includes(inode.parent))
        return false;
      if (isAnywhere && concern.directories.length > 0) return false;
    }
    return true;
  }
}
