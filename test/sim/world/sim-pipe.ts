import { BoundedQueue } from "../../../src/base/index.js";
import type { SimNetwork, Stuck } from "./sim-network.js";

/** What travels: bytes, the orderly end of one direction, or the news that the connection is gone. */
export type Packet =
  | { readonly type: "data"; readonly bytes: Uint8Array }
  | { readonly type: "end" }
  | { readonly type: "reset" };

/** Where packets come out. */
export interface PipeTarget {
  receive(packet: Packet): void;
}

interface Flying {
  readonly packet: Packet;
  readonly arriveAtMs: number;
}

/** A stream of packets is not unbounded, even when its owner ignores back-pressure. */
const PACKET_COUNT_MAX = 1_000_000;

/**
 * One direction of a connection, as the kernels of both hosts carry it: in order, held while the way is cut, given
 * up after too long. It goes on when the process that wrote has died, but not when its host has.
 */
export class SimPipe implements Stuck {
  readonly #network: SimNetwork;
  readonly #fromIp: string;
  readonly #toIp: string;
  readonly #target: PipeTarget;
  readonly #giveUp: () => void;
  #flying = new BoundedQueue<Flying>(PACKET_COUNT_MAX);
  #head: Flying | undefined;
  #flyingBytes = 0;
  #lastDepartMs = 0;
  #lastArriveMs = 0;
  #timer: { cancel(): void } | undefined;
  #giveUpTimer: { cancel(): void } | undefined;
  /** Something arrived while the way back was cut: the sender does not know it. */
  #isUnacknowledged = false;
  #isStuck = false;
  #isGone = false;

  constructor(network: SimNetwork, fromIp: string, toIp: string, target: PipeTarget, giveUp: () => void) {
    this.#network = network;
    this.#fromIp = fromIp;
    this.#toIp = toIp;
    this.#target = target;
    this.#giveUp = giveUp;
  }

  /** Nothing that is sent here arrives any more. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Bytes that were sent and have not arrived. */
  get flyingBytes(): number {
    return this.#flyingBytes;
  }

  send(packet: Packet): void {
    if (this.#isGone) return;
    const { simulator, faults } = this.#network;
    const bytes = sizeOf(packet);
    this.#lastDepartMs = Math.max(simulator.nowMs, this.#lastDepartMs) + bytes / faults.bytesPerMs;
    this.#lastArriveMs = Math.max(this.#lastArriveMs, this.#lastDepartMs + this.#network.latencyMs());
    const flying = { packet, arriveAtMs: this.#lastArriveMs };
    this.#flyingBytes += bytes;
    if (this.#head !== undefined) {
      this.#flying.push(flying);
      return;
    }
    this.#head = flying;
    this.#fly();
  }

  /** Drops the last of what is under way, from a random packet on, and ends with this one. */
  cutShort(last: Packet): void {
    const rest = this.#flying.drain();
    const kept = rest.slice(0, this.#network.prng.between(0, rest.length));
    this.#flyingBytes =
      sizeOf(this.#head?.packet) + kept.reduce((sum, { packet }) => sum + sizeOf(packet), 0);
    for (const flying of kept) this.#flying.push(flying);
    this.send(last);
  }

  /** Nothing arrives any more. */
  vanish(): void {
    this.#isGone = true;
    this.#flying.drain();
    this.#head = undefined;
    this.#flyingBytes = 0;
    this.#timer?.cancel();
    this.#settle();
  }

  retry(): void {
    if (this.#isUnacknowledged && this.#isBackOpen()) this.#isUnacknowledged = false;
    if (this.#isStuck && this.#isOpen()) {
      this.#isStuck = false;
      // What was held is sent again, and needs its time again.
      this.#fly(this.#network.latencyMs());
    }
    if (!this.#isStuck && !this.#isUnacknowledged) this.#settle();
  }

  #isOpen(): boolean {
    return this.#network.isOpen(this.#fromIp, this.#toIp);
  }

  #isBackOpen(): boolean {
    return this.#network.isOpen(this.#toIp, this.#fromIp);
  }

  #fly(againMs = 0): void {
    const { simulator } = this.#network;
    const head = this.#head;
    if (head === undefined) return;
    const delayMs = Math.max(head.arriveAtMs - simulator.nowMs, againMs);
    this.#lastArriveMs = Math.max(this.#lastArriveMs, simulator.nowMs + delayMs);
    const what = `net ${head.packet.type} ${sizeOf(head.packet)} bytes from ${this.#network.nameOf(this.#fromIp)}`;
    this.#timer = simulator.schedule(this.#network.nameOf(this.#toIp), what, delayMs, () =>
      this.#arrive(head),
    );
  }

  #arrive(head: Flying): void {
    if (!this.#isOpen()) {
      this.#isStuck = true;
      this.#wait();
      return;
    }
    this.#flyingBytes -= sizeOf(head.packet);
    this.#head = this.#flying.shift();
    if (!this.#isBackOpen()) {
      this.#isUnacknowledged = true;
      this.#wait();
    }
    this.#target.receive(head.packet);
    if (!this.#isGone) this.#fly();
  }

  /** The sender hears nothing: it gives up in a while. */
  #wait(): void {
    if (this.#giveUpTimer !== undefined) return;
    const { simulator, faults } = this.#network;
    this.#network.remember(this);
    const what = `net gives up ${this.#network.nameOf(this.#toIp)}`;
    const node = this.#network.nameOf(this.#fromIp);
    this.#giveUpTimer = simulator.schedule(node, what, faults.giveUpMs, () => {
      this.vanish();
      this.#giveUp();
    });
  }

  #settle(): void {
    this.#giveUpTimer?.cancel();
    this.#giveUpTimer = undefined;
    this.#network.forget(this);
  }
}

function sizeOf(packet: Packet | undefined): number {
  return packet?.type === "data" ? packet.bytes.length : 0;
}
