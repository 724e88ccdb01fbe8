import { createServer, type Server, type Socket } from "node:net";
import { FlushLedger, type Loss } from "./flush-ledger.js";
import { linesOf } from "./lines-of.js";

/** Longer lines are no lines of ours. */
const LINE_MAX = 200;
const NUMBER = /^\d{1,15}$/;

/**
 * Keeps what clients say they have flushed, on a machine whose power is not cut. Lines from the client: `hello ID`, `found THREAD N`
 * for each of its files, `ready`, then `flushed THREAD N`. Answer to `ready`: a line `lost THREAD FLUSHED FOUND` for each
 * thread that has less than it flushed, then `go` or `stop`.
 */
export class FlushServer {
  readonly #ledger = new FlushLedger();
  readonly #server: Server;
  readonly #say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.#say = say;
    this.#server = createServer((socket) => this.#serve(socket));
  }

  /** Resolves with the port when it listens. */
  async listen(port: number, host?: string): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, resolve);
    });
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  close(): void {
    this.#server.close();
  }

  #serve(socket: Socket): void {
    let client = "";
    const losses: Loss[] = [];
    socket.on("error", () => undefined);
    linesOf(socket).on("line", (line) => {
      const [word = "", ...rest] = line.slice(0, LINE_MAX).split(" ");
      if (word === "hello" && /^[0-9a-f]{16}$/.test(rest[0] ?? "")) {
        client = rest[0] ?? "";
        return;
      }
      const isNumbers = rest.length === 2 && rest.every((text) => NUMBER.test(text));
      const [thread = 0, sequence = 0] = rest.map(Number);
      if (client === "") socket.destroy();
      else if (word === "flushed" && isNumbers) this.#ledger.flushed(client, thread, sequence);
      else if (word === "found" && isNumbers) {
        const loss = this.#ledger.found(client, thread, sequence);
        if (loss !== undefined) losses.push(loss);
      } else if (word === "ready") this.#judge(socket, client, losses);
      else socket.destroy();
    });
  }

  #judge(socket: Socket, client: string, losses: readonly Loss[]): void {
    const from = `${client} (${socket.remoteAddress})`;
    for (const { thread, flushed, found } of losses) {
      this.#say(
        `cache error detected! ${from}: thread ${thread} had flushed ${flushed}, its disk has ${found}`,
      );
      socket.write(`lost ${thread} ${flushed} ${found}\n`);
    }
    if (losses.length === 0) this.#say(`${from}: ${this.#ledger.total(client)} flushes so far, none lost`);
    socket.write(losses.length === 0 ? "go\n" : "stop\n");
  }
}
