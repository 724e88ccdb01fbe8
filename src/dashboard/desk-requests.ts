import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { storageError } from "../base/index.js";
import { parseAction } from "./core/action.js";
import { SIGN_IN_MS } from "./core/sign-ins.js";
import type { Desk } from "./desk.js";

/** An answer in JSON, and what the browser should hold from now on. */
export interface DeskAnswer {
  readonly body: unknown;
  readonly cookie?: string;
}

const BODY_BYTES_MAX = 16_384;
const COOKIE = "pstorage";

/**
 * What changes something: only by JSON that this page's own scripts send, from who has signed in, or whose TLS certificate
 * is that of a host of the cluster. Passwords never travel in the clear: without TLS only this machine may act.
 */
export class DeskRequests {
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  /** For GET: what the page may offer. */
  who(request: IncomingMessage): DeskAnswer {
    return { body: { canSignIn: isPrivate(request), mayAct: this.#mayAct(request) } };
  }

  /** For POST; undefined if there is nothing at that path. */
  async answer(path: string, request: IncomingMessage): Promise<DeskAnswer | undefined> {
    requireOwnPage(request);
    if (!isPrivate(request))
      throw storageError("access_denied", "not over a network without TLS; come by ssh -L, or by https");
    const from = request.socket.remoteAddress ?? "";
    switch (path) {
      case "/api/sign-in": {
        const { password } = (await bodyOf(request)) as { readonly password?: unknown };
        if (typeof password !== "string" || password === "")
          throw storageError("invalid", "the password is missing");
        return { body: { mayAct: true }, cookie: cookie(request, await this.#desk.signIn(password, from)) };
      }
      case "/api/sign-out":
        this.#desk.signOut(tokenOf(request));
        return { body: { mayAct: false }, cookie: cookie(request, "") };
      case "/api/act": {
        if (!this.#mayAct(request)) throw storageError("unauthenticated", "sign in first");
        return { body: { said: await this.#desk.act(parseAction(await bodyOf(request)), from) } };
      }
      default:
        return undefined;
    }
  }

  #mayAct(request: IncomingMessage): boolean {
    return isHostOfTheCluster(request) || this.#desk.mayAct(tokenOf(request));
  }
}

/** A browser adds neither to what another page has it send. */
function requireOwnPage({ headers }: IncomingMessage): void {
  const isJson = headers["content-type"]?.startsWith("application/json") === true;
  const { origin, host } = headers;
  if (isJson && (origin === undefined || origin.replace(/^https?:\/\//, "") === host)) return;
  throw storageError("access_denied", "only JSON from this page itself");
}

function isPrivate({ socket }: IncomingMessage): boolean {
  return (
    socket instanceof TLSSocket || /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/.test(socket.remoteAddress ?? "")
  );
}

/** Its certificate was checked against the authority of the cluster when it connected. */
function isHostOfTheCluster({ socket }: IncomingMessage): boolean {
  return socket instanceof TLSSocket && socket.authorized;
}

function tokenOf({ headers }: IncomingMessage): string {
  return new RegExp(`(?:^|; )${COOKIE}=([0-9a-f]+)`).exec(headers.cookie ?? "")?.[1] ?? "";
}

function cookie({ socket }: IncomingMessage, token: string): string {
  const seconds = token === "" ? 0 : SIGN_IN_MS / 1000;
  const secure = socket instanceof TLSSocket ? "; Secure" : "";
  return `${COOKIE}=${token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure}`;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += (part as Buffer).length;
    if (size > BODY_BYTES_MAX) throw storageError("invalid", "that is too long");
    parts.push(part as Buffer);
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString());
  } catch (error) {
    throw storageError("invalid", "that is no JSON", error);
  }
}
