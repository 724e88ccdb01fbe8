import { assert, StorageError } from "../base/index.js";
import { PipeChannel, type PipeEnd } from "./pipe-channel.js";
import type { Channel, Peer, Service, StreamMethod, UnaryMethod } from "./transport.js";

/** How to serve one method. */
export interface ServedMethod {
  readonly path: string;
  readonly isUnary: boolean;
  /** The channel of one call, and what begins to serve it once a pipe is attached. */
  open(): { readonly end: PipeEnd; begin(): void };
}

/** What a server offers, by path: the same for all transports. */
export class MethodTable implements Service {
  readonly #methods = new Map<string, ServedMethod>();

  find(path: string): ServedMethod | undefined {
    return this.#methods.get(path);
  }

  stream<Up, Down>(method: StreamMethod<Up, Down>, accept: (channel: Channel<Down, Up>) => void): void {
    this.#add(method.path, false, () => {
      const channel = new PipeChannel<Down, Up>(method.down, method.up);
      return { end: channel, begin: () => accept(channel) };
    });
  }

  unary<Request, Reply>(
    method: UnaryMethod<Request, Reply>,
    handle: (request: Request, peer: Peer) => Promise<Reply>,
  ): void {
    this.#add(method.path, true, () => {
      const channel = new PipeChannel<Reply, Request>(method.reply, method.request);
      return { end: channel, begin: () => serveUnary(channel, handle) };
    });
  }

  #add(path: string, isUnary: boolean, open: ServedMethod["open"]): void {
    assert(!this.#methods.has(path), "a method is defined once");
    this.#methods.set(path, { path, isUnary, open });
  }
}

/** One request, one reply, and the channel is closed. */
function serveUnary<Request, Reply>(
  channel: Channel<Reply, Request>,
  handle: (request: Request, peer: Peer) => Promise<Reply>,
): void {
  let isAnswering = false;
  const answer = async (request: Request): Promise<void> => {
    try {
      channel.send(await handle(request, channel.peer));
      channel.close();
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      channel.close(error);
    }
  };
  channel.onMessage((request) => {
    if (isAnswering) return;
    isAnswering = true;
    void answer(request);
  });
}
