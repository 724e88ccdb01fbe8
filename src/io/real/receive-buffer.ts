import type { OnReadOpts } from "node:net";
import type { DataHandler } from "../net.js";

/** Small messages are received here, one behind the other; parts that are still in use keep it alive. */
const CHUNK_BYTES = 64 << 10;
/** With less room than this left, a new one is begun. */
const ROOM_BYTES_MIN = 16 << 10;

/**
 * Where a socket's bytes arrive. Node by itself allocates 64 KiB for every read and throws it away: here many small messages share a
 * piece of memory, and long ones arrive where they are wanted at once, without a copy.
 */
export class ReceiveBuffer {
  #receive: DataHandler | undefined;
  #chunk = uninitialized(CHUNK_BYTES);
  #used = 0;
  #wanted: Uint8Array | undefined;

  /** For the options of a new socket. */
  get options(): OnReadOpts {
    return {
      buffer: () => this.#next(),
      callback: (lengthBytes, buffer) => {
        this.#received(buffer.subarray(0, lengthBytes));
        return true;
      },
    };
  }

  /** To be set before the socket reads. */
  set receiver(receive: DataHandler) {
    this.#receive = receive;
  }

  #next(): Uint8Array {
    if (this.#wanted !== undefined) return this.#wanted;
    if (CHUNK_BYTES - this.#used < ROOM_BYTES_MIN) {
      this.#chunk = uninitialized(CHUNK_BYTES);
      this.#used = 0;
    }
    return this.#chunk.subarray(this.#used);
  }

  #received(bytes: Uint8Array): void {
    if (bytes.buffer === this.#chunk.buffer) this.#used += bytes.length;
    this.#wanted = this.#receive?.(bytes);
  }
}

/** Zeroing what will be overwritten would cost as much as filling it. */
function uninitialized(lengthBytes: number): Uint8Array {
  const { buffer, byteOffset } = Buffer.allocUnsafeSlow(lengthBytes);
  return new Uint8Array(buffer, byteOffset, lengthBytes);
}
