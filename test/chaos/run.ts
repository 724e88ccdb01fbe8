import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Prng } from "../../src/base/index.js";
import { keepLogs } from "../cluster/harness.js";
import { noFaultyDisks } from "../cluster/ordeal/disk/faulty-disk.js";
import { noMachines } from "../cluster/ordeal/machines.js";
import { Workload } from "../mount/workload.js";
import { complaints, Playground } from "./playground.js";
import { SharedFile } from "./shared-file.js";
import { TROUBLES, type Trouble, Troublemaker } from "./trouble.js";

/**
 * `npm run chaos -- [--minutes N] [--seed S] [--only kill,disk,...] [--round SECONDS]`: a whole cluster of real processes, each machine in a
 * network namespace, each repository on a disk that can fail, and two mounts. Programs work on the mounts and verify every
 * byte they read, several write the same files and their history is checked, while there is trouble of every kind. Ends with
 * status 1 if anything was wrong. Needs root, network namespaces and /dev/fuse.
 */
const { values: flags } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string" },
    only: { type: "string", default: TROUBLES.join(",") },
    round: { type: "string", default: "60" },
  },
});
/** A history is checked, and new files are begun, this often: one of hours could not be checked. */
const ROUND_MS = Number(flags.round) * 1000;

const seed = flags.seed === undefined ? Date.now() % 1_000_000_000 : Number(flags.seed);
const say = (line: string): void => {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
};

function kindsOf(only: string): Trouble[] {
  const names = only.split(",");
  const kinds = TROUBLES.filter((kind) => names.includes(kind));
  if (kinds.length === names.length) return kinds;
  throw new Error(`--only takes some of ${TROUBLES.join(",")}`);
}

async function round(ground: Playground, prng: Prng, number: number, lastsMs: number): Promise<void> {
  const works = ground.mountPoints.map(
    (mountPoint, index) => new Workload(join(mountPoint, `work${index}-${number}`), prng.fork()),
  );
  // Two processes on each mount.
  const paths = [...ground.mountPoints, ...ground.mountPoints].map((path) => join(path, `shared${number}`));
  const shared = new SharedFile(`shared${number}`, paths, prng.fork());
  await Promise.all([...works.map((work) => work.start()), shared.start()]);
  await new Promise((resolve) => setTimeout(resolve, lastsMs));
  for (const work of works) await work.stop();
  const wrong = await shared.stop();
  if (wrong.length > 0) throw new Error(`the history is not linearizable: ${wrong.join("\n")}`);
  for (const work of works) say(`round ${number}: ${work.calls}`);
  say(`round ${number}: ${shared.operationCount} operations on a shared file, linearizable`);
}

async function main(): Promise<number> {
  const why = noMachines() ?? noFaultyDisks();
  if (why !== undefined) throw new Error(`chaos cannot be made here: ${why}`);
  const kinds = kindsOf(flags.only);
  const endMs = Date.now() + Number(flags.minutes) * 60_000;
  if (Number.isNaN(endMs + seed + ROUND_MS)) throw new Error("--minutes, --seed and --round take numbers");
  say(`seed ${seed}, ${flags.minutes} minutes of ${kinds.join(", ")}`);
  const prng = new Prng(seed);
  const directory = await mkdtemp(join(tmpdir(), "pstorage-chaos-"));
  const ground = new Playground(directory, prng.fork());
  const trouble = new Troublemaker(ground, prng.fork(), kinds, say);
  let isRight = false;
  try {
    await ground.build();
    say("the cluster is there");
    trouble.start();
    for (let number = 1; Date.now() < endMs; number++)
      await Promise.race([
        round(ground, prng.fork(), number, Math.min(ROUND_MS, endMs - Date.now())),
        trouble.broken,
      ]);
    await trouble.stop();
    await ground.healthy();
    isRight = true;
  } catch (error) {
    say(`WRONG: ${error instanceof Error ? error.message : String(error)}`);
    for (const server of ground.servers) {
      const said = await complaints(server);
      if (said !== "") say(`${server.kind} on ${server.machine.address}: ${said}`);
    }
  } finally {
    await trouble.stop().catch((error: Error) => say(`trouble did not end: ${error.message}`));
    if (!isRight) await keepLogs(directory);
    await ground.close();
  }
  const made = [...trouble.counts].map(([kind, count]) => `${count} ${kind}`).join(", ");
  say(`${isRight ? "nothing was lost and no call failed" : `failed; again: --seed ${seed}`} (${made})`);
  return isRight ? 0 : 1;
}

main().then(
  (status) => process.exit(status),
  (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
