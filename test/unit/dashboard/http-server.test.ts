import { afterEach, describe, expect, test } from "vitest";
import { Prng, storageError } from "../../../src/base/index.js";
import { DashboardServer, Watcher } from "../../../src/dashboard/index.js";
import { realWorld } from "../../../src/io/real/index.js";
import type { ClusterStatus, EventRecord } from "../../../src/meta/index.js";
import { STATUS as SAMPLE, sampleCs } from "../cli/screen/sample.js";

const NONE = { degraded: 0, urgent: 0, blocked: 0, pending: 0 };
const STATUS = {
  clusterName: "stor1",
  wallMs: 1,
  clients: [],
  chunkServers: [],
  chunks: NONE,
} as unknown as ClusterStatus;
const event = (number: number): EventRecord => ({
  number,
  wallMs: number,
  system: "MDS",
  severity: "info",
  message: `event ${number}`,
});

function* same(): Generator<ClusterStatus, never> {
  for (;;) yield STATUS;
}

/** A hundred disks, and clients whose figures are never twice the same, every five seconds. */
function* busy(): Generator<ClusterStatus, never> {
  const prng = new Prng(1);
  const some = (below: number): number => prng.below(below * 1000) / 1000;
  for (let wallMs = 5000; ; wallMs += 5000) {
    const chunkServers = Array.from({ length: 100 }, (_, index) =>
      sampleCs({ csId: 1025 + index, fillBytesPerSecond: some(1e8), readBytesPerSecond: some(1e8) }),
    );
    const clients = Array.from({ length: 50 }, (_, index) => ({
      ...SAMPLE.clients[0],
      ...{ sessionId: 2049 + index, readBytesPerSecond: some(1e8), writeBytesPerSecond: some(1e8) },
      ...{ readsPerSecond: some(1e4), writesPerSecond: some(1e4), latencyMsAverage: some(100) },
    }));
    yield { ...SAMPLE, wallMs, chunkServers, clients } as ClusterStatus;
  }
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A dashboard of a cluster that answers as long as `isThere`, and is in the next state each time it is asked. */
async function started(states: Iterator<ClusterStatus, never> = same(), everyMs = 20) {
  const cluster = { isThere: true, events: [event(1), event(2)] };
  const admin = {
    status: async () => {
      if (!cluster.isThere) throw storageError("unavailable", "nobody leads");
      return states.next().value;
    },
    getEvents: async () => ({ events: cluster.events }),
  };
  const watcher = new Watcher(admin, realWorld().clock, everyMs);
  const server = new DashboardServer({
    watcher,
    fileOf: async (path) => {
      if (path !== "/a") throw storageError("not_found", `no ${path}`);
      return { chunks: [], leases: [] };
    },
  });
  const port = await server.listen("127.0.0.1", 0);
  await watcher.start();
  closing.push(async () => {
    await server.close();
    await watcher.close();
  });
  const get = (path: string, options?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, options);
  return { cluster, get, watcher };
}

describe("the dashboard", () => {
  test("serves its page and nothing else from the disk, and lets nothing else in", async () => {
    const { get } = await started();
    let bytes = 0;
    for (const path of ["/", "/app.js", "/charts.js", "/style.css"]) {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-security-policy")).toContain("default-src 'self'");
      bytes += (await response.text()).length;
    }
    expect(bytes).toBeLessThan(100_000);
    for (const path of ["/../package.json", "/%2e%2e/package.json", "/web/app.js", "/x"])
      expect((await get(path)).status, path).toBe(404);
    expect((await get("/api/status", { method: "POST" })).status).toBe(405);
  });

  test("says what the cluster says, and when it says nothing any more", async () => {
    const { cluster, get, watcher } = await started();
    expect(await (await get("/api/status")).json()).toMatchObject({ status: { clusterName: "stor1" } });
    cluster.isThere = false;
    await expect.poll(() => watcher.picture.trouble, { timeout: 5000 }).toBe("nobody leads");
    expect(await (await get("/api/status")).json()).toMatchObject({
      status: { clusterName: "stor1" },
      trouble: "nobody leads",
    });
  });

  test("has every event once, the newest first", async () => {
    const { cluster, get, watcher } = await started();
    cluster.events = [event(2), event(3)];
    await expect.poll(() => watcher.events.length, { timeout: 5000 }).toBe(3);
    const events = (await (await get("/api/events")).json()) as EventRecord[];
    expect(events.map(({ number }) => number)).toEqual([3, 2, 1]);
  });

  test("takes less than 300 KB to load, an hour of a busy cluster included, and little to stay open", async () => {
    const { cluster, get, watcher } = await started(busy(), 1);
    cluster.events = Array.from({ length: 500 }, (_, index) => event(index + 3));
    await expect.poll(() => watcher.history.length, { timeout: 60_000 }).toBe(720);
    const transferred = async (...paths: string[]): Promise<number> => {
      const answers = await Promise.all(
        paths.map((path) => get(path, { headers: { "accept-encoding": "gzip" } })),
      );
      expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 200));
      return answers.reduce((sum, { headers }) => sum + Number(headers.get("content-length")), 0);
    };
    const files = ["/", "/style.css", "/app.js", "/charts.js", "/manage.js", "/parts.js", "/api/who"];
    const all = await transferred(...files, "/api/status", "/api/history", "/api/events");
    expect(all).toBeGreaterThan(30_000);
    expect(all).toBeLessThan(300_000);
    const { atMs } = watcher.history.at(-2) ?? { atMs: 0 };
    const more = await transferred(`/api/history?after=${atMs}`, "/api/events?after=502");
    expect(more).toBeLessThan(2000);
  });

  test("shows where a file is, and says which there is not", async () => {
    const { get } = await started();
    expect(await (await get("/api/file?path=/a")).json()).toEqual({ path: "/a", chunks: [], leases: [] });
    const missing = await get("/api/file?path=/b");
    expect([missing.status, await missing.json()]).toEqual([404, { error: "no /b" }]);
  });
});
