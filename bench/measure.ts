/** What is measured: one line of the result. */
export interface Cell {
  readonly name: string;
  /** Bytes of one operation; 0 where they do not matter. */
  readonly bytes: number;
  /** The cell of the raw machine that this one is to be read as a part of. */
  readonly baseline?: string;
  /** Runs for about so many seconds. */
  readonly run: (seconds: number, round: number) => Promise<Run>;
}

/** One run of a cell. */
export interface Run {
  readonly operations: number;
  readonly seconds: number;
}

/** The runs of a cell. */
export interface Result {
  readonly name: string;
  /** Operations in a second: the median of the runs. */
  readonly rate: number;
  /** Bytes of one operation. */
  readonly bytes: number;
  /** Processor time of all processes of the cluster and of the client for one operation, microseconds: the median. */
  readonly cpuMicros: number;
  readonly baseline: string | undefined;
  readonly rates: readonly number[];
}

/** Runs `operation` as often as fits into the time, so many at once. Ends early, and fails, when the signal comes. */
export async function rate(
  seconds: number,
  depth: number,
  signal: AbortSignal,
  operation: (number: number) => Promise<unknown>,
): Promise<Run> {
  const began = performance.now();
  const endMs = began + seconds * 1000;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < endMs && !signal.aborted) await operation(next++);
  };
  await Promise.all(Array.from({ length: depth }, worker));
  signal.throwIfAborted();
  return { operations: next, seconds: (performance.now() - began) / 1000 };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return sorted.length % 2 === 1 ? middle : (middle + (sorted[sorted.length / 2 - 1] ?? 0)) / 2;
}

export function megabytesPerSecond({ rate: operations, bytes }: Result): number {
  return (operations * bytes) / 1e6;
}
