import { type StorageError, storageError } from "../base/index.js";
import type { Clock } from "../io/index.js";
import type { CallOptions, Channel } from "./transport.js";

/** Makes one request over a channel of its own, which it closes. */
export function unaryCall<Request, Reply>(
  channel: Channel<Request, Reply>,
  request: Request,
  options: CallOptions,
  clock: Clock,
): Promise<Reply> {
  const { signal, deadlineMs } = options;
  return new Promise((resolve, reject) => {
    let reply: { readonly value: Reply } | undefined;
    const giveUp = (failure: StorageError): void => channel.close(failure);
    const onAbort = (): void => giveUp(storageError("cancelled", "the caller gave up"));
    const timer = clock.after("rpc.deadline", deadlineMs, () =>
      giveUp(storageError("timed_out", "no answer in time")),
    );
    channel.onMessage((value) => {
      reply ??= { value };
    });
    channel.onClose((failure) => {
      timer.cancel();
      signal?.removeEventListener("abort", onAbort);
      if (failure !== undefined) reject(failure);
      else if (reply !== undefined) resolve(reply.value);
      else reject(storageError("malformed", "the peer closed without an answer"));
    });
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    else sendOrClose(channel, request);
  });
}

/** A request that cannot be encoded is a failure of the call. */
function sendOrClose<Request>(channel: Channel<Request, unknown>, request: Request): void {
  try {
    channel.send(request);
  } catch (error) {
    channel.close(error as StorageError);
  }
}
