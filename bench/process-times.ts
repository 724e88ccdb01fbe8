import { readFileSync } from "node:fs";

/** Of Linux' clock ticks, which are a hundredth of a second on every machine of today. */
const TICK_MICROS = 10_000;

/** Processor time that the processes have used so far, user and system, microseconds. */
export function cpuMicros(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    // The name of the program, in parentheses, may hold blanks.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks * TICK_MICROS;
}

/** Memory of a process that is in RAM, MB. */
export function residentMegabytes(pid: number): number {
  const kibibytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
  return (Number(kibibytes) * 1024) / 1e6;
}

/** The average number of processes that wanted to run in the last minute: above 2, on two cores, results suffer. */
export function loadAverage(): number {
  return Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]);
}
