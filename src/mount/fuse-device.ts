/** What became of a request. */
export type MessageFate =
  /** Its buffer is in use until it is given back. */
  | "kept"
  /** This one or others wait for their answers. */
  | "under way"
  /** It is answered, and so are all others. */
  | "done";

/** Who takes the messages of a device. */
export interface MessageConsumer {
  /** One whole request, in a buffer that is the device's: unless it is kept, it is used again as soon as this returns. */
  message(bytes: Buffer): MessageFate;
  /** The last call. Without an error the file system was unmounted or the connection was aborted. */
  ended(error: Error | undefined): void;
}

/** What became of an answer. */
export type Delivery =
  | "delivered"
  /** Nobody waits for it any more: the request was abandoned, or the connection is gone. */
  | "unwanted"
  /** The kernel does not accept it: it was no answer to that request. */
  | "refused";

/** One connection with the kernel: `/dev/fuse` once it is open, or its place in tests. */
export interface FuseDevice {
  /** Begins to read. Once. */
  start(consumer: MessageConsumer): void;
  giveBack(bytes: Buffer): void;
  /** Delivers one message, which may be in several pieces. Never waits. */
  reply(parts: readonly Uint8Array[]): Delivery;
  /**
   * Delivers a notification. The kernel may wait in it for answers of ours, so that it is never done by the thread
   * that gives them. False if the kernel knows nothing of what it is about.
   */
  notify(bytes: Uint8Array): Promise<boolean>;
  /** Whether to read only now and then, since too much is under way. Never wholly stops: interrupts must get through. */
  throttle(isSlow: boolean): void;
  /** Stops reading and closes the device: the connection is over if nobody else has it open. Idempotent. */
  close(): void;
}
