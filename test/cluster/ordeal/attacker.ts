import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from "node:http2";
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net";
import { PATIENCE_MS } from "./patience.js";

/** What somebody shows who wants to be let in; nothing at all is possible. */
export interface Papers {
  readonly certPem?: string | undefined;
  readonly keyPem?: string | undefined;
}

const ANSWER_MS = PATIENCE_MS;

/** A gRPC message as it lies on the wire. */
export function framed(message: Uint8Array, announcedBytes = message.length): Uint8Array {
  const bytes = Buffer.alloc(5 + message.length);
  bytes.writeUInt32BE(announcedBytes, 1);
  bytes.set(message, 5);
  return bytes;
}

/** Somebody who knows HTTP/2 and the paths, does not use our client, and asks what he likes. */
export class Attacker {
  readonly #session: ClientHttp2Session;

  constructor(address: string, { certPem, keyPem }: Papers) {
    const papers = certPem === undefined || keyPem === undefined ? {} : { cert: certPem, key: keyPem };
    this.#session = connect(`https://${address}`, { rejectUnauthorized: false, ...papers });
    // Every call hears of it.
    this.#session.on("error", () => undefined);
  }

  /** How the call ends: our code, `ok`, `broken` if the connection went, or `silent` if nothing came. */
  post(path: string, bytes: Uint8Array): Promise<string> {
    if (this.#session.destroyed) return Promise.resolve("broken");
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve("silent"), ANSWER_MS);
      const end = (outcome: string): void => {
        clearTimeout(timer);
        resolve(outcome);
      };
      const look = (headers: IncomingHttpHeaders): void => {
        if (headers["grpc-status"] === "0") end("ok");
        else if (headers["grpc-status"] !== undefined) end(String(headers["pstorage-code"]));
      };
      const stream = this.#session.request({
        ":method": "POST",
        ":path": path,
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream.on("response", look);
      stream.on("trailers", look);
      stream.on("error", () => end("broken"));
      stream.on("close", () => end("broken"));
      stream.resume();
      // Not ended: whoever waits for more must not wait for ever.
      stream.write(bytes);
    });
  }

  close(): void {
    this.#session.destroy();
  }
}

/** Sits between a client and a server, and writes down what the client sends. */
export class Wiretap {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly recordings: Buffer[][] = [];

  constructor(host: string, port: number) {
    this.#server = createServer((client) => {
      const recording: Buffer[] = [];
      this.recordings.push(recording);
      const server = connectTcp(port, host);
      for (const socket of [client, server]) {
        this.#sockets.add(socket);
        socket.on("error", () => undefined);
      }
      client.on("data", (bytes: Buffer) => {
        recording.push(bytes);
        server.write(bytes);
      });
      server.on("data", (bytes: Buffer) => client.write(bytes));
      client.on("close", () => server.destroy());
      server.on("close", () => client.destroy());
    });
  }

  /** Resolves with the address to be dialled instead. */
  listen(): Promise<string> {
    return new Promise((resolve) => {
      this.#server.listen(0, "127.0.0.1", () => {
        const address = this.#server.address();
        resolve(`127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
      });
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

/** Sends the same bytes again. Resolves with how many bytes came back until the server hung up. */
export function replay(host: string, port: number, recording: readonly Buffer[]): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    const socket = connectTcp(port, host, () => socket.write(Buffer.concat(recording)));
    socket.on("data", (bytes: Buffer) => {
      count += bytes.length;
    });
    socket.on("error", () => undefined);
    socket.setTimeout(ANSWER_MS, () => {
      socket.destroy();
      reject(new Error("the server listens to a replayed connection"));
    });
    socket.on("close", () => resolve(count));
  });
}
