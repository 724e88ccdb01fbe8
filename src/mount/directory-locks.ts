import type { FileSystemRequest } from "./fuse-handler.js";

/**
 * Which directories the kernel holds locked while it waits for an answer of ours.
 *
 * A notification about a name takes the lock of its directory in the kernel, alone. If a change, a look-up or a listing of
 * that directory is under way here, it would wait for its answer; and that may wait, at the metadata server, for another
 * mount to acknowledge an invalidation which waits there in the same way for us. So nobody waits for a notification that
 * meets such a request: the caller makes the kernel ask again about all names instead, which takes no lock.
 */
export class DirectoryLocks {
  /** What `orConflict` resolves with for a directory that is locked already. */
  readonly conflict: Promise<"conflict"> = Promise.resolve("conflict");
  readonly #held = new Map<number, number>();
  /** Whoever waits for a notification about a name in that directory. */
  readonly #waiting = new Map<number, Set<() => void>>();

  isHeld(nodeId: number): boolean {
    return this.#held.has(nodeId);
  }

  begin(request: FileSystemRequest): void {
    for (const nodeId of lockedBy(request)) {
      this.#held.set(nodeId, (this.#held.get(nodeId) ?? 0) + 1);
      for (const wake of this.#waiting.get(nodeId) ?? []) wake();
    }
  }

  end(request: FileSystemRequest): void {
    for (const nodeId of lockedBy(request)) {
      const count = (this.#held.get(nodeId) ?? 0) - 1;
      if (count > 0) this.#held.set(nodeId, count);
      else this.#held.delete(nodeId);
    }
  }

  /** What `work` resolves with, or `conflict` as soon as a change of that directory begins. */
  orConflict<T>(nodeId: number, work: Promise<T>): Promise<T | "conflict"> {
    const waiting = this.#waiting.get(nodeId) ?? new Set();
    this.#waiting.set(nodeId, waiting);
    return new Promise((resolve, reject) => {
      const wake = (): void => resolve("conflict");
      waiting.add(wake);
      work.then(resolve, reject).finally(() => {
        waiting.delete(wake);
        if (waiting.size === 0 && this.#waiting.get(nodeId) === waiting) this.#waiting.delete(nodeId);
      });
    });
  }

  /** The connection is over: nobody waits any more. */
  release(): void {
    for (const waiting of this.#waiting.values()) for (const wake of waiting) wake();
  }
}

const NONE: readonly number[] = [];

/** Directories whose `i_rwsem` the kernel holds for that request, alone or together with other readers. */
function lockedBy(request: FileSystemRequest): readonly number[] {
  switch (request.type) {
    case "lookup":
    case "readDirectory":
    case "create":
    case "makeNode":
    case "makeDirectory":
    case "makeTemporaryFile":
    case "symlink":
    case "link":
    case "unlink":
    case "setAttributes":
    case "setXattr":
    case "removeXattr":
      return [request.header.nodeId];
    case "removeDirectory":
      return [request.header.nodeId];
    case "rename":
      return [request.header.nodeId, request.newParent];
    default:
      return NONE;
  }
}
