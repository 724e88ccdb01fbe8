import { parseArgs } from "node:util";
import { CLIMATES } from "./faults/fault-plan.js";
import { type SimulationReport, simulate } from "./simulation.js";

/**
 * `npm run sim -- [--seed N] [--count K] [--minutes M] [--processor-seconds S] [--safety MS] [--climate NAME] [--buffered] [--trace]`: runs seeds one after the other, from the given one or
 * from a random one; ends with status 1 at the first that fails, unless `--keep-going`.
 */
const { values: flags } = parseArgs({
  options: {
    seed: { type: "string" },
    count: { type: "string" },
    minutes: { type: "string" },
    "processor-seconds": { type: "string" },
    safety: { type: "string" },
    climate: { type: "string", default: "drawn" },
    buffered: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    "keep-going": { type: "boolean", default: false },
  },
});

async function main(): Promise<number> {
  const first = flags.seed === undefined ? Math.floor(Date.now() % 1_000_000_000) : Number(flags.seed);
  const endMs =
    flags.minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + Number(flags.minutes) * 60_000;
  const processorMsMax = Number(flags["processor-seconds"] ?? Number.POSITIVE_INFINITY) * 1000;
  const isLimited = flags.minutes !== undefined || flags["processor-seconds"] !== undefined;
  const countMax =
    flags.count !== undefined
      ? Number(flags.count)
      : isLimited
        ? Number.POSITIVE_INFINITY
        : flags.seed !== undefined
          ? 1
          : 10;
  const climate = CLIMATES[flags.climate];
  if (climate === undefined) throw new Error(`--climate is one of ${Object.keys(CLIMATES).join(", ")}`);
  let failed = 0;
  for (let i = 0; i < countMax && Date.now() < endMs && processorMs() < processorMsMax; i++) {
    const began = Date.now();
    const report = await simulate({
      seed: first + i,
      trace: flags.trace ? (line) => process.stdout.write(`${line}\n`) : undefined,
      plan: climate,
      buffered: flags.buffered,
      safetyMs: flags.safety === undefined ? undefined : Number(flags.safety),
    });
    print(report, (Date.now() - began) / 1000);
    if (report.violations.length === 0) continue;
    failed++;
    if (!flags["keep-going"]) return 1;
  }
  return failed === 0 ? 0 : 1;
}

/** What this process has used, however many others there are on the machine. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function print(report: SimulationReport, seconds: number): void {
  const { seed, violations, virtualMs, eventCount, begun, succeeded, faults, description } = report;
  const verdict = violations.length === 0 ? "ok    " : "FAILED";
  process.stdout.write(
    `${verdict} seed ${seed}  ${(virtualMs / 1000).toFixed(1)} s virtual  ${seconds.toFixed(1)} s real  ` +
      `${eventCount} events  ${succeeded}/${begun} operations  ${faults} faults\n`,
  );
  if (violations.length === 0) return;
  process.stdout.write(`  ${description}\n`);
  for (const { checker, message, atMs } of violations.slice(0, 5)) {
    process.stdout.write(`  ${checker} at ${atMs.toFixed(1)} ms: ${message}\n`);
  }
  process.stdout.write(`  replay: npm run sim -- --seed ${seed} --trace\n`);
}

process.exitCode = await main();
