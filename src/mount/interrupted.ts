import type { Clock } from "../io/index.js";
import { type Pending, pendingSignals } from "./core/pending-signals.js";

/** How often whoever was interrupted is looked at: the kernel tells of a request's first signal only. */
const LOOK_MS = 100;
/** So long a call goes on although somebody asks its program to end: as a rule it is over by then. */
const ASKED_MS = 2000;

/** Resolves with true when the thread will not wait any longer, with false when its request is over. */
export type GivingUp = (threadId: number, isOver: AbortSignal) => Promise<boolean>;

/**
 * The kernel reports any signal of a process that waits, but on a local file system signals do not make open, read or
 * write fail, and programs rely on it (PostgreSQL does not try again). So only who is being killed gives up, at once; and
 * after a while who is asked to end, so that no program is stuck because the cluster is gone.
 */
export function givingUp(
  clock: Clock,
  statusOf: (threadId: number) => Promise<string | undefined>,
): GivingUp {
  const look = async (threadId: number): Promise<Pending> => {
    const status = await statusOf(threadId);
    return status === undefined ? "dying" : pendingSignals(status);
  };
  return async (threadId, isOver) => {
    // Of another PID namespace: nothing is known of it.
    if (threadId === 0) return true;
    const beganMs = clock.monotonicMs();
    while (!isOver.aborted) {
      const pending = await look(threadId);
      if (pending === "dying") return true;
      if (pending === "asked" && clock.monotonicMs() - beganMs >= ASKED_MS) return true;
      await clock.sleep("mount.interrupted", LOOK_MS, isOver).catch(() => undefined);
    }
    return false;
  };
}
