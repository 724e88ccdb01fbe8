import { failureOf } from "../base/index.js";
import type { Clock } from "../io/index.js";
import {
  type FileLock,
  type InodeNumber,
  type LockFamily,
  type LockOwner,
  type LockRange,
  type MetadataPush,
  type SessionId,
  WHOLE_FILE,
} from "../meta/index.js";
import { bodyOf } from "./replies.js";
import type { Session, SessionEvents } from "./session.js";
import {
  abortable,
  abortFailure,
  throwIfAborted,
  type WaitOptions,
  Wakeup,
  withinLimits,
} from "./waiting.js";

/** Whose locks on what. */
export interface LockHolder {
  readonly ino: InodeNumber;
  readonly family: LockFamily;
  readonly owner: LockOwner;
}

/** A lock in the way, and the session that has it. */
export interface LockInTheWay {
  readonly lock: FileLock;
  readonly sessionId: SessionId;
}

/** Whoever waits for a lock tries again after this at the latest. */
const LOOK_AGAIN_MS = 10_000;

/** What is known here of one holder. */
interface Holding {
  readonly holder: LockHolder;
  /** It has a lock, or had one in a part of the file. */
  isHolding: boolean;
  /** Attempts to get one that are not answered. */
  settingCount: number;
}

/**
 * Advisory locks of programs: what `flock` and `fcntl` need, across all clients of the cluster. The MDS has them; here
 * is only remembered who may have any, so that closing a file that was never locked costs nothing.
 *
 * They end with the session. Whoever must know adds a listener to `onLost`; I/O by handles that were open for writing
 * fails then anyway.
 */
export class Locks implements SessionEvents {
  readonly #session: () => Session;
  readonly #clock: Clock;
  readonly #holdings = new Map<string, Holding>();
  /** Who waits, by the number of the wait. */
  readonly #waits = new Map<number, Wakeup>();
  readonly #lostListeners = new Set<(lost: readonly LockHolder[]) => void>();
  #lastWaitId = 0;

  constructor(session: () => Session, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
  }

  /** Whether what is locked here may be relied on at this moment: the session's term is not over by this machine's clock. */
  get areInForce(): boolean {
    return this.#session().isUsable;
  }

  /** The lock that is in the way of this one, the first by position; undefined if there is none. */
  test(lock: FileLock, options?: WaitOptions): Promise<LockInTheWay | undefined> {
    return withinLimits(this.#clock, options, async (signal) => {
      const reply = await this.#session().query({ type: "testLock", body: { lock } }, { signal });
      const { lock: found, sessionId } = bodyOf(reply, "lockState");
      return found === undefined ? undefined : { lock: found, sessionId };
    });
  }

  /** At once, or fails with `lock_conflict`. What the owner has in the range is replaced. */
  set(lock: FileLock, options?: WaitOptions): Promise<void> {
    return withinLimits(this.#clock, options, (signal) => this.#set(lock, signal));
  }

  /** Waits for it. Fails with `deadlock` if the owner would wait for itself, and by the limits of `options`. */
  setWaiting(lock: FileLock, options?: WaitOptions): Promise<void> {
    return withinLimits(this.#clock, options, (signal) => this.#setWaiting(lock, signal));
  }

  /** Ends what the owner has in that range. */
  unlock({ ino, family, owner, begin, end }: LockHolder & LockRange, options?: WaitOptions): Promise<void> {
    return withinLimits(this.#clock, options, async (signal) => {
      const holder = { ino, family, owner };
      const holding = this.#holdings.get(keyOf(holder));
      if (holding === undefined) return;
      const isAll = begin === WHOLE_FILE.begin && end === WHOLE_FILE.end;
      if (isAll) holding.isHolding = false;
      if (isAll && holding.settingCount === 0) this.#holdings.delete(keyOf(holder));
      await this.#unlock(holder, { begin, end }, signal);
    });
  }

  /** Whether the owner may have locks of the file in that family; if not, `release` has nothing to do. */
  mayHold(ino: InodeNumber, family: LockFamily, owner: LockOwner): boolean {
    return this.#holdings.has(keyOf({ ino, family, owner }));
  }

  /** Ends all the owner has of the file in that family; no request if it never had anything. */
  release(ino: InodeNumber, family: LockFamily, owner: LockOwner, options?: WaitOptions): Promise<void> {
    return this.unlock({ ino, family, owner, ...WHOLE_FILE }, options);
  }

  /** Calls the listener when a session was lost, with those whose locks went with it. Returns how to stop that. */
  onLostLocks(listener: (lost: readonly LockHolder[]) => void): () => void {
    this.#lostListeners.add(listener);
    return () => this.#lostListeners.delete(listener);
  }

  onPush(push: MetadataPush): void {
    if (push.type === "lockFree") this.#waits.get(push.body.waitId)?.all();
  }

  /** The MDS at the other end may not know who waits. */
  onResumed(): void {
    for (const wait of this.#waits.values()) wait.all();
  }

  onLost(): void {
    const lost = [...this.#holdings.values()].filter(({ isHolding }) => isHolding);
    this.#holdings.clear();
    for (const wait of this.#waits.values()) wait.all();
    if (lost.length === 0) return;
    for (const listener of this.#lostListeners) listener(lost.map(({ holder }) => holder));
  }

  async #set(lock: FileLock, signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal);
    const key = keyOf(lock);
    const holding = this.#holdings.get(key) ?? newHolding(lock);
    this.#holdings.set(key, holding);
    const hadBefore = holding.isHolding;
    const setting = this.#setAtMds(lock, holding);
    try {
      await abortable(setting, signal);
    } catch (error) {
      if (signal?.aborted === true) this.#undoLater(setting, lock, hadBefore ? holding : undefined);
      throw error;
    }
  }

  async #setAtMds(lock: FileLock, holding: Holding): Promise<void> {
    const key = keyOf(lock);
    holding.settingCount++;
    try {
      await this.#session().mutate((id) => ({ type: "setLock", body: { ...lock, id } }), {
        repeat: "new-session",
      });
      holding.isHolding = true;
      // A session that was lost meanwhile took the holding with it, and the lock is of the new one.
      this.#holdings.set(key, holding);
    } finally {
      holding.settingCount--;
      const isIdle = !holding.isHolding && holding.settingCount === 0;
      if (isIdle && this.#holdings.get(key) === holding) this.#holdings.delete(key);
    }
  }

  /**
   * The caller gave up before the lock was had. If it is had later, it ends: unless the owner had something there before
   * that this replaced, and has it still.
   */
  #undoLater(setting: Promise<void>, lock: FileLock, before: Holding | undefined): void {
    setting
      .then(async () => {
        if (before === undefined || this.#holdings.get(keyOf(lock)) !== before) await this.unlock(lock);
      })
      .catch((error) => {
        if (failureOf(error) === undefined) throw error;
      });
  }

  async #setWaiting(lock: FileLock, signal: AbortSignal | undefined): Promise<void> {
    const waitId = ++this.#lastWaitId;
    const freed = new Wakeup();
    this.#waits.set(waitId, freed);
    let isKnown = false;
    try {
      while (!(await this.#trySet(lock, signal))) {
        // Two who convert a shared lock would wait for each other; as on Linux the old lock goes first.
        if (lock.family === "flock") await this.release(lock.ino, lock.family, lock.owner, { signal });
        const free = this.#nextTry(freed, signal);
        try {
          isKnown = true;
          await this.#session().query({ type: "awaitLock", body: { waitId, lock } }, { signal });
        } catch (error) {
          free.cancel();
          throw error;
        }
        await free.promise;
      }
    } finally {
      this.#waits.delete(waitId);
      if (isKnown) this.#session().sendForgetLockWait(waitId);
    }
  }

  /** False if somebody else has a lock there. */
  async #trySet(lock: FileLock, signal: AbortSignal | undefined): Promise<boolean> {
    throwIfAborted(signal);
    try {
      await this.#set(lock, signal);
      return true;
    } catch (error) {
      if (failureOf(error)?.code === "lock_conflict") return false;
      throw error;
    }
  }

  /** When to try again: when woken, or after a while. */
  #nextTry(
    freed: Wakeup,
    signal: AbortSignal | undefined,
  ): { readonly promise: Promise<void>; readonly cancel: () => void } {
    const limit = new AbortController();
    const onAbort = (): void => limit.abort(signal && abortFailure(signal));
    if (signal?.aborted === true) onAbort();
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = this.#clock.after("client.lock", LOOK_AGAIN_MS, () => freed.all());
    const promise = freed.next(limit.signal).finally(() => {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
    });
    // Whoever cancels does not wait for it.
    promise.catch(() => undefined);
    return { promise, cancel: onAbort };
  }

  async #unlock(
    { ino, family, owner }: LockHolder,
    { begin, end }: LockRange,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const body = { ino, family, owner, begin, end, kind: "none" as const, pid: 0 };
    try {
      await this.#session().mutate((id) => ({ type: "setLock", body: { ...body, id } }), {
        signal,
        isBound: true,
      });
    } catch (error) {
      // The session that had it is over, and so is the lock.
      if (failureOf(error)?.code !== "session_lost") throw error;
    }
  }
}

const newHolding = ({ ino, family, owner }: LockHolder): Holding => ({
  holder: { ino, family, owner },
  isHolding: false,
  settingCount: 0,
});

const keyOf = ({ ino, family, owner }: LockHolder): string => `${ino} ${family} ${owner}`;
