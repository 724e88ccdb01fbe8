import { concatBytes, failureOf, storageError, toHex } from "../../base/index.js";
import type { Clock, Connection, Listener, Net, Random, Timer } from "../../io/index.js";
import type { Logger } from "../../telemetry/index.js";
import type { DataChannelGrant } from "../gen/messages.js";
import type { ServedMethod } from "../method-table.js";
import type { Peer } from "../transport.js";
import { CHANNEL_ID_BYTES, decodeGreeting, GREETING_BYTES } from "./data-greeting.js";
import { DataPipe } from "./data-pipe.js";
import { KEY_BYTES, Opener, type Protection, Sealer } from "./data-seal.js";

/** A grant that is not used within that time is void. */
const GRANT_MS = 10_000;
const GRANT_COUNT_MAX = 1024;
/** A connection says its greeting within that time. */
const GREETING_MS = 5000;
/**
 * Connections that have not said their greeting. For one more the oldest goes: who was granted a channel greets at once,
 * so nobody can keep others out by being silent.
 */
const STRANGER_COUNT_MAX = 64;

interface Grant {
  readonly peer: Peer;
  readonly keyUp: Uint8Array;
  readonly keyDown: Uint8Array;
  readonly timer: Timer;
}

export interface DataListenerWorld {
  readonly clock: Clock;
  readonly net: Net;
  readonly random: Random;
  readonly log: Logger;
}

/**
 * Accepts data channels. Who may open one has asked for it over mutual TLS and was given its secret id and keys; a
 * connection that does not know them gets nothing.
 */
export class DataListener {
  readonly #world: DataListenerWorld;
  readonly #method: ServedMethod;
  readonly #grants = new Map<string, Grant>();
  readonly #pipes = new Set<DataPipe>();
  #listeners: Listener[] = [];
  #socketPath = "";
  #port = 0;
  /** The oldest first. */
  readonly #strangers = new Set<Connection>();

  constructor(world: DataListenerWorld, method: ServedMethod) {
    this.#world = world;
    this.#method = method;
  }

  /**
   * `host`: the address for callers from everywhere, on a port of its own. `socketPath`: of a unix socket for callers on
   * the same host. Either may be missing.
   */
  async listen(host: string | undefined, socketPath: string | undefined): Promise<void> {
    const { net, log } = this.#world;
    if (host !== undefined) {
      const tcp = await net.listen(`${host}:0`, (connection) => this.#accept(connection, false));
      this.#listeners.push(tcp);
      this.#port = Number(tcp.address.split(":").at(-1));
    }
    if (socketPath === undefined) return;
    try {
      this.#listeners.push(
        await net.listen(`unix:${socketPath}`, (connection) => this.#accept(connection, true)),
      );
      this.#socketPath = socketPath;
    } catch (error) {
      if (failureOf(error) === undefined) throw error;
      log.info("no unix socket for data channels", { socketPath, reason: failureOf(error)?.detail });
    }
  }

  grant(peer: Peer, isSameHost: boolean): DataChannelGrant {
    const { clock, random } = this.#world;
    const socketPath = isSameHost ? this.#socketPath : "";
    if (this.#port === 0 && socketPath === "")
      throw storageError("unsupported", "data channels for this method are for callers on the same host");
    if (this.#grants.size >= GRANT_COUNT_MAX)
      throw storageError("busy", "too many data channels are being opened");
    const channelId = random.bytes(CHANNEL_ID_BYTES);
    const [keyUp, keyDown] = [random.bytes(KEY_BYTES), random.bytes(KEY_BYTES)];
    const key = toHex(channelId);
    const timer = clock.after("rpc.data.grant", GRANT_MS, () => this.#grants.delete(key));
    this.#grants.set(key, { peer, keyUp, keyDown, timer });
    return { channelId, port: this.#port, socketPath, keyUp, keyDown };
  }

  async close(): Promise<void> {
    for (const { timer } of this.#grants.values()) timer.cancel();
    this.#grants.clear();
    for (const pipe of [...this.#pipes]) pipe.destroy();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    this.#listeners = [];
  }

  #accept(connection: Connection, isLocal: boolean): void {
    const [oldest] = this.#strangers;
    if (this.#strangers.size >= STRANGER_COUNT_MAX) oldest?.destroy();
    this.#strangers.add(connection);
    const timer = this.#world.clock.after("rpc.data.greeting", GREETING_MS, () => connection.destroy());
    const known = (): void => {
      this.#strangers.delete(connection);
      timer.cancel();
    };
    let received: Uint8Array = new Uint8Array(0);
    let pipe: DataPipe | undefined;
    connection.onClose(() => {
      known();
      pipe?.disconnected();
    });
    connection.onData((bytes) => {
      if (pipe !== undefined) return pipe.received(bytes);
      received = concatBytes(received, bytes);
      if (received.length < GREETING_BYTES || !this.#strangers.has(connection)) return undefined;
      known();
      pipe = this.#greeted(connection, received, isLocal);
      return undefined;
    });
  }

  #greeted(connection: Connection, received: Uint8Array, isLocal: boolean): DataPipe | undefined {
    try {
      const { protection, channelId } = decodeGreeting(received.subarray(0, GREETING_BYTES));
      const grant = this.#take(channelId, protection, isLocal);
      const { end, begin } = this.#method.open();
      const seals = {
        protection,
        sealer: new Sealer(grant.keyDown, protection),
        opener: new Opener(grant.keyUp, protection),
      };
      const pipe = new DataPipe(this.#world.clock, grant.peer, connection, end, seals, () =>
        this.#pipes.delete(pipe),
      );
      this.#pipes.add(pipe);
      end.attach(pipe);
      begin();
      pipe.start();
      pipe.received(received.subarray(GREETING_BYTES));
      return pipe;
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      const { code, detail } = failure;
      this.#world.log.warn("data channel refused", {
        address: connection.remoteAddress,
        code,
        reason: detail,
      });
      connection.destroy();
      return undefined;
    }
  }

  /** Each grant is good for one connection. */
  #take(channelId: Uint8Array, protection: Protection, isLocal: boolean): Grant {
    if (protection === "plain" && !isLocal) throw storageError("refused", "unsealed records over a network");
    const key = toHex(channelId);
    const grant = this.#grants.get(key);
    if (grant === undefined) throw storageError("unauthenticated", "this data channel was not granted");
    this.#grants.delete(key);
    grant.timer.cancel();
    return grant;
  }
}
