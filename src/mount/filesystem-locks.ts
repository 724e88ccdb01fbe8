import { unreachable } from "../base/index.js";
import type { Locks } from "../client/index.js";
import {
  type FileLock,
  type InodeNumber,
  type LockFamily,
  lockOwner,
  lockPosition,
  lockPositionValue,
  WHOLE_FILE,
} from "../meta/index.js";
import type { FileSystemRequest } from "./fuse-handler.js";
import { type FuseReply, OK } from "./fuse-wire/replies.js";
import type { LockRange, RequestOf } from "./fuse-wire/requests.js";
import { inodeOf } from "./mount-state.js";

/** Requests about locks of programs. */
export type LockRequest = Extract<FileSystemRequest, { readonly type: "getLock" | "setLock" }>;

/** flock and fcntl locks, as the cluster keeps them for all its clients. */
export class LockRequests {
  readonly #locks: Locks;
  readonly #sessionId: () => number;
  /** By handle: who asked for fcntl locks through it and has not given them all up since. */
  readonly #askers = new Map<number, Set<bigint>>();

  constructor(locks: Locks, sessionId: () => number) {
    this.#locks = locks;
    this.#sessionId = sessionId;
  }

  handle(request: LockRequest, signal: AbortSignal): Promise<FuseReply> {
    switch (request.type) {
      case "getLock":
        return this.#test(request, signal);
      case "setLock":
        return this.#set(request, signal);
      default:
        return unreachable(request);
    }
  }

  /** As `closed`, if there is nothing that the cluster must be told of; else false. */
  closedAtOnce(ino: InodeNumber, owner: bigint): boolean {
    if (this.#locks.mayHold(ino, "range", lockOwner(owner))) return false;
    this.#noAsker(owner);
    return true;
  }

  /** A descriptor of the file was closed: by POSIX all fcntl locks of its process on the file end. */
  closed(ino: InodeNumber, owner: bigint, signal: AbortSignal | undefined): Promise<void> {
    this.#noAsker(owner);
    return this.#locks.release(ino, "range", lockOwner(owner), { signal });
  }

  /** As `released`, if there is nothing that the cluster must be told of; else false. */
  releasedAtOnce(handle: number, owner: bigint | undefined): boolean {
    if (owner !== undefined || (this.#askers.get(handle)?.size ?? 0) > 0) return false;
    this.#askers.delete(handle);
    return true;
  }

  /**
   * The last descriptor of an open file was closed: its flock ends (`owner` is undefined if it had none), and so do its
   * own fcntl locks (`F_OFD_SETLK`), of which the kernel says nothing. They are those of whoever asked through the handle
   * and has not closed it as a process: every process has by now.
   */
  async released(ino: InodeNumber, handle: number, owner: bigint | undefined): Promise<void> {
    const askers = this.#askers.get(handle) ?? [];
    this.#askers.delete(handle);
    if (owner !== undefined) await this.#locks.release(ino, "flock", lockOwner(owner));
    for (const asker of askers) await this.#locks.release(ino, "range", lockOwner(asker));
  }

  async #test(request: RequestOf<"getLock">, signal: AbortSignal): Promise<FuseReply> {
    const { lock } = request;
    const wanted = wantedLock(request);
    if (wanted === undefined) return { type: "lock", lock };
    const found = await this.#locks.test(wanted, { signal });
    if (found === undefined) return { type: "lock", lock: { ...lock, kind: "unlock" } };
    return { type: "lock", lock: this.#shown(found.lock, found.sessionId) };
  }

  async #set(request: RequestOf<"setLock">, signal: AbortSignal): Promise<FuseReply> {
    const { header, owner, lock, isFlock, waits } = request;
    const wanted = wantedLock(request);
    if (wanted !== undefined && !isFlock) this.#asked(request.handle, owner);
    if (wanted === undefined) {
      const range = rangeOf(lock, isFlock);
      const holder = { ino: inodeOf(header.nodeId), family: familyOf(isFlock), owner: lockOwner(owner) };
      await this.#locks.unlock({ ...holder, ...range }, { signal });
    } else if (waits) {
      await this.#locks.setWaiting(wanted, { signal });
    } else {
      await this.#locks.set(wanted, { signal });
    }
    return OK;
  }

  #noAsker(owner: bigint): void {
    for (const askers of this.#askers.values()) askers.delete(owner);
  }

  #asked(handle: number, owner: bigint): void {
    const askers = this.#askers.get(handle) ?? new Set();
    this.#askers.set(handle, askers.add(owner));
  }

  /** A process of another machine has no number here. */
  #shown({ kind, begin, end, pid }: FileLock, sessionId: number): LockRange {
    const last = lockPositionValue(end) - 1n;
    return {
      start: lockPositionValue(begin),
      end: last > OFFSET_MAX ? OFFSET_MAX : last,
      kind: kind === "shared" ? "read" : "write",
      pid: sessionId === this.#sessionId() ? pid : 0,
    };
  }
}

/** Undefined: it is an unlock. */
function wantedLock(request: LockRequest): FileLock | undefined {
  const { header, owner, lock, isFlock } = request;
  if (lock.kind === "unlock") return undefined;
  return {
    ino: inodeOf(header.nodeId),
    family: familyOf(isFlock),
    owner: lockOwner(owner),
    kind: lock.kind === "read" ? "shared" : "exclusive",
    ...rangeOf(lock, isFlock),
    pid: lock.pid,
  };
}

const familyOf = (isFlock: boolean): LockFamily => (isFlock ? "flock" : "range");

/** The kernel's ranges include their last byte. */
function rangeOf({ start, end }: LockRange, isFlock: boolean): Pick<FileLock, "begin" | "end"> {
  if (isFlock) return WHOLE_FILE;
  return { begin: lockPosition(start), end: lockPosition(end + 1n) };
}

/** `OFFSET_MAX` of the kernel: to the end of the file, wherever that will be. */
const OFFSET_MAX = (1n << 63n) - 1n;
