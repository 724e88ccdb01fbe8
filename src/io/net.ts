/**
 * Byte streams between processes, as TCP gives them: ordered and whole until the connection breaks, then nothing.
 */
export interface Net {
  /**
   * Resolves when listening; port 0 chooses one. Address is `IP:PORT`, or on a real machine `unix:PATH`, where a socket
   * that nobody listens on any more is replaced.
   */
  listen(address: string, accept: (connection: Connection) => void): Promise<Listener>;
  /** Fails with `unavailable` when nobody answers before the deadline. */
  connect(address: string, options: { readonly timeoutMs: number }): Promise<Connection>;
}

export interface Listener {
  /** `IP:PORT` with the real port. */
  readonly address: string;
  /** Stops accepting, breaks open connections, resolves when all is closed. */
  close(): Promise<void>;
}

/** Takes in received bytes; what it returns is wanted to hold the next ones. */
export type DataHandler = (bytes: Uint8Array) => Uint8Array | undefined;

export interface Connection {
  /** False when more than the high-water mark is waiting to be sent: the caller should wait for `drained`. */
  write(buffers: readonly Uint8Array[]): boolean;
  /** Resolves when it makes sense to write again, and also when the connection closes. */
  drained(): Promise<void>;
  /**
   * Each handler is set once, synchronously after the connection was handed over, and both must be: a connection
   * that nobody reads does not notice its end. The handler may return memory for the next bytes: if they come as a part of
   * that, from its beginning on, nobody has to copy them there.
   */
  onData(handler: DataHandler): void;
  /** Called once, when either side closed or the connection broke. */
  onClose(handler: () => void): void;
  /** Stop and resume reading: back-pressure towards the sender. */
  pause(): void;
  resume(): void;
  /** What was written goes out first, then both sides close. */
  end(): void;
  /** At once; what was not yet sent is lost. */
  destroy(): void;
  readonly remoteAddress: string;
}
