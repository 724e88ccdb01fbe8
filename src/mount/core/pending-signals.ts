/** What a signal that is pending for a process means for a call that it waits in. */
export type Pending =
  /** It dies as soon as the call returns, or is gone already. */
  | "dying"
  /** Somebody asks it to end, and it wants to see to that itself. */
  | "asked"
  /** A timer, a message of another process, a window that was resized. */
  | "nothing";

/** Reads `/proc/PID/status` of the thread that waits. */
export function pendingSignals(status: string): Pending {
  const mask = (name: string): bigint => {
    const digits = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, "m").exec(status)?.[1];
    return BigInt(`0x${digits ?? "0"}`);
  };
  const pending = (mask("SigPnd") | mask("ShdPnd")) & ~mask("SigBlk") & ~mask("SigIgn");
  const caught = mask("SigCgt");
  if ((pending & ~caught & ~HARMLESS) !== 0n) return "dying";
  return (pending & caught & ENDING) !== 0n ? "asked" : "nothing";
}

const bits = (...signals: readonly number[]): bigint =>
  signals.reduce((sum, signal) => sum | (1n << BigInt(signal - 1)), 0n);

/** Whose default is not death: SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH. */
const HARMLESS = bits(17, 18, 19, 20, 21, 22, 23, 28);
/** SIGINT, SIGQUIT, SIGTERM. */
const ENDING = bits(2, 3, 15);
