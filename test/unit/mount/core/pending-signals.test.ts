import { expect, test } from "vitest";
import { pendingSignals } from "../../../../src/mount/core/pending-signals.js";

const bit = (signal: number): bigint => 1n << BigInt(signal - 1);
const [SIGHUP, SIGINT, SIGKILL, SIGUSR1, SIGALRM, SIGTERM, SIGCHLD, SIGSTOP] = [1, 2, 9, 10, 14, 15, 17, 19];

interface Masks {
  readonly own?: number;
  readonly shared?: number;
  readonly blocked?: number;
  readonly ignored?: number;
  readonly caught?: number;
}

function status({ own, shared, blocked, ignored, caught }: Masks): string {
  const line = (name: string, signal: number | undefined): string =>
    `${name}:\t${(signal === undefined ? 0n : bit(signal)).toString(16).padStart(16, "0")}\n`;
  return `Name:\tdd\nState:\tD (disk sleep)\n${line("SigPnd", own)}${line("ShdPnd", shared)}${line("SigBlk", blocked)}${line("SigIgn", ignored)}${line("SigCgt", caught)}`;
}

test("a pending signal that kills means death, whether it is the thread's or the process's", () => {
  expect(pendingSignals(status({ own: SIGKILL }))).toBe("dying");
  expect(pendingSignals(status({ shared: SIGTERM }))).toBe("dying");
  expect(pendingSignals(status({ shared: SIGUSR1 }))).toBe("dying");
});

test("a signal that is blocked, ignored or harmless by default means nothing", () => {
  expect(pendingSignals(status({}))).toBe("nothing");
  expect(pendingSignals(status({ shared: SIGTERM, blocked: SIGTERM }))).toBe("nothing");
  expect(pendingSignals(status({ shared: SIGHUP, ignored: SIGHUP }))).toBe("nothing");
  for (const signal of [SIGCHLD, SIGSTOP]) expect(pendingSignals(status({ shared: signal }))).toBe("nothing");
});

test("of signals that the program catches only those that ask it to end mean anything", () => {
  expect(pendingSignals(status({ shared: SIGUSR1, caught: SIGUSR1 }))).toBe("nothing");
  expect(pendingSignals(status({ own: SIGALRM, caught: SIGALRM }))).toBe("nothing");
  expect(pendingSignals(status({ shared: SIGINT, caught: SIGINT }))).toBe("asked");
  expect(pendingSignals(status({ shared: SIGTERM, caught: SIGTERM }))).toBe("asked");
});
