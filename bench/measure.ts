/** One line of the result. Rates are the median of the runs. */
export interface Measurement {
  readonly name: string;
  readonly operationsPerSecond: number;
  /** 0 where bytes do not matter. */
  readonly megabytesPerSecond: number;
  readonly runs: readonly number[];
}

/** Runs `operation` as often as fits into the time, so many at once; resolves with operations in a second. */
export async function rate(
  seconds: number,
  depth: number,
  operation: (number: number) => Promise<unknown>,
): Promise<number> {
  const began = performance.now();
  const endMs = began + seconds * 1000;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < endMs) await operation(next++);
  };
  await Promise.all(Array.from({ length: depth }, worker));
  return (next * 1000) / (performance.now() - began);
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return sorted.length % 2 === 1 ? middle : (middle + (sorted[sorted.length / 2 - 1] ?? 0)) / 2;
}

export function measurement(name: string, runs: readonly number[], bytes: number): Measurement {
  const operationsPerSecond = median(runs);
  return { name, operationsPerSecond, megabytesPerSecond: (operationsPerSecond * bytes) / 1e6, runs };
}

export function printMeasurement({ name, operationsPerSecond, megabytesPerSecond, runs }: Measurement): void {
  const spread = runs.map((run) => run.toFixed(0)).join(" ");
  const megabytes = megabytesPerSecond === 0 ? "" : `${megabytesPerSecond.toFixed(1)} MB/s`;
  process.stdout.write(
    `${name.padEnd(44)} ${operationsPerSecond.toFixed(0).padStart(8)} op/s ${megabytes.padStart(12)}   (${spread})\n`,
  );
}
