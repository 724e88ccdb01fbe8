/** How HTTP/2 is tuned, on both ends. Measured with bench/rpc-transport.ts. */

/** What one stream may have on the way: some megabyte messages. Beyond that a receiver that pauses is heeded. */
const STREAM_WINDOW_BYTES = 4 << 20;

/** What a connection may have on the way. */
export const SESSION_WINDOW_BYTES = 16 << 20;

/** HTTP/2's own memory for one connection; a connection that needs more is refused new streams. */
export const SESSION_MEMORY_MB = 128;

export const SETTINGS = {
  enablePush: false,
  initialWindowSize: STREAM_WINDOW_BYTES,
  maxConcurrentStreams: 256,
  maxHeaderListSize: 16 << 10,
} as const;
