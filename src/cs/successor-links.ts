import { StorageError } from "../base/index.js";
import type { ChunkReply } from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import { CallClient, CHUNK_CHANNEL, type ChunkAnswer, type ChunkCall, type Rpc } from "../rpc/index.js";
import type { ForwardResult } from "./core/chain-types.js";

/**
 * Streams to other chunk servers, one each, opened when they are needed. Requests to one server arrive in the order
 * they were made; what it cannot take yet waits in the logs of the chunks, which are bounded, so nothing is refused.
 */
export class SuccessorLinks {
  readonly #rpc: Rpc;
  readonly #clock: Clock;
  readonly #clients = new Map<string, CallClient<ChunkCall, ChunkAnswer>>();
  #isClosed = false;

  constructor(rpc: Rpc, clock: Clock) {
    this.#rpc = rpc;
    this.#clock = clock;
  }

  request(address: string, call: ChunkCall, deadlineMs: number, signal?: AbortSignal): Promise<ChunkAnswer> {
    return this.#clientOf(address).request(call, { deadlineMs, signal });
  }

  /** Sends a forwarded change or sync; never rejects. */
  async forward(address: string, call: ChunkCall, deadlineMs: number): Promise<ForwardResult> {
    try {
      const { reply } = await this.request(address, call, deadlineMs);
      return resultOf(reply);
    } catch (error) {
      if (error instanceof StorageError) return { type: "failed", code: error.code };
      throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const client of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  #clientOf(address: string): CallClient<ChunkCall, ChunkAnswer> {
    const known = this.#clients.get(address);
    if (known !== undefined && !known.isClosed) return known;
    const options = { outstandingMax: UNBOUNDED, waitingMax: UNBOUNDED };
    const client = new CallClient<ChunkCall, ChunkAnswer>(
      this.#rpc.open(CHUNK_CHANNEL, address),
      this.#clock,
      options,
    );
    client.onClose(() => {
      if (this.#clients.get(address) === client) this.#clients.delete(address);
    });
    if (this.#isClosed) client.close();
    else this.#clients.set(address, client);
    return client;
  }
}

/** The bound is that of the logs of chunks. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;

function resultOf(reply: ChunkReply): ForwardResult {
  if (reply.type === "done") return { type: "done" };
  if (reply.type === "held") return { type: "held", body: reply.body };
  return { type: "failed", code: "malformed" };
}
