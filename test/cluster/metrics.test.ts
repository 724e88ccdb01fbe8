import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Mounted, mountObstacle } from "../mount/harness.js";
import { ClusterHarness } from "./harness.js";
import { eventually } from "./ordeal/calls.js";
import { TEST_MS } from "./ordeal/patience.js";
import { say } from "./ordeal/seed.js";

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

let harness: ClusterHarness;
const ports = { mds: 0, cs: 0 };

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function metricsOf(kind: "mds" | "cs"): Promise<string> {
  return await (await fetch(`http://127.0.0.1:${ports[kind]}/metrics`)).text();
}

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 1, csCount: 1 });
});

afterAll(() => harness.close());

test("daemons serve metrics where their configuration says, and nowhere before", async () => {
  for (const kind of ["mds", "cs"] as const) {
    ports[kind] = await freePort();
    const path = join(harness.lab.root(1), `etc/pstorage/${kind}.config`);
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace(/\n$/, ` metrics=${ports[kind]}\n`));
    await expect(metricsOf(kind)).rejects.toThrow("fetch failed");
    await harness.lab.stopOne(kind, 1);
    await harness.lab.startOne(kind, 1);
  }
  await harness.healthy();
  const mds = await eventually("the leader tells", async () => {
    const text = await metricsOf("mds");
    return text.includes('pstorage_cluster_health{cluster="lab",mds="1",state="healthy"} 1') && text;
  });
  expect(mds).toContain('pstorage_cluster_chunk_servers{cluster="lab",mds="1",status="active"} 1\n');
  expect(mds).toMatch(/^pstorage_mds_applied_entries_total\{[^}]*\} [1-9]/m);
});

test("what is written and read is counted by the chunk server, by stat and by its client", async () => {
  const bytes = new Uint8Array(3 << 20).fill(7);
  const path = join(harness.lab.root(1), "source");
  await writeFile(path, bytes);
  expect(await harness.run(["fs", "put", path, "/data"])).toMatchObject({ status: 0, errors: "" });
  const value = (text: string, name: string): number =>
    Number(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, "m").exec(text)?.[1]);
  const cs = await metricsOf("cs");
  expect(value(cs, "pstorage_cs_write_bytes_total")).toBeGreaterThanOrEqual(bytes.length);
  expect(value(cs, "pstorage_cs_disk_busy_seconds_total")).toBeGreaterThan(0);
  expect(value(cs, "pstorage_cs_is_serving")).toBe(1);
  expect(cs).toMatch(/^pstorage_cs_request_duration_seconds_count\{[^}]*kind="write"\} [1-9]/m);
  expect(await metricsOf("mds")).toMatch(
    /^pstorage_mds_request_duration_seconds_bucket\{[^}]*request="allocateChunk",le="\+Inf"\} [1-9]/m,
  );
  await harness.until(
    ({ chunkServers: [server], mdsServers: [mds] }) =>
      (server?.totals.writeBytes ?? 0) >= bytes.length && mds?.hasLoad === true,
    "stat tells what was written",
  );
});

test("Prometheus has nothing to say against the page of any daemon that has worked", async () => {
  if (spawnSync("promtool", ["--version"]).status !== 0) {
    say("skipped: promtool is not installed");
    return;
  }
  const check = (daemon: string, page: string): void => {
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
      input: page,
      encoding: "utf8",
    });
    expect({ daemon, status, said: `${stdout}${stderr}` }).toEqual({ daemon, status: 0, said: "" });
    expect(page).toMatch(/_bucket\{.*\} [1-9]/);
  };
  for (const kind of ["mds", "cs"] as const) check(kind, await metricsOf(kind));
  if (mountObstacle() !== undefined) return;
  const port = await freePort();
  const mounted = new Mounted(harness, join(harness.lab.directory, "mnt"), {
    args: ["-o", `metrics=${port}`],
  });
  try {
    await mounted.mount();
    expect((await readFile(join(mounted.path, "data"))).length).toBe(3 << 20);
    check("mount", await (await fetch(`http://127.0.0.1:${port}/metrics`)).text());
    await mounted.unmount();
  } finally {
    mounted.remove();
  }
});
