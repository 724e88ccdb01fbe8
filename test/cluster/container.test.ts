import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { freeMdsAddress } from "../../src/cli/lab/lab-plan.js";
import { ClusterDirectory, runProgram } from "./harness.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";

/** What runs in the containers of docker-compose.yml, without the containers. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const CHECKOUT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
let directory: ClusterDirectory;
let bootstrap = "";
const running: ChildProcess[] = [];

const root = (name: string): string => join(directory.path, name, "root");

/** One container: its entrypoint with an environment as in docker-compose.yml. */
function startContainer(name: string, role: "mds" | "cs", address: string): ChildProcess {
  const child = spawn(process.execPath, [join(CHECKOUT, "deploy/entrypoint.mjs")], {
    env: {
      ...process.env,
      PSTORAGE_ROOT: root(name),
      PSTORAGE_DATA: join(directory.path, name),
      PSTORAGE_ROLE: role,
      PSTORAGE_NAME: "compose",
      PSTORAGE_PASSWORD: "four random words here",
      PSTORAGE_ADDRESS: address,
      PSTORAGE_BOOTSTRAP: bootstrap,
    },
    stdio: "ignore",
  });
  running.push(child);
  return child;
}

/** As `docker stop` does it; resolves with the exit status. */
async function stopContainer(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null) return child.exitCode;
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  return await ended;
}

async function untilHealthy(): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const { output } = await runProgram("pstorage", ["-q", "stat"], {
      root: root("mds1"),
      cluster: "compose",
    });
    if (output.startsWith("Cluster 'compose': healthy") && output.includes("1 of 1 (1 avail")) return;
    if (Date.now() > end) throw new Error(`not healthy:\n${output}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

beforeAll(async () => {
  directory = await ClusterDirectory.make();
  bootstrap = await freeMdsAddress([]);
});

afterAll(async () => {
  await Promise.all(running.map(stopContainer));
  await directory.remove([]);
});

test("containers that start in any order become a cluster, stop in order, and are the same cluster again", async () => {
  const chunkServer = startContainer("cs1", "cs", "127.0.0.1");
  const metadataServer = startContainer("mds1", "mds", bootstrap);
  await untilHealthy();
  expect(await stopContainer(chunkServer)).toBe(0);
  expect(await stopContainer(metadataServer)).toBe(0);
  startContainer("mds1", "mds", bootstrap);
  startContainer("cs1", "cs", "127.0.0.1");
  await untilHealthy();
});
