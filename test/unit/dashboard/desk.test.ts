import { request as httpsRequest } from "node:https";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { storageError } from "../../../src/base/index.js";
import { DashboardServer, Desk, Watcher } from "../../../src/dashboard/index.js";
import { realWorld } from "../../../src/io/real/index.js";
import { memoryLogger } from "../../../src/telemetry/index.js";
import { credential } from "../../contract/rpc-world.js";

const { clock, random } = realWorld();
const PASSWORD = "four random words here";
const JSON_TYPE = { "content-type": "application/json" };
const nothing = { status: () => Promise.reject(storageError("unavailable", "nobody leads")) };

let done: string[];
let closing: (() => Promise<void>)[];
beforeEach(() => {
  [done, closing] = [[], []];
});
afterEach(async () => {
  for (const close of closing) await close();
});

/** A dashboard with a desk whose cluster notes what it is told. */
async function started(isTls = false): Promise<{ port: number; lines: () => string[] }> {
  const log = memoryLogger();
  const note = (text: string): void => void done.push(text);
  const desk = new Desk({
    clock: { ...clock, monotonicMs: () => clock.monotonicMs(), sleep: async () => undefined } as typeof clock,
    random,
    log,
    admin: {
      beginScrub: async ({ csId }) => {
        note(`scrub ${csId}`);
        return { csIds: [1025, 1026], silentCsIds: [1027] };
      },
      removeChunkServer: async ({ csId, force, cancel }) => {
        note(`remove ${csId} force=${force} cancel=${cancel}`);
        return { csId, isDropped: false, remainingCount: 7 } as never;
      },
      setConfig: async ({ name, value }) => {
        if (name === "wrong") throw storageError("invalid", "there is no such setting");
        note(`${name}=${value}`);
        return { name, value } as never;
      },
    },
    fileSystem: { revoke: async (path) => note(`revoke ${path}`) },
    checkPassword: async (password) => password === PASSWORD,
  });
  const watcher = new Watcher({ ...nothing, getEvents: nothing.status }, clock, 60_000);
  const { keyPem: key, certPem: cert, caPem: ca } = credential(["mds"]);
  const server = new DashboardServer({
    watcher,
    fileOf: async () => ({ chunks: [], leases: [] }),
    desk,
    tls: isTls ? { key, cert, ca } : undefined,
  });
  const port = await server.listen("127.0.0.1", 0);
  closing.push(() => server.close());
  return { port, lines: () => log.lines.map(({ message }) => message) };
}

const post = (port: number, path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { ...JSON_TYPE, ...headers },
    body: JSON.stringify(body),
  });

async function signedIn(port: number): Promise<Record<string, string>> {
  const response = await post(port, "/api/sign-in", { password: PASSWORD });
  expect(response.status).toBe(200);
  const cookie = response.headers.get("set-cookie") ?? "";
  expect(cookie).toMatch(/^pstorage=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=1800$/);
  return { cookie: cookie.split(";")[0] ?? "" };
}

describe("acting from the dashboard", () => {
  test("takes the password of the cluster, and a wrong one is refused and logged without being told", async () => {
    const { port, lines } = await started();
    expect((await post(port, "/api/act", { type: "scrub", csId: 0 })).status).toBe(401);
    const wrong = await post(port, "/api/sign-in", { password: "guess" });
    expect([wrong.status, await wrong.json()]).toEqual([
      401,
      { error: "this is not the password of the cluster" },
    ]);
    expect(wrong.headers.get("set-cookie")).toBeNull();
    expect(lines()).toEqual(["wrong password at the dashboard"]);
    expect(done).toEqual([]);
  });

  test.each([
    [{ type: "scrub", csId: 0 }, "scrub 0", "2 chunk servers read everything again; no answer from CS#1027"],
    [
      { type: "release", csId: 1025 },
      "remove 1025 force=false cancel=false",
      "CS#1025 is being emptied; 7 chunks to go",
    ],
    [{ type: "keep", csId: 1025 }, "remove 1025 force=false cancel=true", "CS#1025 stays"],
    [{ type: "set-config", name: "a.b", value: "1" }, "a.b=1", "a.b=1"],
    [{ type: "revoke", path: "/x" }, "revoke /x", "/x is free"],
  ])("who has signed in can %o", async (action, what, said) => {
    const { port, lines } = await started();
    const answer = await post(port, "/api/act", action, await signedIn(port));
    expect(await answer.json()).toEqual({ said });
    expect(done).toEqual([what]);
    expect(lines()).toEqual(["signed in at the dashboard", "dashboard action"]);
  });

  test("says what is wrong with what was asked for", async () => {
    const { port } = await started();
    const headers = await signedIn(port);
    for (const [action, error] of [
      [{ type: "format" }, "there is no such action"],
      [{ type: "release", csId: 0 }, "which chunk server?"],
      [{ type: "set-config", name: "a" }, "the value is missing"],
      [{ type: "set-config", name: "wrong", value: "1" }, "there is no such setting"],
    ] as const) {
      const answer = await post(port, "/api/act", action, headers);
      expect([answer.status, await answer.json()]).toEqual([400, { error }]);
    }
    expect((await post(port, "/api/nothing", {}, headers)).status).toBe(404);
    expect(done).toEqual([]);
  });

  test("is nothing that another page can have a browser do", async () => {
    const { port } = await started();
    const headers = await signedIn(port);
    const scrub = { type: "scrub", csId: 0 };
    for (const foreign of [{ origin: "http://evil.example" }, { "content-type": "text/plain" }])
      expect((await post(port, "/api/act", scrub, { ...headers, ...foreign })).status).toBe(403);
    const own = await post(port, "/api/act", scrub, { ...headers, origin: `http://127.0.0.1:${port}` });
    expect(own.status).toBe(200);
  });

  test("ends with signing out", async () => {
    const { port } = await started();
    const headers = await signedIn(port);
    const who = async (): Promise<unknown> =>
      (await fetch(`http://127.0.0.1:${port}/api/who`, { headers })).json();
    expect(await who()).toEqual({ canSignIn: true, mayAct: true });
    expect((await post(port, "/api/sign-out", {}, headers)).headers.get("set-cookie")).toContain("Max-Age=0");
    expect(await who()).toEqual({ canSignIn: true, mayAct: false });
  });
});

test("over TLS a certificate of a host of the cluster is enough, and nobody needs one to look", async () => {
  const { port } = await started(true);
  const { keyPem: key, certPem: cert, caPem: ca } = credential(["client"]);
  const ask = (options: {
    readonly method?: string;
    readonly [more: string]: unknown;
  }): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const all = { host: "127.0.0.1", port, agent: false, rejectUnauthorized: false, ...options };
      const request = httpsRequest(all, (response) => {
        let text = "";
        response.on("data", (part) => {
          text += part;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      });
      request.on("error", reject);
      request.end(options.method === "POST" ? '{"type":"scrub","csId":5}' : "");
    });
  const act = { method: "POST", path: "/api/act", headers: JSON_TYPE };
  expect((await ask({ path: "/" })).status).toBe(200);
  expect((await ask(act)).status).toBe(401);
  expect(await ask({ ...act, key, cert, ca })).toMatchObject({ status: 200 });
  expect(done).toEqual(["scrub 5"]);
});
