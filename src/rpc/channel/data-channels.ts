import { type Failure, failureOf, storageError } from "../../base/index.js";
import type { Connection } from "../../io/index.js";
import { MESSAGE_BYTES_MAX } from "../codec.js";
import { openDataChannel } from "../data-channel-methods.js";
import type { DataChannelGrant } from "../gen/messages.js";
import { MethodTable } from "../method-table.js";
import { type Pipe, PipeChannel, type PipeEnd } from "../pipe-channel.js";
import type {
  CallOptions,
  Channel,
  MessageParts,
  Peer,
  Rpc,
  RpcListener,
  Service,
  StreamMethod,
  UnaryMethod,
} from "../transport.js";
import { unaryCall } from "../unary-call.js";
import { encodeGreeting } from "./data-greeting.js";
import { DataListener, type DataListenerWorld } from "./data-listener.js";
import { DataPipe } from "./data-pipe.js";
import { Opener, type Protection, Sealer } from "./data-seal.js";
import { DialingPipe } from "./dialing-pipe.js";
import { RelayPipe, relayCodec } from "./relay-pipe.js";

const GRANT_TIMEOUT_MS = 3000;
/** Time for one repetition: a firewall that swallows everything must not hold up an election for long. */
const CONNECT_TIMEOUT_MS = 1500;
/** Where a data channel could not be had it is not tried again for that long. */
const PORTABLE_MS = 60_000;

/** A stream method that goes over data channels. */
export interface DataMethod {
  readonly path: string;
  /** Where to listen for callers on the same host; without it they come by TCP. */
  readonly socketPath?: string | undefined;
  /**
   * Between hosts it stays on the other transport: sealing a record costs more than gRPC does for a message of a hundred
   * bytes (docs/benchmarks.md). Default: no.
   */
  readonly isLocalOnly?: boolean | undefined;
}

export interface DataChannelOptions {
  /** No two of one service. */
  readonly methods: readonly DataMethod[];
  /** Between hosts; default `authenticated`. */
  readonly protection?: Exclude<Protection, "plain"> | undefined;
  /** Of those who see the same files: servers among them are reached by unix sockets, by their paths. */
  readonly filesId: string;
}

/**
 * Calls as another transport makes them, but some stream methods go over data channels: connections of their own, made
 * and keyed by a call of that transport. If one cannot be had (a firewall, a peer that has none), they go over the
 * other transport as well.
 */
export class DataChannels implements Rpc {
  readonly #rpc: Rpc;
  readonly #world: DataListenerWorld;
  readonly #options: DataChannelOptions;
  readonly #pipes = new Set<Pipe>();
  /** Address to the time until which it is called over the other transport. */
  readonly #portableUntilMs = new Map<string, number>();

  constructor(rpc: Rpc, world: DataListenerWorld, options: DataChannelOptions) {
    this.#rpc = rpc;
    this.#world = world;
    this.#options = options;
  }

  open<Up, Down>(method: StreamMethod<Up, Down>, address: string): Channel<Up, Down> {
    const isPortable = (this.#portableUntilMs.get(address) ?? 0) > this.#world.clock.monotonicMs();
    if (!isPortable) this.#portableUntilMs.delete(address);
    const data = this.#options.methods.find(({ path }) => path === method.path);
    if (data === undefined || isPortable) return this.#rpc.open(method, address);
    const channel = new PipeChannel<Up, Down>(method.up, method.down);
    const bytesMax = Math.max(method.up.bytesMax ?? 0, method.down.bytesMax ?? 0, MESSAGE_BYTES_MAX);
    const onGone = (): void => void this.#pipes.delete(pipe);
    const dialing = this.#dial({ method: data, address, owner: channel, bytesMax, onGone });
    const pipe: Pipe = new DialingPipe(channel, nobody(address), dialing);
    this.#pipes.add(pipe);
    channel.attach(pipe);
    return channel;
  }

  call<Request, Reply>(
    method: UnaryMethod<Request, Reply>,
    address: string,
    request: Request,
    options: CallOptions,
  ): Promise<Reply> {
    return this.#rpc.call(method, address, request, options);
  }

  async serve(address: string, define: (service: Service) => void): Promise<RpcListener> {
    const own = new MethodTable();
    const { methods, filesId } = this.#options;
    const served: { readonly data: DataListener; readonly method: DataMethod }[] = [];
    const listener = await this.#rpc.serve(address, (service) => {
      define({
        stream: (method, accept) => {
          service.stream(method, accept);
          own.stream(method, accept);
        },
        unary: (method, handle) => service.unary(method, handle),
      });
      for (const method of methods) {
        const handler = own.find(method.path);
        if (handler === undefined) continue;
        const data = new DataListener(this.#world, handler);
        served.push({ data, method });
        service.unary(openDataChannel(method.path), async (request, peer) =>
          data.grant(peer, request.bootId !== "" && request.bootId === filesId),
        );
      }
    });
    const host = hostOf(listener.address);
    await Promise.all(
      served.map(({ data, method: { socketPath, isLocalOnly } }) =>
        data.listen(isLocalOnly === true ? undefined : host, socketPath),
      ),
    );
    return {
      address: listener.address,
      close: async () => {
        await Promise.all(served.map(({ data }) => data.close()));
        await listener.close();
      },
    };
  }

  async close(): Promise<void> {
    for (const pipe of [...this.#pipes]) pipe.destroy();
    await this.#rpc.close();
  }

  async #dial(dial: Dial): Promise<MadePipe> {
    const { address, onGone } = dial;
    const { clock, log } = this.#world;
    try {
      // As a stream, whose peer is known.
      const { path, request, reply } = openDataChannel(dial.method.path);
      const asking = this.#rpc.open({ path, up: request, down: reply }, address);
      const body = { bootId: this.#options.filesId };
      const grant = await unaryCall(asking, body, { deadlineMs: GRANT_TIMEOUT_MS }, clock);
      return await this.#connect(dial, grant, asking.peer);
    } catch (error) {
      const failure = failureOf(error);
      // If not even the call came through, the other transport will not either.
      if (failure === undefined || !isChannelMissing(failure)) {
        onGone();
        throw error;
      }
      const level = dial.method.isLocalOnly === true ? "debug" : "info";
      log[level]("no data channel", { address, path: dial.method.path, reason: failure.detail });
      this.#portableUntilMs.set(address, clock.monotonicMs() + PORTABLE_MS);
      return this.#relay(dial);
    }
  }

  #relay({ method: { path }, address, owner, bytesMax, onGone }: Dial): MadePipe {
    const codec = relayCodec(bytesMax);
    const channel = this.#rpc.open<MessageParts, MessageParts>({ path, up: codec, down: codec }, address);
    return { pipe: new RelayPipe(channel, owner, onGone), begin: () => undefined };
  }

  async #connect(dial: Dial, grant: DataChannelGrant, peer: Peer): Promise<MadePipe> {
    const { connection, protection } = await this.#reach(dial, grant);
    const { owner, onGone } = dial;
    connection.write([encodeGreeting({ protection, channelId: grant.channelId })]);
    const seals = {
      protection,
      sealer: new Sealer(grant.keyUp, protection),
      opener: new Opener(grant.keyDown, protection),
    };
    const pipe = new DataPipe(this.#world.clock, peer, connection, owner, seals, onGone);
    connection.onClose(() => pipe.disconnected());
    return {
      pipe,
      begin: () => {
        pipe.start();
        connection.onData((bytes) => pipe.received(bytes));
      },
    };
  }

  async #reach(
    { address, method }: Dial,
    { port, socketPath }: DataChannelGrant,
  ): Promise<{ connection: Connection; protection: Protection }> {
    const { net } = this.#world;
    const timing = { timeoutMs: CONNECT_TIMEOUT_MS };
    if (socketPath !== "") {
      try {
        return { connection: await net.connect(`unix:${socketPath}`, timing), protection: "plain" };
      } catch (error) {
        // As where a directory is mounted for some processes only.
        if (failureOf(error) === undefined) throw error;
      }
    }
    if (method.isLocalOnly === true || port === 0)
      throw storageError("unsupported", "data channels for this method are for callers on the same host");
    try {
      const connection = await net.connect(`${hostOf(address)}:${port}`, timing);
      return { connection, protection: this.#options.protection ?? "authenticated" };
    } catch (error) {
      throw storageError("unsupported", `no connection to port ${port} for data channels`, error);
    }
  }
}

/** A channel that is being made. */
interface Dial {
  readonly method: DataMethod;
  readonly address: string;
  readonly owner: PipeEnd;
  readonly bytesMax: number;
  readonly onGone: () => void;
}

interface MadePipe {
  readonly pipe: Pipe;
  begin(): void;
}

function nobody(address: string): Peer {
  return { address, clusterId: "", hostId: "", roles: [] };
}

/** A peer of an older version knows nobody who may ask for one; who may not call the method will hear so from itself. */
function isChannelMissing({ code }: Failure): boolean {
  return code === "unsupported" || code === "busy" || code === "unauthorized";
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}
