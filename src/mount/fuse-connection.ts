import { assert, storageError } from "../base/index.js";
import type { Logger, RequestTimes } from "../telemetry/index.js";
import { refusalOf } from "./core/refusal.js";
import { DirectoryLocks } from "./directory-locks.js";
import type { FuseDevice, MessageFate } from "./fuse-device.js";
import type { FileSystemRequest, FuseHandler, KernelCache } from "./fuse-handler.js";
import { decodeRequest, type UnreadableRequest } from "./fuse-wire/decode-request.js";
import { encodeReply, errorReply } from "./fuse-wire/encode-reply.js";
import { ERRNO_NUMBERS } from "./fuse-wire/errno.js";
import {
  encodeInitReply,
  encodeMajorReply,
  FUSE_MAJOR,
  type InitWishes,
  type Negotiated,
  negotiate,
} from "./fuse-wire/init.js";
import {
  entryNotification,
  epochNotification,
  inodeNotification,
  storeNotification,
} from "./fuse-wire/notifications.js";
import type { FuseReply } from "./fuse-wire/replies.js";
import type { FuseRequest, RequestOf } from "./fuse-wire/requests.js";
import type { GivingUp } from "./interrupted.js";

/** Writes up to that size are copied, so that their receive buffer is free at once. */
const COPIED_BYTES_MAX = 32 * 1024;
/** Above that many requests or bytes of writes under way, reading slows down. */
const REQUESTS_MAX = 4096;
const WRITE_BYTES_MAX = 256 * 1024 * 1024;
/** Controllers that were not aborted serve the next requests: to make one costs as much as decoding a request. */
const SPARE_CONTROLLERS_MAX = 64;

interface Running {
  readonly request: FileSystemRequest;
  readonly abort: AbortController;
  /** Aborted when it is answered, if anybody asked. */
  over?: AbortController;
}

/**
 * One mounted file system's conversation with the kernel: agreeing on features, handing out requests, delivering
 * answers and interrupts, and notifications. Every request is answered exactly once, whatever the handler does, and none waits
 * for another.
 */
export class FuseConnection implements KernelCache {
  /** Resolves when the kernel and we have agreed; fails if they cannot. */
  readonly agreed: Promise<Negotiated>;
  /** Resolves when the connection is over: unmounted, aborted, or (then with the reason) broken. */
  readonly ended: Promise<Error | undefined>;
  readonly #device: FuseDevice;
  readonly #wishes: InitWishes;
  readonly #log: Logger;
  readonly #givesUp: GivingUp;
  readonly #times: RequestTimes | undefined;
  readonly #running = new Map<number, Running>();
  readonly #locks = new DirectoryLocks();
  readonly #spareControllers: AbortController[] = [];
  #handler: FuseHandler | undefined;
  #negotiated: Negotiated | undefined;
  #writeBytes = 0;
  #isOver = false;
  #agree: (negotiated: Negotiated) => void = () => undefined;
  #disagree: (reason: Error) => void = () => undefined;
  #end: (reason: Error | undefined) => void = () => undefined;

  constructor(
    device: FuseDevice,
    wishes: InitWishes,
    log: Logger,
    givesUp: GivingUp = async () => true,
    times?: RequestTimes,
  ) {
    this.#times = times;
    this.#givesUp = givesUp;
    this.#device = device;
    this.#wishes = wishes;
    this.#log = log;
    this.agreed = new Promise((resolve, reject) => {
      this.#agree = resolve;
      this.#disagree = reject;
    });
    this.agreed.catch(() => undefined);
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Begins to serve. Only after mount(2), for an unmounted device cannot be read. */
  start(handler: FuseHandler): void {
    this.#handler = handler;
    this.#device.start({
      message: (bytes) => this.#message(bytes, handler),
      ended: (error) => this.#over(error),
    });
  }

  /** What is being answered, for counters. */
  get requestsUnderWay(): number {
    return this.#running.size;
  }

  /** Ends the connection: the kernel answers everything with ENOTCONN from now on. */
  close(): void {
    this.#device.close();
    this.#over(undefined);
  }

  async invalidateInode(nodeId: number, offset: number, lengthBytes: number): Promise<void> {
    await this.#notify(inodeNotification(nodeId, offset, lengthBytes));
  }

  async store(nodeId: number, offset: number, data: Uint8Array): Promise<boolean> {
    return this.#notify(storeNotification(nodeId, offset, data));
  }

  async invalidateEntry(parent: number, name: Uint8Array): Promise<void> {
    if (this.#isOver) return;
    const notified = this.#locks.isHeld(parent)
      ? this.#locks.conflict
      : this.#locks.orConflict(parent, this.#notify(entryNotification(parent, name)));
    if ((await notified) === "conflict") await this.incrementEpoch();
  }

  async incrementEpoch(): Promise<boolean> {
    if (this.#negotiated?.hasEpochs !== true) return false;
    return this.#notify(epochNotification());
  }

  async #notify(bytes: Uint8Array): Promise<boolean> {
    if (this.#isOver) return false;
    try {
      return await this.#device.notify(bytes);
    } catch (error) {
      this.#log.error("the kernel did not take a notification", { error });
      return false;
    }
  }

  #message(bytes: Buffer, handler: FuseHandler): MessageFate {
    // The data of great writes stay where they are; everything else is copied out.
    const isGreat = bytes.length > COPIED_BYTES_MAX;
    const message = isGreat ? bytes : Buffer.from(bytes);
    const request = decodeRequest(message, {
      setxattrExtended: this.#negotiated?.setxattrExtended ?? false,
    });
    const kept = isGreat && request.type === "write" ? bytes : undefined;
    if (this.#dispatch(request, handler, kept) && kept !== undefined) return "kept";
    return this.#running.size === 0 ? "done" : "under way";
  }

  /** Whether `kept`, if there is any, is in use from now on. */
  #dispatch(
    request: FuseRequest | UnreadableRequest,
    handler: FuseHandler,
    kept: Buffer | undefined,
  ): boolean {
    switch (request.type) {
      case "unreadable":
        this.#log.error("a request of the kernel cannot be read", {
          opcode: request.opcode,
          reason: request.reason,
        });
        this.#device.reply([errorReply(request.header.unique, ERRNO_NUMBERS.EIO)]);
        return false;
      case "unknown":
        this.#device.reply([errorReply(request.header.unique, ERRNO_NUMBERS.ENOSYS)]);
        return false;
      case "init":
        this.#init(request);
        return false;
      case "interrupt":
        this.#interrupt(request);
        return false;
      case "forget":
        handler.forget(request.items);
        return false;
      case "destroy":
        this.#device.reply([errorReply(request.header.unique, 0)]);
        return false;
      case "notifyReply":
        return false;
      default:
        if (this.#serveAtOnce(request, handler)) return false;
        void this.#serve(request, handler, kept);
        return true;
    }
  }

  #init(request: RequestOf<"init">): void {
    const { unique } = request.header;
    if (request.major > FUSE_MAJOR) {
      this.#device.reply([encodeMajorReply(unique)]);
      return;
    }
    try {
      const negotiated = negotiate(request, this.#wishes);
      this.#negotiated = negotiated;
      this.#device.reply([encodeInitReply(unique, negotiated, this.#wishes)]);
      this.#agree(negotiated);
    } catch (error) {
      this.#device.reply([errorReply(unique, ERRNO_NUMBERS.EPROTO)]);
      this.#disagree(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /**
   * A request that is not there was answered just now (the kernel throws our answer away), or has not been read yet (it
   * sends the interrupt once more).
   */
  #interrupt({ header, target }: RequestOf<"interrupt">): void {
    const running = this.#running.get(target);
    if (running !== undefined) void this.#interrupted(running);
    else this.#device.reply([errorReply(header.unique, ERRNO_NUMBERS.EAGAIN)]);
  }

  /** Who waits for a lock wants to hear of every signal; all others go on waiting as long as they can. */
  async #interrupted(running: Running): Promise<void> {
    const { request, abort } = running;
    if (request.type === "setLock") {
      abort.abort();
      return;
    }
    running.over ??= new AbortController();
    if (await this.#givesUp(request.header.pid, running.over.signal)) abort.abort();
  }

  /** Most questions of `ls -l` or `find` in a tree that is known: all that a request costs beside its answer is saved. */
  #serveAtOnce(request: FileSystemRequest, handler: FuseHandler): boolean {
    const beganMs = this.#times?.begin() ?? 0;
    let reply: FuseReply | undefined;
    try {
      reply = handler.answerAtOnce?.(request);
    } catch (error) {
      reply = this.#refusal(request, error);
    }
    if (reply === undefined) return false;
    this.#deliver(request, reply);
    this.#times?.end(request.type, beganMs);
    return true;
  }

  async #serve(request: FileSystemRequest, handler: FuseHandler, kept: Buffer | undefined): Promise<void> {
    const { unique } = request.header;
    const beganMs = this.#times?.begin() ?? 0;
    const running: Running = { request, abort: this.#spareControllers.pop() ?? new AbortController() };
    const writeBytes = request.type === "write" ? request.data.length : 0;
    this.#running.set(unique, running);
    this.#writeBytes += writeBytes;
    this.#locks.begin(request);
    this.#watchLoad();
    const reply = await this.#answer(running, handler);
    running.over?.abort();
    this.#deliver(request, reply);
    this.#times?.end(request.type, beganMs);
    // A number may be used again as soon as its answer is out.
    if (this.#running.get(unique) === running) this.#running.delete(unique);
    this.#locks.end(request);
    this.#writeBytes -= writeBytes;
    if (kept !== undefined) this.#device.giveBack(kept);
    const isSpare = !running.abort.signal.aborted && running.over === undefined;
    if (isSpare && this.#spareControllers.length < SPARE_CONTROLLERS_MAX)
      this.#spareControllers.push(running.abort);
    this.#watchLoad();
  }

  async #answer({ request, abort }: Running, handler: FuseHandler): Promise<FuseReply> {
    try {
      return await handler.handle(request, abort.signal);
    } catch (error) {
      return this.#refusal(request, error);
    }
  }

  #refusal(request: FileSystemRequest, error: unknown): FuseReply {
    const refusal = refusalOf(error);
    if (refusal !== undefined) return refusal;
    this.#log.error("a request could not be served", { request: request.type, error });
    return { type: "error", errno: "EIO" };
  }

  #deliver(request: FileSystemRequest, reply: FuseReply): void {
    const loan = reply.type === "data" ? reply.loan : undefined;
    assert(loan?.isOver !== true, "bytes of an answer are lent until it is delivered");
    let delivery = this.#device.reply(encodeReply(request, reply));
    if (delivery === "refused") {
      this.#log.error("the kernel refused an answer", { request: request.type, reply: reply.type });
      delivery = this.#device.reply([errorReply(request.header.unique, ERRNO_NUMBERS.EIO)]);
    }
    // The kernel has a copy.
    loan?.end();
    if (delivery !== "delivered") this.#undelivered(reply);
  }

  /** Who asked is gone: what the answer would have given him is taken back. */
  #undelivered(reply: FuseReply): void {
    if (this.#isOver || (reply.type !== "entry" && reply.type !== "created")) return;
    const { nodeId } = reply.entry;
    if (nodeId !== 0) this.#handler?.forget([{ nodeId, lookupCount: 1 }]);
  }

  #watchLoad(): void {
    this.#device.throttle(this.#running.size > REQUESTS_MAX || this.#writeBytes > WRITE_BYTES_MAX);
  }

  #over(error: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const { abort } of this.#running.values()) abort.abort();
    this.#locks.release();
    this.#disagree(storageError("closed", "the file system was unmounted", error));
    this.#end(error);
  }
}
