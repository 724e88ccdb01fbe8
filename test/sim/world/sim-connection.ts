import { concatBytes } from "../../../src/base/index.js";
import type { Connection, DataHandler } from "../../../src/io/index.js";
import type { SimNetwork } from "./sim-network.js";
import { type Packet, type PipeTarget, SimPipe } from "./sim-pipe.js";
import type { SimProcess } from "./sim-process.js";

/** Open; we said `end`; over. A closed end answers what still comes with a reset. */
type State = "open" | "ended" | "closed";

export interface ConnectionPlace {
  readonly process: SimProcess;
  readonly localIp: string;
  readonly remoteIp: string;
  readonly remoteAddress: string;
}

/**
 * One end of a simulated TCP connection.
 *
 * Fault model: see `SimNetwork` for the wires. A packet may reset the connection: this end notices at once and what
 * was under way is lost; the other end notices later. Bytes come in other pieces than they were written. When
 * the process dies, its kernel either sends what was written and an end, or cuts it short with a reset. When the
 * host loses power, nobody is told.
 */
export class SimConnection implements Connection, PipeTarget {
  readonly remoteAddress: string;
  readonly #network: SimNetwork;
  readonly #process: SimProcess;
  readonly #place: ConnectionPlace;
  readonly #forget: (connection: SimConnection) => void;
  #peer: SimConnection | undefined;
  #pipe: SimPipe | undefined;
  #state: State = "open";
  /** Arrived and not handed over yet. */
  #inbox: Packet[] = [];
  #inboxBytes = 0;
  #isDelivering = false;
  #isPaused = false;
  #onData: DataHandler | undefined;
  #onClose: (() => void) | undefined;
  #drainWaiters: (() => void)[] = [];

  constructor(network: SimNetwork, place: ConnectionPlace, forget: (connection: SimConnection) => void) {
    this.#network = network;
    this.#process = place.process;
    this.#place = place;
    this.remoteAddress = place.remoteAddress;
    this.#forget = forget;
  }

  /** Joins the two ends; each is used from then on. */
  static join(a: SimConnection, b: SimConnection): void {
    a.#attach(b);
    b.#attach(a);
  }

  /** Bytes that arrived and were not handed over. */
  get inboxBytes(): number {
    return this.#inboxBytes;
  }

  write(buffers: readonly Uint8Array[]): boolean {
    if (this.#state !== "open" || !this.#process.isAlive) return false;
    // A copy: the receiver must never share memory with the sender.
    const bytes = concatBytes(...buffers);
    if (bytes.length === 0) return this.#hasRoom();
    if (this.#network.prng.chance(this.#network.faults.resetRate)) this.#reset("injected");
    else this.#pipe?.send({ type: "data", bytes });
    return this.#hasRoom();
  }

  drained(): Promise<void> {
    if (this.#process.isAlive && (this.#state !== "open" || this.#hasRoom())) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drainWaiters.push(resolve);
    });
  }

  onData(handler: DataHandler): void {
    this.#onData = handler;
    this.#deliver();
  }

  onClose(handler: () => void): void {
    this.#onClose = handler;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliver();
  }

  end(): void {
    if (this.#state !== "open" || !this.#process.isAlive) return;
    this.#state = "ended";
    this.#pipe?.send({ type: "end" });
  }

  destroy(): void {
    if (this.#state === "closed" || !this.#process.isAlive) return;
    this.#pipe?.cutShort({ type: "end" });
    this.#close();
  }

  receive(packet: Packet): void {
    if (this.#state === "closed") {
      if (packet.type !== "reset") this.#answerWithReset();
      return;
    }
    if (packet.type === "reset") {
      this.#pipe?.vanish();
      this.#close();
      return;
    }
    for (const piece of this.#fragments(packet)) this.#inbox.push(piece);
    if (packet.type === "data") this.#inboxBytes += packet.bytes.length;
    this.#deliver();
  }

  /** The other end took bytes out: writers may go on. */
  roomChanged(): void {
    if (this.#drainWaiters.length > 0 && this.#hasRoom()) this.#releaseWaiters();
  }

  /** The process died; its kernel lives and says so. */
  processDied(): void {
    if (this.#state === "closed") return;
    if (this.#network.prng.chance(0.5)) this.#pipe?.cutShort({ type: "reset" });
    else if (this.#state === "open") this.#pipe?.send({ type: "end" });
    this.#state = "closed";
  }

  /** The host died. */
  hostDied(): void {
    this.#state = "closed";
    this.#pipe?.vanish();
  }

  #attach(peer: SimConnection): void {
    const { localIp, remoteIp } = this.#place;
    this.#peer = peer;
    this.#pipe = new SimPipe(this.#network, localIp, remoteIp, peer, () => this.#close());
  }

  /** The kernel does not know the connection any more: after a boot it has no pipe either. */
  #answerWithReset(): void {
    if (this.#pipe?.isGone && this.#peer !== undefined) this.#attach(this.#peer);
    this.#pipe?.send({ type: "reset" });
  }

  #hasRoom(): boolean {
    const waitingBytes = (this.#pipe?.flyingBytes ?? 0) + (this.#peer?.inboxBytes ?? 0);
    return waitingBytes <= this.#network.faults.highWaterMarkBytes;
  }

  #reset(why: string): void {
    this.#network.simulator.note(this.#process.name, `fault: connection reset (${why})`);
    this.#pipe?.cutShort({ type: "reset" });
    this.#close();
  }

  #close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#inbox = [];
    this.#inboxBytes = 0;
    this.#forget(this);
    this.#process.schedule(`net closed ${this.remoteAddress}`, 0, () => this.#onClose?.());
    this.#releaseWaiters();
    this.#peer?.roomChanged();
  }

  /** Hands one piece over per event, so that what it causes runs before the next. */
  #deliver(): void {
    if (this.#isDelivering || this.#inbox.length === 0) return;
    if (this.#isPaused || this.#onData === undefined) return;
    this.#isDelivering = true;
    this.#process.schedule(`net reads ${this.remoteAddress}`, 0, () => {
      this.#isDelivering = false;
      if (!this.#isPaused) this.#handOver(this.#inbox.shift());
      this.#deliver();
    });
  }

  #handOver(packet: Packet | undefined): void {
    if (packet?.type === "end") {
      this.end();
      this.#close();
    }
    if (packet?.type !== "data") return;
    this.#inboxBytes -= packet.bytes.length;
    this.#peer?.roomChanged();
    this.#onData?.(packet.bytes);
  }

  #releaseWaiters(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = [];
    for (const resolve of waiters) this.#process.schedule("net drained", this.#network.latencyMs(), resolve);
  }

  #fragments(packet: Packet): Packet[] {
    const { prng, faults } = this.#network;
    if (packet.type !== "data" || packet.bytes.length < 2 || !prng.chance(faults.fragmentRate))
      return [packet];
    const last = this.#inbox.at(-1);
    if (last?.type === "data" && prng.chance(0.5)) {
      this.#inbox.pop();
      return [{ type: "data", bytes: concatBytes(last.bytes, packet.bytes) }];
    }
    const middle = prng.between(1, packet.bytes.length - 1);
    return [
      { type: "data", bytes: packet.bytes.slice(0, middle) },
      { type: "data", bytes: packet.bytes.slice(middle) },
    ];
  }
}
