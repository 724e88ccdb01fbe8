import { close, constants, openSync, read, readSync, write, writeSync, writevSync } from "node:fs";
import { connect, type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";
import { storageError } from "../base/index.js";
import { Lookout } from "./core/lookout.js";
import type { Delivery, FuseDevice, MessageConsumer } from "./fuse-device.js";

/** The greatest message: data of 1 MiB, and a page for what comes before them. */
const MESSAGE_BYTES_MAX = 1024 * 1024 + 4096;
/** Receive buffers that are kept for later. */
const SPARE_BUFFERS_MAX = 16;
/** Pieces of one message that the kernel takes at once (`UIO_MAXIOV` is 1024). */
const PIECES_MAX = 512;
/** Notifications in the thread pool at once: fewer than it has threads, for the kernel may hold them up. */
const NOTIFICATIONS_MAX = 6;
/** Reads that wait in the thread pool where there is no other way. */
const POOL_READS = 4;
/** The event loop goes round so long before it sleeps, if the next request is likely to come. */
const LOOK_MS = 0.1;
/** A request that is there so soon after an answer was waiting: more may be. */
const QUEUED_MS = 0.015;
/** After so long others have their turn. */
const TURN_MS = 1;
/** One message per so many milliseconds is read while throttled. */
const THROTTLED_MS = 20;

/** What the event loop needs to watch a descriptor: libuv's pipe handle. */
interface PipeHandle {
  open(fd: number): number | undefined;
}
type PipeConstructor = new (type: number) => PipeHandle;

/**
 * `/dev/fuse`, opened and not yet mounted.
 *
 * Read by the event loop itself where it can be had to watch a descriptor of this kind, else by reads that wait in the
 * thread pool; docs/decisions/0005-reading-dev-fuse.md has the measurements.
 */
export class DevFuse implements FuseDevice {
  /** For mount(8), which inherits it. */
  readonly fd: number;
  readonly #spare: Buffer[] = [];
  /** Notifications to come. As many as the cluster has asked for: it waits for each. */
  readonly #waiting: (() => void)[] = [];
  #notifying = 0;
  #reader: MessageReader | undefined;
  #isClosed = false;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Throws `unsupported` where there is no FUSE, `access_denied` where it may not be used. */
  static open(): DevFuse {
    try {
      return new DevFuse(openSync("/dev/fuse", constants.O_RDWR));
    } catch (error) {
      const code = codeOf(error);
      if (code === "EACCES" || code === "EPERM")
        throw storageError("access_denied", "/dev/fuse may not be opened by this user", error);
      throw storageError("unsupported", "there is no /dev/fuse here: is the fuse module loaded?", error);
    }
  }

  start(consumer: MessageConsumer): void {
    const world = {
      fd: this.fd,
      take: () => this.#spare.pop() ?? Buffer.allocUnsafeSlow(MESSAGE_BYTES_MAX),
      consumer,
    };
    const pipe = pipeOver(this.fd);
    this.#reader = pipe === undefined ? new PoolReader(world) : new LoopReader(world, pipe);
  }

  giveBack(bytes: Buffer): void {
    if (this.#spare.length >= SPARE_BUFFERS_MAX) return;
    this.#spare.push(Buffer.from(bytes.buffer, 0, MESSAGE_BYTES_MAX));
  }

  reply(parts: readonly Uint8Array[]): Delivery {
    if (this.#isOver) return "unwanted";
    const [first] = parts;
    try {
      if (parts.length === 1 && first !== undefined) writeSync(this.fd, first);
      else if (parts.length <= PIECES_MAX) writevSync(this.fd, parts as Uint8Array[]);
      else writeSync(this.fd, Buffer.concat(parts as Uint8Array[]));
      return "delivered";
    } catch (error) {
      return codeOf(error) === "EINVAL" ? "refused" : "unwanted";
    }
  }

  notify(bytes: Uint8Array): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        if (this.#isOver) {
          resolve(false);
          this.#waiting.shift()?.();
          return;
        }
        this.#notifying += 1;
        write(this.fd, bytes, (error) => {
          this.#notifying -= 1;
          this.#waiting.shift()?.();
          if (error === null) resolve(true);
          else if (GONE.has(codeOf(error))) resolve(false);
          else reject(error);
        });
      };
      if (this.#notifying < NOTIFICATIONS_MAX) begin();
      else this.#waiting.push(begin);
    });
  }

  throttle(isSlow: boolean): void {
    this.#reader?.throttle(isSlow);
  }

  /** The number of a closed descriptor may be another file's by now. */
  get #isOver(): boolean {
    return this.#isClosed || this.#reader?.isOver === true;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#reader === undefined) close(this.fd);
    else this.#reader.close();
  }
}

/** The kernel does not know (any more) what a notification is about, or it is not there any more itself. */
const GONE = new Set([
  "ENOENT",
  "ENOTDIR",
  "ESTALE",
  "ENOTEMPTY",
  "EBUSY",
  "ENODEV",
  "ENOTCONN",
  "EPERM",
  "EBADF",
]);
/** The connection is over: unmounted, aborted, closed. */
const OVER = new Set(["ENODEV", "ECONNABORTED", "EBADF", "ECANCELED"]);

interface ReaderWorld {
  readonly fd: number;
  readonly take: () => Buffer;
  readonly consumer: MessageConsumer;
}

interface MessageReader {
  /** Nothing more can be read or written. */
  readonly isOver: boolean;
  throttle(isSlow: boolean): void;
  close(): void;
}

/** The event loop watches the descriptor and reads when there is something; and who is kept busy does not fall asleep in between. */
class LoopReader implements MessageReader {
  readonly #socket: Socket;
  readonly #fd: number;
  readonly #lookout = new Lookout();
  #answeredMs = Number.NEGATIVE_INFINITY;
  /** Until then the event loop goes round; undefined: it sleeps when it has nothing to do. */
  #awakeUntilMs: number | undefined;
  #isLooking = false;
  /** Runs while throttled. */
  #timer: NodeJS.Timeout | undefined;

  constructor({ fd, take, consumer }: ReaderWorld, handle: PipeHandle) {
    this.#fd = fd;
    let buffer = take();
    let error: Error | undefined;
    let isKept = false;
    const options: SocketConstructorOpts & { readonly handle: PipeHandle; readonly onread: OnReadOpts } = {
      handle,
      onread: {
        // Asked for once more after every message.
        buffer: () => {
          if (isKept) buffer = take();
          isKept = false;
          return buffer;
        },
        callback: (lengthBytes) => {
          const beganMs = performance.now();
          this.#came(beganMs);
          let fate = consumer.message(buffer.subarray(0, lengthBytes));
          let isQueued = beganMs - this.#answeredMs < QUEUED_MS;
          while (fate === "done") {
            this.#answeredMs = performance.now();
            const mayRead = isQueued && this.#answeredMs < beganMs + TURN_MS && this.#timer === undefined;
            const nextBytes = mayRead && !this.#socket.destroyed ? this.#tryRead(buffer) : 0;
            if (nextBytes === 0) {
              this.#stayAwake();
              break;
            }
            isQueued = true;
            fate = consumer.message(buffer.subarray(0, nextBytes));
          }
          isKept = fate === "kept";
          if (this.#timer !== undefined) this.#socket.pause();
          return true;
        },
      },
    };
    this.#socket = new Socket(options);
    this.#socket.on("error", (failure) => {
      error = OVER.has(codeOf(failure)) ? undefined : failure;
    });
    this.#socket.on("close", () => {
      clearInterval(this.#timer);
      consumer.ended(error);
    });
    this.#socket.resume();
  }

  #came(nowMs: number): void {
    if (this.#isLooking) this.#lookout.looked(true);
    else this.#lookout.came(nowMs);
    this.#isLooking = false;
  }

  /** Everything is answered: for a moment the event loop only looks whether there is anything to do, and does not sleep. */
  #stayAwake(): void {
    this.#lookout.done(this.#answeredMs);
    if (this.#timer !== undefined || !this.#lookout.isWorthwhile) return;
    this.#isLooking = true;
    const isAwake = this.#awakeUntilMs !== undefined;
    this.#awakeUntilMs = this.#answeredMs + LOOK_MS;
    if (!isAwake) setImmediate(this.#goRound);
  }

  readonly #goRound = (): void => {
    const isOver = performance.now() >= (this.#awakeUntilMs ?? 0) || this.#socket.destroyed;
    if (this.#isLooking && !isOver) {
      setImmediate(this.#goRound);
      return;
    }
    if (this.#isLooking) this.#lookout.looked(false);
    this.#isLooking = false;
    this.#awakeUntilMs = undefined;
  };

  /** What is wrong with the device the event loop finds out. */
  #tryRead(buffer: Buffer): number {
    const { stackTraceLimit } = Error;
    // Half of what it costs to find nothing is the trace of its exception.
    Error.stackTraceLimit = 0;
    try {
      return readSync(this.#fd, buffer);
    } catch {
      return 0;
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  }

  throttle(isSlow: boolean): void {
    if (isSlow === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = isSlow ? setInterval(() => this.#socket.resume(), THROTTLED_MS) : undefined;
    if (!isSlow) this.#socket.resume();
  }

  get isOver(): boolean {
    return this.#socket.destroyed;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Several reads wait in the thread pool, each with a buffer of its own. */
class PoolReader implements MessageReader {
  readonly #world: ReaderWorld;
  isOver = false;
  #isSlow = false;
  #reading = POOL_READS;

  constructor(world: ReaderWorld) {
    this.#world = world;
    for (let i = 0; i < POOL_READS; i++) this.#read(world.take());
  }

  #read(buffer: Buffer): void {
    const { fd, consumer, take } = this.#world;
    read(fd, buffer, 0, buffer.length, null, (error, lengthBytes) => {
      if (error !== null && !TRANSIENT.has(codeOf(error))) {
        this.#end(error);
        return;
      }
      const isKept = error === null && consumer.message(buffer.subarray(0, lengthBytes)) === "kept";
      const next = isKept ? take() : buffer;
      const isEmpty = error !== null && codeOf(error) === "EAGAIN";
      if (this.#isSlow || isEmpty) setTimeout(() => this.#read(next), THROTTLED_MS * POOL_READS);
      else this.#read(next);
    });
  }

  #end(error: Error): void {
    this.#reading -= 1;
    this.isOver = true;
    if (this.#reading > 0) return;
    close(this.#world.fd);
    this.#world.consumer.ended(OVER.has(codeOf(error)) ? undefined : error);
  }

  throttle(isSlow: boolean): void {
    this.#isSlow = isSlow;
  }

  /** Reads that wait in the kernel end with the mount, or with the process. */
  close(): void {
    this.#isSlow = true;
  }
}

/** A read was interrupted, or its request was. */
const TRANSIENT = new Set(["ENOENT", "EINTR", "EAGAIN"]);

/**
 * libuv's pipe handle over the descriptor. Node has no documented way to watch a device, but every socket over a path
 * has such a handle; undefined where that is not so.
 */
function pipeOver(fd: number): PipeHandle | undefined {
  const probe: Socket & { readonly _handle?: { readonly constructor?: unknown } | null } = connect({
    path: "/dev/null/none",
  });
  const Pipe = probe._handle?.constructor;
  probe.on("error", () => undefined);
  probe.destroy();
  if (typeof Pipe !== "function" || Pipe.name !== "Pipe" || !("open" in Pipe.prototype)) return undefined;
  try {
    const handle = new (Pipe as PipeConstructor)(0);
    const result = handle.open(fd);
    return result === undefined || result === 0 ? handle : undefined;
  } catch {
    // A libuv that refuses devices: the thread pool reads.
    return undefined;
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? "";
