import { createServer } from "node:http";
import { storageError } from "../../base/index.js";
import { errnoOf } from "./errno.js";

/** An answer to a GET over HTTP. */
export interface Page {
  /** Of the content, as HTTP says it. */
  readonly type: string;
  readonly text: string;
}

export interface PageServer {
  /** `IP:PORT` with the real port. */
  readonly address: string;
  close(): Promise<void>;
}

/** Nobody on this machine or network takes longer to ask. */
const REQUEST_MS = 10_000;
const HEADER_BYTES_MAX = 8192;

/**
 * Answers GET and HEAD over plain HTTP, for things that are no secret: `page` gives the answer for a path, or undefined
 * for 404; what it throws is a 503. Fails with `unavailable` if it cannot listen there.
 */
export async function servePages(
  { host, port }: { readonly host: string; readonly port: number },
  page: (path: string) => Promise<Page | undefined>,
): Promise<PageServer> {
  const limits = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, maxHeaderSize: HEADER_BYTES_MAX };
  const server = createServer(limits, async (request, response) => {
    const answer = (status: number, type: string, text: string): void => {
      response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text) });
      response.end(request.method === "HEAD" ? undefined : text);
    };
    const plain = "text/plain; charset=utf-8";
    request.resume();
    if (request.method !== "GET" && request.method !== "HEAD") return answer(405, plain, "only GET\n");
    try {
      const found = await page((request.url ?? "/").replace(/[?#].*$/, ""));
      if (found === undefined) answer(404, plain, "there is no such page\n");
      else answer(200, found.type, found.text);
    } catch {
      answer(503, plain, "not now\n");
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(storageError("unavailable", `cannot listen on ${host}:${port}: ${errnoOf(error)}`, error)),
    );
    server.listen({ host, port }, resolve);
  });
  // After listening an error is about one connection.
  server.on("error", () => undefined);
  // A daemon does not live on for those who look at it.
  server.unref();
  const bound = server.address();
  const boundPort = typeof bound === "object" && bound !== null ? bound.port : port;
  return {
    address: `${host.includes(":") ? `[${host}]` : host}:${boundPort}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
