import { storageError } from "../../../src/base/index.js";
import type { Connection, Listener, Net } from "../../../src/io/index.js";
import { SimConnection } from "./sim-connection.js";
import type { SimNetwork } from "./sim-network.js";
import type { SimProcess } from "./sim-process.js";

const LOOPBACK_IP = "127.0.0.1";
const EPHEMERAL_PORT_MIN = 32_768;
/** A kernel asks again after so long. */
const SYN_RETRY_MS = 1_000;

/** Ports of a host, handed out over all lives of its process, so that an old address never means a new listener. */
export interface PortCounter {
  next: number;
}

/**
 * The network as one life of a process sees it.
 *
 * Fault model: connecting to a host without power or over a cut way (in either direction) stays unanswered until
 * the deadline; a host that is up but does not listen there refuses. A listener whose process is stopped still
 * accepts: its kernel does. The rest is told in `SimConnection` and `SimNetwork`.
 */
export class SimNet implements Net {
  readonly #network: SimNetwork;
  readonly #process: SimProcess;
  readonly #ip: string;
  readonly #ports: PortCounter;
  readonly #listeners = new Map<number, SimListener>();
  readonly #connections = new Set<SimConnection>();

  constructor(network: SimNetwork, process: SimProcess, ip: string, ports: PortCounter) {
    this.#network = network;
    this.#process = process;
    this.#ip = ip;
    this.#ports = ports;
  }

  listen(address: string, accept: (connection: Connection) => void): Promise<Listener> {
    return this.#later("net listens", () => {
      const { ip, port: wanted } = parseAddress(address);
      if (ip !== this.#ip && ip !== LOOPBACK_IP && ip !== "0.0.0.0") {
        throw storageError("unavailable", `cannot listen on ${address}: EADDRNOTAVAIL`);
      }
      const port = wanted === 0 ? this.nextPort() : wanted;
      if (this.#listeners.has(port)) {
        throw storageError("unavailable", `cannot listen on ${address}: EADDRINUSE`);
      }
      const listener = new SimListener(`${ip}:${port}`, accept, () => {
        this.#listeners.delete(port);
        return this.#later("net listener closed", () => undefined);
      });
      this.#listeners.set(port, listener);
      return listener;
    });
  }

  connect(address: string, options: { readonly timeoutMs: number }): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const { ip, port } = parseAddress(address);
      const targetIp = ip === LOOPBACK_IP ? this.#ip : ip;
      const fail = (reason: string): void => {
        if (attempt.isOver) return;
        attempt.isOver = true;
        timer.cancel();
        reject(storageError("unavailable", `cannot connect to ${address}: ${reason}`));
      };
      const timer = this.#process.schedule("net connect deadline", options.timeoutMs, () =>
        fail("no answer"),
      );
      const succeed = (connection: SimConnection): void => {
        attempt.isOver = true;
        timer.cancel();
        resolve(connection);
      };
      const attempt: Attempt = { address, targetIp, port, isOver: false, fail, succeed };
      this.#knock(attempt);
    });
  }

  /** Somebody knocks: the listener there, if there is one. */
  listenerAt(port: number): SimListener | undefined {
    return this.#listeners.get(port);
  }

  /** One end of a connection, not joined yet. `others` are those that close with a listener. */
  makeEnd(remoteIp: string, remoteAddress: string, others?: Set<SimConnection>): SimConnection {
    const place = { process: this.#process, localIp: this.#ip, remoteIp, remoteAddress };
    const connection = new SimConnection(this.#network, place, (closed) => {
      this.#connections.delete(closed);
      others?.delete(closed);
    });
    this.#connections.add(connection);
    others?.add(connection);
    return connection;
  }

  /** Hands a joined connection to the listener. */
  accept(listener: SimListener, connection: SimConnection): void {
    this.#process.dispatch("net accepts", () => listener.accept(connection));
  }

  nextPort(): number {
    const port = this.#ports.next++;
    return EPHEMERAL_PORT_MIN + (port % (65_536 - EPHEMERAL_PORT_MIN));
  }

  processDied(): void {
    for (const connection of this.#connections) connection.processDied();
    this.#listeners.clear();
  }

  hostDied(): void {
    for (const connection of this.#connections) connection.hostDied();
    this.#listeners.clear();
  }

  #knock(attempt: Attempt): void {
    const { simulator } = this.#network;
    const { targetIp } = attempt;
    const what = `net connect from ${this.#process.name}`;
    simulator.schedule(this.#network.nameOf(targetIp), what, this.#network.latencyMs(), () => {
      if (attempt.isOver || !this.#process.isAlive) return;
      const isOpen = this.#network.isOpen(this.#ip, targetIp) && this.#network.isOpen(targetIp, this.#ip);
      if (isOpen) this.#answer(attempt);
      else
        simulator.schedule(this.#process.name, "net connects again", SYN_RETRY_MS, () =>
          this.#knock(attempt),
        );
    });
  }

  #answer(attempt: Attempt): void {
    const { targetIp, port, address } = attempt;
    const target = this.#network.netOf(targetIp);
    const listener = target?.listenerAt(port);
    const backMs = this.#network.latencyMs();
    if (target === undefined || listener === undefined) {
      this.#process.schedule("net connect refused", backMs, () => attempt.fail("ECONNREFUSED"));
      return;
    }
    const ours = this.makeEnd(targetIp, address);
    const theirs = target.makeEnd(this.#ip, `${this.#ip}:${this.nextPort()}`, listener.connections);
    SimConnection.join(ours, theirs);
    target.accept(listener, theirs);
    this.#process.schedule("net connected", backMs, () => {
      if (attempt.isOver) ours.destroy();
      else attempt.succeed(ours);
    });
  }

  /** The kernel's answer, in an event of its own. */
  #later<T>(what: string, act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#process.schedule(what, 0, () => {
        try {
          resolve(act());
        } catch (error) {
          reject(error);
        }
      });
    });
  }
}

interface Attempt {
  readonly address: string;
  readonly targetIp: string;
  readonly port: number;
  isOver: boolean;
  readonly fail: (reason: string) => void;
  readonly succeed: (connection: SimConnection) => void;
}

class SimListener implements Listener {
  readonly address: string;
  readonly connections = new Set<SimConnection>();
  readonly accept: (connection: Connection) => void;
  readonly #stop: () => Promise<void>;
  #closing: Promise<void> | undefined;

  constructor(address: string, accept: (connection: Connection) => void, stop: () => Promise<void>) {
    this.address = address;
    this.accept = accept;
    this.#stop = stop;
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      for (const connection of [...this.connections]) connection.destroy();
      this.#closing = this.#stop();
    }
    return this.#closing;
  }
}

function parseAddress(address: string): { ip: string; port: number } {
  const match = /^([^:]+):(\d{1,5})$/.exec(address);
  const [, ip, port] = match ?? [];
  if (ip === undefined || port === undefined) throw storageError("invalid", `"${address}" is not IP:PORT`);
  return { ip, port: Number(port) };
}
