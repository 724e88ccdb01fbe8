import type { StorageError } from "../../base/index.js";
import type { Pipe, PipeEnd } from "../pipe-channel.js";
import type { Channel, Codec, MessageParts, Peer } from "../transport.js";

/** Messages that were encoded already, on their way through a channel of another transport. */
export function relayCodec(bytesMax: number): Codec<MessageParts> {
  return {
    bytesMax,
    encode: ({ head }) => head,
    encodeParts: (parts) => parts,
    decode: (head) => ({ head, tail: NOTHING }),
  };
}

/** A channel of another transport as a pipe: where there is no data channel. */
export class RelayPipe implements Pipe {
  readonly #channel: Channel<MessageParts, MessageParts>;

  constructor(channel: Channel<MessageParts, MessageParts>, owner: PipeEnd, onGone: () => void) {
    this.#channel = channel;
    channel.onMessage(({ head }) => owner.receive(head));
    channel.onClose((failure) => {
      onGone();
      owner.ended(failure);
    });
  }

  get peer(): Peer {
    return this.#channel.peer;
  }

  write(head: Uint8Array, tail: Uint8Array): boolean {
    return this.#channel.send({ head, tail });
  }

  drained(): Promise<void> {
    return this.#channel.drained();
  }

  pause(): void {
    this.#channel.pause();
  }

  resume(): void {
    this.#channel.resume();
  }

  close(failure: StorageError | undefined): void {
    this.#channel.close(failure);
  }

  /** The other transport breaks the channel when it is closed itself. */
  destroy(): void {}
}

const NOTHING = new Uint8Array(0);
