import { megabytesPerSecond, type Result } from "./measure.js";
import type { Scale } from "./scale.js";

/** What a machine of two cores shall reach when nothing else runs on it. */
const GOALS: Readonly<Record<string, string>> = {
  "sequential write 1 MiB to a new file, depth 16": "100 MB/s",
  "sequential write 1 MiB, depth 16": "100 MB/s",
  "sequential read 1 MiB, depth 16": "200 MB/s",
  "random write 4 KiB, depth 16": "2000 op/s",
  "create, 32 in flight": "1000 op/s",
};

/** One line of the table, with its rate as a part of that of its baseline. */
export function resultLine(result: Result, all: readonly Result[]): string {
  const { name, rate, bytes, cpuMicros, baseline } = result;
  const megabytes = bytes === 0 ? "" : `${megabytesPerSecond(result).toFixed(1)} MB/s`;
  const raw = all.find((other) => other.name === baseline);
  const ratio = raw === undefined ? "" : `${(rate / raw.rate).toFixed(3)} of ${raw.name}`;
  const goal = GOALS[name] === undefined ? "" : `(goal ${GOALS[name]}) `;
  return [
    name.padEnd(47),
    `${rate.toFixed(0).padStart(7)} op/s`,
    megabytes.padStart(12),
    `${cpuMicros.toFixed(0).padStart(7)} us CPU`,
    ` ${goal}${ratio}`,
  ].join(" ");
}

export function scaleLines(scale: Scale): string[] {
  return [
    `${scale.files} files made at ${scale.createsPerSecond.toFixed(0)} in a second, 64 in flight`,
    `MDS with ${scale.files} files: ${scale.mdsResidentMegabytes.toFixed(0)} MB resident (goal 200), ` +
      `started in ${scale.mdsStartSeconds.toFixed(2)} s (goal 3), ` +
      `then ${scale.mdsResidentMegabytesAfterStart.toFixed(0)} MB`,
  ];
}
