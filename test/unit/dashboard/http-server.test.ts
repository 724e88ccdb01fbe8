import { afterEach, describe, expect, test } from "vitest";
import { storageError } from "../../../src/base/index.js";
import { DashboardServer, Watcher } from "../../../src/dashboard/index.js";
import { realWorld } from "../../../src/io/real/index.js";
import type { ClusterStatus, EventRecord } from "../../../src/meta/index.js";

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

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A dashboard of a cluster that answers as long as `isThere`. */
async function started() {
  const cluster = { isThere: true, events: [event(1), event(2)] };
  const admin = {
    status: async () => {
      if (!cluster.isThere) throw storageError("unavailable", "nobody leads");
      return STATUS;
    },
    getEvents: async () => ({ events: cluster.events }),
  };
  const watcher = new Watcher(admin, realWorld().clock, 20);
  const server = new DashboardServer({
    watcher,
    chunksOf: async (path) => {
      if (path !== "/a") throw storageError("not_found", `no ${path}`);
      return [];
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

  test("shows where a file is, and says which there is not", async () => {
    const { get } = await started();
    expect(await (await get("/api/file?path=/a")).json()).toEqual({ path: "/a", chunks: [] });
    const missing = await get("/api/file?path=/b");
    expect([missing.status, await missing.json()]).toEqual([404, { error: "no /b" }]);
  });
});
