import type { AuthorizationTable } from "../../auth/index.js";
import { authorize, isRole } from "../../auth/index.js";
import { fromUtf8, StorageError, storageError, toUtf8 } from "../../base/index.js";
import type { Clock, Connection, Net } from "../../io/index.js";
import { MethodTable } from "../method-table.js";
import { PipeChannel, type PipeEnd } from "../pipe-channel.js";
import type {
  CallOptions,
  Channel,
  Peer,
  Role,
  Rpc,
  RpcListener,
  Service,
  StreamMethod,
  UnaryMethod,
} from "../transport.js";
import { unaryCall } from "../unary-call.js";
import { FRAME, NetPipe } from "./net-pipe.js";

/** Who this process says it is. It is believed. */
export interface ClaimedIdentity {
  readonly clusterId: string;
  readonly hostId: string;
  readonly roles: readonly Role[];
}

export interface NetRpcOptions {
  readonly identity: ClaimedIdentity;
  /** Who may call what is served here; absent: everybody everything. */
  readonly authorization?: AuthorizationTable | undefined;
  /** Default 3 s. */
  readonly connectTimeoutMs?: number | undefined;
}

/**
 * Calls over the byte streams of a `Net`, a connection for each channel: for the simulator and for tests. Peers are
 * believed who they are, but a peer of another cluster is refused as a certificate would.
 */
export class NetRpc implements Rpc {
  readonly #net: Net;
  readonly #clock: Clock;
  readonly #options: NetRpcOptions;
  readonly #pipes = new Set<NetPipe>();

  constructor(net: Net, clock: Clock, options: NetRpcOptions) {
    this.#net = net;
    this.#clock = clock;
    this.#options = options;
  }

  open<Up, Down>(method: StreamMethod<Up, Down>, address: string): Channel<Up, Down> {
    const channel = new PipeChannel<Up, Down>(method.up, method.down);
    const pipe = new NetPipe(this.#clock, nobody(address), channel, {
      onAccept: (body) => {
        pipe.peer = { address, ...readHello(body).identity };
      },
      onGone: () => this.#pipes.delete(pipe),
    });
    channel.attach(pipe);
    pipe.send(FRAME.open, hello(this.#options.identity, method.path));
    pipe.dial(this.#connect(address));
    this.#pipes.add(pipe);
    return channel;
  }

  call<Request, Reply>(
    method: UnaryMethod<Request, Reply>,
    address: string,
    request: Request,
    options: CallOptions,
  ): Promise<Reply> {
    const channel = this.open({ path: method.path, up: method.request, down: method.reply }, address);
    return unaryCall(channel, request, options, this.#clock);
  }

  async serve(address: string, define: (service: Service) => void): Promise<RpcListener> {
    const methods = new MethodTable();
    define(methods);
    return await this.#net.listen(address, (connection) => this.#accept(connection, methods));
  }

  close(): Promise<void> {
    for (const pipe of [...this.#pipes]) pipe.destroy();
    return Promise.resolve();
  }

  #connect(address: string): Promise<Connection> {
    return this.#net.connect(address, { timeoutMs: this.#options.connectTimeoutMs ?? 3000 });
  }

  #accept(connection: Connection, methods: MethodTable): void {
    const pipe = new NetPipe(this.#clock, nobody(connection.remoteAddress), undefined, {
      onOpen: (body) => this.#begin(pipe, body, methods),
    });
    pipe.start(connection);
  }

  #begin(pipe: NetPipe, body: Uint8Array, methods: MethodTable): PipeEnd | undefined {
    try {
      const { path, identity } = readHello(body);
      pipe.peer = { address: pipe.peer.address, ...identity };
      const method = methods.find(path);
      if (method === undefined) throw storageError("unsupported", `${path} is not served here`);
      this.#authorize(path, pipe.peer);
      const { end, begin } = method.open();
      pipe.send(FRAME.accept, hello(this.#options.identity, path));
      end.attach(pipe);
      begin();
      return end;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      pipe.close(error);
      return undefined;
    }
  }

  #authorize(path: string, peer: Peer): void {
    const isStranger = peer.clusterId !== "" && peer.clusterId !== this.#options.identity.clusterId;
    if (isStranger) throw storageError("unauthenticated", "the peer is not of this cluster");
    if (this.#options.authorization !== undefined) authorize(this.#options.authorization, path, peer);
  }
}

function nobody(address: string): Peer {
  return { address, clusterId: "", hostId: "", roles: [] };
}

function hello(identity: ClaimedIdentity, path: string): Uint8Array {
  return toUtf8(JSON.stringify([path, identity.clusterId, identity.hostId, identity.roles]));
}

function readHello(body: Uint8Array): { path: string; identity: ClaimedIdentity } {
  const [path, clusterId, hostId, roles] = parse(body);
  const areTexts = [path, clusterId, hostId].every((text) => typeof text === "string");
  if (
    !areTexts ||
    !Array.isArray(roles) ||
    !roles.every((role) => typeof role === "string" && isRole(role))
  ) {
    throw storageError("malformed", "not an opening of a channel");
  }
  return {
    path: path as string,
    identity: { clusterId: clusterId as string, hostId: hostId as string, roles },
  };
}

function parse(body: Uint8Array): readonly unknown[] {
  try {
    return JSON.parse(fromUtf8(body)) as readonly unknown[];
  } catch (error) {
    throw storageError("malformed", "not an opening of a channel", error);
  }
}
