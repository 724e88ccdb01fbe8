import { failureOf, storageError } from "../base/index.js";
import type { Clock } from "../io/index.js";
import { CallClient, CHUNK_CHANNEL, type ChunkAnswer, type ChunkCall, type Rpc } from "../rpc/index.js";
import type { ServerLoad } from "./core/replica-choice.js";
import { ClientLoadMeter } from "./load-meter.js";
import { Room, throwIfAborted } from "./waiting.js";

/** Payload on the way to or from one chunk server at a time; more waits. */
const WINDOW_BYTES = 16 << 20;
/** What a request weighs besides its payload. */
const REQUEST_BYTES = 1024;
/** For so long a server that failed is avoided by readers that have a choice. */
const SUSPECT_MS = 5000;
/** Weight of the latest request in the average latency. */
const LATENCY_WEIGHT = 0.1;

type ChunkCalls = CallClient<ChunkCall, ChunkAnswer>;

/** One chunk server, as all files of a client use it: one connection, opened when needed, with a window of bytes. */
export class ChunkClient {
  readonly #rpc: Rpc;
  readonly #clock: Clock;
  readonly #address: string;
  readonly #meter: ClientLoadMeter;
  readonly #window = new Room(WINDOW_BYTES);
  #calls: ChunkCalls | undefined;
  #outstandingCount = 0;
  #latencyMs = 0;
  #suspectUntilMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(rpc: Rpc, clock: Clock, address: string, meter: ClientLoadMeter) {
    this.#rpc = rpc;
    this.#clock = clock;
    this.#address = address;
    this.#meter = meter;
  }

  get load(): ServerLoad {
    return {
      outstandingCount: this.#outstandingCount,
      latencyMs: this.#latencyMs,
      isSuspect: this.#clock.monotonicMs() < this.#suspectUntilMs,
    };
  }

  /**
   * Sends a request once. `weightBytes`: the payload, of the request or of its answer. The deadline counts from when
   * there was room to send it.
   */
  async call(
    call: ChunkCall,
    weightBytes: number,
    deadlineMs: number,
    signal?: AbortSignal,
  ): Promise<ChunkAnswer> {
    const weight = weightBytes + REQUEST_BYTES;
    this.#outstandingCount++;
    try {
      await this.#window.take(weight, signal);
      try {
        return await this.#timed(call, deadlineMs, signal);
      } finally {
        this.#window.give(weight);
      }
    } finally {
      this.#outstandingCount--;
    }
  }

  /** Readers that have a choice leave it alone for a while. */
  suspect(): void {
    this.#suspectUntilMs = this.#clock.monotonicMs() + SUSPECT_MS;
  }

  close(): void {
    this.#isClosed = true;
    this.#calls?.close();
  }

  async #timed(call: ChunkCall, deadlineMs: number, signal: AbortSignal | undefined): Promise<ChunkAnswer> {
    throwIfAborted(signal);
    const beganMs = this.#clock.monotonicMs();
    const answer = await this.#request(call, deadlineMs, signal);
    const tookMs = this.#clock.monotonicMs() - beganMs;
    this.#meter.count(call, answer, tookMs);
    this.#latencyMs =
      this.#latencyMs === 0 ? tookMs : this.#latencyMs + LATENCY_WEIGHT * (tookMs - this.#latencyMs);
    this.#suspectUntilMs = Number.NEGATIVE_INFINITY;
    return answer;
  }

  async #request(call: ChunkCall, deadlineMs: number, signal: AbortSignal | undefined): Promise<ChunkAnswer> {
    try {
      return await this.#connected().request(call, { deadlineMs, signal });
    } catch (error) {
      const code = failureOf(error)?.code;
      const isOurs = this.#isClosed || signal?.aborted === true;
      // The server stopped: to us that is a server that is not there.
      if ((code === "closed" || code === "cancelled") && !isOurs)
        throw storageError("unavailable", "the chunk server stopped", error);
      throw error;
    }
  }

  #connected(): ChunkCalls {
    if (this.#isClosed) throw storageError("closed", "the cluster was closed");
    if (this.#calls !== undefined) return this.#calls;
    const calls: ChunkCalls = new CallClient<ChunkCall, ChunkAnswer>(
      this.#rpc.open(CHUNK_CHANNEL, this.#address),
      this.#clock,
    );
    this.#calls = calls;
    calls.onClose(() => {
      if (this.#calls === calls) this.#calls = undefined;
    });
    return calls;
  }
}

/** The chunk servers a client talks to, by address. */
export class ChunkClients {
  readonly meter = new ClientLoadMeter();
  readonly #rpc: Rpc;
  readonly #clock: Clock;
  readonly #clients = new Map<string, ChunkClient>();

  constructor(rpc: Rpc, clock: Clock) {
    this.#rpc = rpc;
    this.#clock = clock;
  }

  at(address: string): ChunkClient {
    let client = this.#clients.get(address);
    if (client === undefined) {
      client = new ChunkClient(this.#rpc, this.#clock, address, this.meter);
      this.#clients.set(address, client);
    }
    return client;
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }
}
