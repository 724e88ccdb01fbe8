/**
 * `npx tsx bench/coherence.ts`: what keeping names and attributes gives, and what it costs others: questions answered from
 * memory, and creates while nobody caches, while somebody does who knows nothing of the directory, and while somebody does
 * who has listed it. Options: --seconds S for each run (default 2), --runs N (default 3; the median counts).
 */
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Lab } from "../src/cli/lab/lab.js";
import { type Cluster, connectCluster } from "../src/client/connect.js";
import type { InodeNumber } from "../src/meta/index.js";
import { median, type Run, rate } from "./measure.js";

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "2" },
    runs: { type: "string", default: "3" },
  },
});
const seconds = Number(options.seconds);
const { signal } = new AbortController();
const FILE = 0o100644;

const directory = await mkdtemp(join(process.cwd(), ".pstorage-bench-"));
const lab = await Lab.plan(join(directory, "lab"), { mdsCount: 1, csCount: 1 });
try {
  await lab.start(undefined, signal);
  const connect = (cacheMetadata: boolean): Promise<Cluster> =>
    connectCluster({ cluster: lab.clusterName, root: lab.root(1), program: "bench", cacheMetadata });
  const plain = await connect(false);
  const rates = new Map<string, number[]>();
  const measure = async (name: string, run: () => Promise<Run>): Promise<void> => {
    const { operations, seconds: took } = await run();
    rates.set(name, [...(rates.get(name) ?? []), operations / took]);
  };
  let directories = 0;
  const creates = async (
    label: string,
    prepare: (parent: InodeNumber) => Promise<unknown>,
  ): Promise<void> => {
    for (const depth of [1, 32]) {
      const { ino: parent } = await plain.fileSystem.mkdir(`/d${directories++}`);
      await prepare(parent);
      await measure(`create, ${depth} in flight, ${label}`, () =>
        rate(seconds, depth, signal, (number) =>
          plain.fileSystem.inodes.create({ parent, name: Buffer.from(`f${number}`), mode: FILE }),
        ),
      );
    }
  };
  const asks = async (label: string, { fileSystem }: Cluster): Promise<void> => {
    await fileSystem.stat("/d0/f0");
    for (const depth of [1, 32]) {
      const stat = (): Promise<unknown> => fileSystem.stat("/d0/f0");
      await measure(`stat by path, ${depth} in flight, ${label}`, () => rate(seconds, depth, signal, stat));
    }
  };
  for (let round = 0; round < Number(options.runs); round++) {
    await creates("nobody caches", async () => undefined);
    await asks("asked", plain);
    const keeping = await connect(true);
    await creates("one caches, elsewhere", async () => undefined);
    await creates("one caches this directory", (parent) =>
      keeping.fileSystem.inodes.readDirectory(parent, new Uint8Array(), 1000, true),
    );
    await asks("kept", keeping);
    await keeping.close();
  }
  await plain.close();
  for (const [name, all] of rates) {
    const each = all.map((value) => value.toFixed(0)).join(", ");
    process.stdout.write(`${name.padEnd(56)} ${median(all).toFixed(0).padStart(9)}/s  (${each})\n`);
  }
} finally {
  await lab.stop();
  await rm(directory, { recursive: true, force: true });
}
