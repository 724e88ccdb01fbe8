import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { failureOf } from "../base/index.js";
import type { Desk } from "./desk.js";
import { type DeskAnswer, DeskRequests } from "./desk-requests.js";
import type { FileView } from "./file-view.js";
import type { Watcher } from "./watcher.js";

/** What the pages are made of. */
export interface DashboardWorld {
  readonly watcher: Watcher;
  /** What there is to say of the file at the path, from the root of the cluster. */
  readonly fileOf: (path: string) => Promise<FileView>;
  /** Who lets people act from the page; without it the page only shows. */
  readonly desk?: Desk | undefined;
  /** PEM. With it the page is served by HTTPS, and hosts of the cluster are known by their certificates. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca: string } | undefined;
}

/** Files of the page; nothing else is served. */
const FILES: Readonly<Record<string, readonly [string, string]>> = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/app.js": ["app.js", "text/javascript; charset=utf-8"],
  "/parts.js": ["parts.js", "text/javascript; charset=utf-8"],
  "/file.js": ["file.js", "text/javascript; charset=utf-8"],
  "/manage.js": ["manage.js", "text/javascript; charset=utf-8"],
  "/charts.js": ["charts.js", "text/javascript; charset=utf-8"],
  "/style.css": ["style.css", "text/css; charset=utf-8"],
};
/** Nothing comes from elsewhere, nobody else shows it in a frame. */
const HEADERS = {
  "content-security-policy":
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};
const PATH_MAX = 4096;
const STATUS_OF: Readonly<Record<string, number>> = {
  not_found: 404,
  invalid: 400,
  access_denied: 403,
  unauthenticated: 401,
};

/** The dashboard over HTTP: a page, and JSON that it asks for. Without a desk there is nothing that changes anything. */
export class DashboardServer {
  readonly #world: DashboardWorld;
  readonly #server: Server;
  readonly #requests: DeskRequests | undefined;

  constructor(world: DashboardWorld) {
    this.#world = world;
    this.#requests = world.desk && new DeskRequests(world.desk);
    const serve = (request: IncomingMessage, response: ServerResponse): void => {
      this.#serve(request, response).catch(() => response.destroy());
    };
    // Browsers have no certificate of the cluster, and are let in to look all the same.
    const tls = world.tls && { ...world.tls, requestCert: true, rejectUnauthorized: false };
    this.#server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
    this.#server.requestTimeout = 10_000;
    this.#server.maxHeadersCount = 50;
  }

  /** Resolves with the port when it listens. */
  async listen(host: string, port: number): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, resolve);
    });
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://dashboard");
    const isAction = request.method === "POST" && this.#requests !== undefined;
    if (!isAction && request.method !== "GET" && request.method !== "HEAD") {
      return await send(request, response, 405, "application/json", { error: "this page only shows" });
    }
    const file = FILES[url.pathname];
    if (file !== undefined && !isAction) {
      const [name, type] = file;
      return await send(
        request,
        response,
        200,
        type,
        await readFile(new URL(`../dashboard/web/${name}`, import.meta.url)),
      );
    }
    try {
      const { body, cookie } = await this.#answer(url, request, isAction);
      if (cookie !== undefined) response.setHeader("set-cookie", cookie);
      const found = body === undefined ? 404 : 200;
      await send(request, response, found, "application/json", body ?? { error: "there is no such page" });
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      const status = STATUS_OF[failure.code] ?? 503;
      await send(request, response, status, "application/json", { error: failure.detail || failure.code });
    }
  }

  async #answer(url: URL, request: IncomingMessage, isAction: boolean): Promise<Partial<DeskAnswer>> {
    if (isAction) return (await this.#requests?.answer(url.pathname, request)) ?? {};
    if (url.pathname === "/api/who")
      return this.#requests?.who(request) ?? { body: { canSignIn: false, mayAct: false } };
    return { body: await this.#shown(url) };
  }

  async #shown(url: URL): Promise<unknown> {
    const { watcher, fileOf } = this.#world;
    // A page that stays open asks for what is new.
    const after = Number(url.searchParams.get("after")) || 0;
    switch (url.pathname) {
      case "/api/status":
        return watcher.picture;
      case "/api/history":
        return watcher.history.filter(({ atMs }) => atMs > after);
      case "/api/events":
        return watcher.events.filter(({ number }) => number > after);
      case "/api/file": {
        const path = url.searchParams.get("path") ?? "";
        return path.length > PATH_MAX ? undefined : { path, ...(await fileOf(path)) };
      }
      default:
        return undefined;
    }
  }
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  type: string,
  body: unknown,
): Promise<void> {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const isSmaller = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  const packed = isSmaller ? await promisify(gzip)(bytes) : bytes;
  response.writeHead(status, {
    ...HEADERS,
    "content-type": type,
    "content-length": packed.length,
    ...(isSmaller ? { "content-encoding": "gzip" } : {}),
  });
  response.end(request.method === "HEAD" ? undefined : packed);
}
