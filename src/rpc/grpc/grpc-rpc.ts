import type { AuthorizationTable, Role, TlsMaterial } from "../../auth/index.js";
import type { Clock } from "../../io/index.js";
import type { Logger } from "../../telemetry/index.js";
import { MethodTable } from "../method-table.js";
import { PipeChannel } from "../pipe-channel.js";
import type {
  CallOptions,
  Channel,
  Rpc,
  RpcListener,
  Service,
  StreamMethod,
  UnaryMethod,
} from "../transport.js";
import { unaryCall } from "../unary-call.js";
import { ClientConnections } from "./client-connections.js";
import { GrpcServer } from "./grpc-server.js";
import { Tls } from "./tls.js";

export interface GrpcRpcOptions {
  /** Undefined: a stranger, who may call what is for anyone, and does not know whom it calls. */
  readonly credential: TlsMaterial | undefined;
  /** Who may call what is served here; a method not in the table may be called by nobody. */
  readonly authorization: AuthorizationTable;
  /**
   * What a server must be by its certificate, by service (`pstorage.Metadata`): a host that is only a client cannot
   * pose as an MDS. A service not named may be served by any host of the cluster.
   */
  readonly serverRoles: Readonly<Record<string, readonly Role[]>>;
}

/** gRPC over mutual TLS. Spoken directly on node:http2: docs/decisions/0003-grpc-on-http2.md says why. */
export class GrpcRpc implements Rpc {
  readonly #options: GrpcRpcOptions;
  readonly #tls: Tls;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #connections: ClientConnections;

  constructor(options: GrpcRpcOptions, world: { readonly clock: Clock; readonly log: Logger }) {
    this.#options = options;
    this.#clock = world.clock;
    this.#log = world.log;
    this.#tls = new Tls(options.credential, world.clock);
    this.#connections = new ClientConnections(this.#tls, world.clock);
  }

  open<Up, Down>(method: StreamMethod<Up, Down>, address: string): Channel<Up, Down> {
    return this.#open(method, address, false);
  }

  call<Request, Reply>(
    { path, request: up, reply: down }: UnaryMethod<Request, Reply>,
    address: string,
    request: Request,
    options: CallOptions,
  ): Promise<Reply> {
    return unaryCall(this.#open({ path, up, down }, address, true), request, options, this.#clock);
  }

  async serve(address: string, define: (service: Service) => void): Promise<RpcListener> {
    const methods = new MethodTable();
    define(methods);
    const { authorization } = this.#options;
    const server = new GrpcServer(methods, {
      tls: this.#tls,
      clock: this.#clock,
      log: this.#log,
      authorization,
    });
    await server.listen(address);
    return server;
  }

  /** Listeners are closed by those who opened them. */
  close(): Promise<void> {
    return this.#connections.close();
  }

  #open<Up, Down>(method: StreamMethod<Up, Down>, address: string, isUnary: boolean): Channel<Up, Down> {
    const channel = new PipeChannel<Up, Down>(method.up, method.down);
    this.#connections.begin(address, method.path, this.#serverRoles(method.path), isUnary, channel);
    return channel;
  }

  #serverRoles(path: string): readonly Role[] | undefined {
    const service = path.split("/")[1] ?? "";
    return Object.hasOwn(this.#options.serverRoles, service) ? this.#options.serverRoles[service] : undefined;
  }
}
