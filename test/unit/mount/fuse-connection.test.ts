import { describe, expect, test } from "vitest";
import { storageError } from "../../../src/base/index.js";
import { Loan } from "../../../src/client/index.js";
import { FuseConnection } from "../../../src/mount/fuse-connection.js";
import type { Delivery, FuseDevice, MessageConsumer } from "../../../src/mount/fuse-device.js";
import type { FileSystemRequest, FuseHandler } from "../../../src/mount/fuse-handler.js";
import type { FuseReply } from "../../../src/mount/fuse-wire/replies.js";
import type { ForgetItem } from "../../../src/mount/fuse-wire/requests.js";
import { initWishes } from "../../../src/mount/init-wishes.js";
import { MOUNT_REQUESTS } from "../../../src/mount/metrics.js";
import { memoryLogger, RequestTimes } from "../../../src/telemetry/index.js";
import { ManualClock } from "../rpc/fake-channel.js";
import { goldenMessage } from "./fuse-wire/golden-messages.js";

/** The kernel's side of a connection. */
class FakeKernel implements FuseDevice {
  readonly replies: { readonly unique: number; readonly error: number; readonly body: Buffer }[] = [];
  readonly notified: { readonly code: number; readonly finish: (isKnown: boolean) => void }[] = [];
  readonly givenBack: Buffer[] = [];
  delivery: Delivery = "delivered";
  isThrottled = false;
  isClosed = false;
  #consumer: MessageConsumer | undefined;

  start(consumer: MessageConsumer): void {
    this.#consumer = consumer;
  }

  /** Sends a golden message under another number; true if its buffer was kept. */
  send(name: string, unique: number, change: (message: Buffer) => Buffer = (message) => message): boolean {
    const message = change(Buffer.from(goldenMessage(name)));
    message.writeUInt32LE(message.length, 0);
    message.writeBigUInt64LE(BigInt(unique), 8);
    return this.#consumer?.message(message) === "kept";
  }

  end(error?: Error): void {
    this.#consumer?.ended(error);
  }

  reply(parts: readonly Uint8Array[]): Delivery {
    const bytes = Buffer.concat(parts);
    const delivery = this.delivery;
    this.delivery = "delivered";
    if (delivery === "delivered") {
      const unique = Number(bytes.readBigUInt64LE(8));
      this.replies.push({ unique, error: 0 - bytes.readInt32LE(4), body: bytes.subarray(16) });
    }
    return delivery;
  }

  notify(bytes: Uint8Array): Promise<boolean> {
    const code = Buffer.from(bytes).readInt32LE(4);
    return new Promise((finish) => this.notified.push({ code, finish }));
  }

  giveBack(bytes: Buffer): void {
    this.givenBack.push(bytes);
  }

  throttle(isSlow: boolean): void {
    this.isThrottled = isSlow;
  }

  close(): void {
    this.isClosed = true;
  }
}

interface Asked {
  readonly request: FileSystemRequest;
  readonly signal: AbortSignal;
  answer(reply: FuseReply): Promise<void>;
  fail(error: Error): Promise<void>;
}

/** A file system that answers when it is told to. */
class SlowFileSystem implements FuseHandler {
  readonly asked: Asked[] = [];
  readonly forgotten: ForgetItem[] = [];
  /** What it knows. */
  known: (request: FileSystemRequest) => FuseReply | undefined = () => undefined;

  answerAtOnce(request: FileSystemRequest): FuseReply | undefined {
    return this.known(request);
  }

  handle(request: FileSystemRequest, signal: AbortSignal): Promise<FuseReply> {
    return new Promise((resolve, reject) => {
      const answer = async (reply: FuseReply): Promise<void> => {
        resolve(reply);
        await settled();
      };
      const fail = async (error: Error): Promise<void> => {
        reject(error);
        await settled();
      };
      this.asked.push({ request, signal, answer, fail });
    });
  }

  forget(items: readonly ForgetItem[]): void {
    this.forgotten.push(...items);
  }
}

/** After all that waits for nothing but promises. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const attributes = {
  ino: 11,
  sizeBytes: 0,
  blockCount: 0,
  atime: { seconds: 0, nanos: 0 },
  mtime: { seconds: 0, nanos: 0 },
  ctime: { seconds: 0, nanos: 0 },
  mode: 0o100644,
  linkCount: 1,
  uid: 0,
  gid: 0,
  rdev: 0,
  blockBytes: 4096,
};
const ENTRY: FuseReply = {
  type: "entry",
  entry: { nodeId: 11, generation: 1, entryValidMs: 0, attributesValidMs: 0, attributes },
};
/** The node that golden requests are about. */
const NODE = 0x8899aabbccdd;

function connected(minor = 45, times?: RequestTimes) {
  const kernel = new FakeKernel();
  const fileSystem = new SlowFileSystem();
  const log = memoryLogger();
  const connection = new FuseConnection(kernel, initWishes(true), log, undefined, times);
  connection.start(fileSystem);
  kernel.send("init", 2, (message) => {
    message.writeUInt32LE(minor, 44);
    return message;
  });
  kernel.replies.length = 0;
  const asked = (index: number): Asked => {
    const found = fileSystem.asked[index];
    if (found === undefined) throw new Error(`no request ${index} arrived`);
    return found;
  };
  return { kernel, fileSystem, connection, log, asked };
}

describe("answering", () => {
  test("requests are answered in any order, each under its own number", async () => {
    const { kernel, asked } = connected();
    kernel.send("lookup", 4);
    kernel.send("readlink", 6);

    await asked(1).answer({ type: "data", parts: [Buffer.from("target")] });
    await asked(0).answer({ type: "error", errno: "ENOENT" });

    expect(kernel.replies).toMatchObject([
      { unique: 6, error: 0, body: Buffer.from("target") },
      { unique: 4, error: 2 },
    ]);
  });

  test("how long answers take is kept by request", async () => {
    const times = new RequestTimes(new ManualClock(), MOUNT_REQUESTS);
    const { kernel, asked } = connected(45, times);
    kernel.send("lookup", 4);
    expect(times.samples()).toEqual([]);
    await asked(0).answer({ type: "error", errno: "ENOENT" });
    expect(times.samples().map(({ labels }) => labels)).toEqual([{ request: "lookup" }]);
  });

  test("what is known is answered in the same moment, and nobody is asked", () => {
    const times = new RequestTimes(new ManualClock(), MOUNT_REQUESTS);
    const { kernel, fileSystem } = connected(45, times);
    fileSystem.known = ({ type }) => (type === "lookup" ? { type: "error", errno: "ENOENT" } : undefined);
    kernel.send("lookup", 4);
    expect(kernel.replies).toMatchObject([{ unique: 4, error: 2 }]);
    expect(times.samples().map(({ labels }) => labels)).toEqual([{ request: "lookup" }]);
    kernel.send("readlink", 6);
    expect(fileSystem.asked.map(({ request }) => request.type)).toEqual(["readSymlink"]);
  });

  test("who fails to know is answered like one who fails to find out", () => {
    const { kernel, fileSystem, log } = connected();
    fileSystem.known = () => {
      throw storageError("not_empty");
    };
    kernel.send("lookup", 4);
    fileSystem.known = () => {
      throw new TypeError("a bug");
    };
    kernel.send("lookup", 6);
    expect(kernel.replies).toMatchObject([
      { unique: 4, error: 39 },
      { unique: 6, error: 5 },
    ]);
    expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
    expect(fileSystem.asked).toEqual([]);
  });

  test("a failure is answered with its errno, a bug with EIO and a line in the log", async () => {
    const { kernel, log, asked } = connected();
    kernel.send("lookup", 4);
    kernel.send("lookup", 6);

    await asked(0).fail(storageError("not_empty"));
    await asked(1).fail(new TypeError("a bug"));

    expect(kernel.replies.map(({ error }) => error)).toEqual([39, 5]);
    expect(log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("what cannot be read is EIO, what nobody knows is ENOSYS", () => {
    const { kernel, fileSystem } = connected();
    kernel.send("lookup", 4, (message) => message.subarray(0, 42));
    kernel.send("lookup", 6, (message) => {
      message.writeUInt32LE(48, 4);
      return message;
    });
    expect(kernel.replies.map(({ error }) => error)).toEqual([5, 38]);
    expect(fileSystem.asked).toEqual([]);
  });

  test("an answer the kernel refuses is replaced by EIO", async () => {
    const { kernel, asked } = connected();
    kernel.send("readlink", 4);
    kernel.delivery = "refused";
    await asked(0).answer({ type: "data", parts: [Buffer.from("target")] });
    expect(kernel.replies).toMatchObject([{ unique: 4, error: 5 }]);
  });

  test.each(["delivered", "unwanted", "refused"] as const)(
    "bytes that were lent to an answer are given back when it is %s, and not before",
    async (delivery) => {
      const { kernel, asked } = connected();
      const loan = new Loan();
      const seen: boolean[] = [];
      const reply = kernel.reply.bind(kernel);
      kernel.reply = (parts) => {
        seen.push(loan.isOver);
        return reply(parts);
      };
      kernel.send("readlink", 4);
      kernel.delivery = delivery;

      await asked(0).answer({ type: "data", parts: [Buffer.from("target")], loan });

      expect(seen[0]).toBe(false);
      expect(loan.isOver).toBe(true);
    },
  );

  test("an entry nobody waits for is forgotten again", async () => {
    const { kernel, fileSystem, asked } = connected();
    kernel.send("lookup", 4);
    kernel.delivery = "unwanted";
    await asked(0).answer(ENTRY);
    expect(fileSystem.forgotten).toEqual([{ nodeId: 11, lookupCount: 1 }]);
  });

  test("forgetting is never answered", () => {
    const { kernel, fileSystem } = connected();
    kernel.send("batchForget", 4);
    expect(fileSystem.forgotten).toHaveLength(2);
    expect(kernel.replies).toEqual([]);
  });
});

describe("interrupts", () => {
  const interruptOf = (target: number) => (message: Buffer) => {
    message.writeBigUInt64LE(BigInt(target), 40);
    return message;
  };

  test("an interrupt aborts its request, which is still answered by the handler, and only it", async () => {
    const { kernel, asked } = connected();
    kernel.send("setlkw", 4);
    kernel.send("setlkw", 6);
    kernel.send("interrupt", 5, interruptOf(4));

    expect([asked(0).signal.aborted, asked(1).signal.aborted]).toEqual([true, false]);
    expect(kernel.replies).toEqual([]);
    await asked(0).fail(storageError("cancelled"));
    expect(kernel.replies).toMatchObject([{ unique: 4, error: 4 }]);
  });

  test("an interrupt of what is not there, yet or any more, is to be tried again", () => {
    const { kernel } = connected();
    kernel.send("interrupt", 5, interruptOf(4));
    expect(kernel.replies).toMatchObject([{ unique: 5, error: 11 }]);
  });
});

describe("buffers", () => {
  const withData = (sizeBytes: number) => (message: Buffer) => {
    message.writeUInt32LE(sizeBytes, 40 + 16);
    return Buffer.concat([message.subarray(0, 80), Buffer.alloc(sizeBytes, 7)]);
  };

  test("the buffer of a great write is kept until it is answered", async () => {
    const { kernel, asked } = connected();
    expect(kernel.send("write", 4, withData(1024 * 1024))).toBe(true);
    expect(kernel.givenBack).toEqual([]);
    await asked(0).answer({ type: "written", sizeBytes: 1024 * 1024 });
    expect(kernel.givenBack).toHaveLength(1);
  });

  test("the buffer of a great write that is answered at once is free at once", () => {
    const { kernel, fileSystem } = connected();
    fileSystem.known = () => ({ type: "written", sizeBytes: 1024 * 1024 });
    expect(kernel.send("write", 4, withData(1024 * 1024))).toBe(false);
    expect(kernel.givenBack).toEqual([]);
  });

  test("the buffer of everything else is free at once", () => {
    const { kernel, asked } = connected();
    let sent = Buffer.alloc(0);
    const isKept = kernel.send("write", 4, (message) => {
      sent = withData(4096)(message);
      return sent;
    });
    sent.fill(9);
    const { request } = asked(0);
    expect(isKept).toBe(false);
    expect(request.type === "write" && request.data.every((byte) => byte === 7)).toBe(true);
  });

  test("reading slows down while very much is under way, and recovers", async () => {
    const { kernel, asked } = connected();
    for (let i = 0; i < 257; i++) kernel.send("write", 4 + 2 * i, withData(1024 * 1024));
    expect(kernel.isThrottled).toBe(true);
    await asked(0).answer({ type: "written", sizeBytes: 1024 * 1024 });
    await asked(1).answer({ type: "written", sizeBytes: 1024 * 1024 });
    expect(kernel.isThrottled).toBe(false);
  });
});

describe("notifications", () => {
  test("an invalidation resolves when the kernel has done it", async () => {
    const { kernel, connection } = connected();
    let isDone = false;
    const done = connection.invalidateInode(11, 0, 0).then(() => {
      isDone = true;
    });
    await settled();
    expect(isDone).toBe(false);
    kernel.notified[0]?.finish(true);
    await done;
    expect(kernel.notified.map(({ code }) => code)).toEqual([2]);
  });

  test.each(["create", "lookup", "readdir", "readdirplus"] as const)(
    "while the kernel holds a directory for a %s, a name in it is forgotten without its lock",
    async (held) => {
      const { kernel, connection } = connected();
      kernel.send(held, 4);
      const done = connection.invalidateEntry(NODE, Buffer.from("name"));
      await settled();
      expect(kernel.notified.map(({ code }) => code)).toEqual([8]);
      kernel.notified[0]?.finish(true);
      await done;
    },
  );

  test("a change that begins while the kernel is being told of a name does not hold it up", async () => {
    const { kernel, connection, asked } = connected();
    const done = connection.invalidateEntry(NODE, Buffer.from("name"));
    await settled();
    kernel.send("mkdir", 4);
    await settled();
    expect(kernel.notified.map(({ code }) => code)).toEqual([3, 8]);
    kernel.notified[1]?.finish(true);
    await done;
    await asked(0).answer(ENTRY);
    await connectionTells(connection, kernel, 3);
  });

  /** After the change is over, names are told of as usual. */
  async function connectionTells(
    connection: FuseConnection,
    kernel: FakeKernel,
    code: number,
  ): Promise<void> {
    const told = kernel.notified.length;
    const done = connection.invalidateEntry(NODE, Buffer.from("name"));
    await settled();
    expect(kernel.notified[told]?.code).toBe(code);
    kernel.notified[told]?.finish(true);
    await done;
  }

  test("both directories of a rename are being changed", async () => {
    const { kernel, connection } = connected();
    kernel.send("rename2", 4);
    void connection.invalidateEntry(62, Buffer.from("name"));
    void connection.invalidateEntry(NODE, Buffer.from("name"));
    await settled();
    expect(kernel.notified.map(({ code }) => code)).toEqual([8, 8]);
  });

  test("a kernel without epochs is not sent one", async () => {
    const { kernel, connection } = connected(38);
    expect(await connection.incrementEpoch()).toBe(false);
    expect(kernel.notified).toEqual([]);
  });
});

describe("the end", () => {
  test("everything under way is aborted, and notifications are nobody's business any more", async () => {
    const { kernel, connection, asked } = connected();
    kernel.send("setlkw", 4);
    const stuck = connection.invalidateEntry(NODE, Buffer.from("name"));
    kernel.end();
    expect(asked(0).signal.aborted).toBe(true);
    expect(await connection.ended).toBeUndefined();
    await connection.invalidateEntry(NODE, Buffer.from("name"));
    await stuck;
  });

  test("a connection that breaks says why", async () => {
    const { kernel, connection } = connected();
    kernel.end(new Error("EIO"));
    expect(await connection.ended).toMatchObject({ message: "EIO" });
  });

  test("closing closes the device", async () => {
    const { kernel, connection } = connected();
    connection.close();
    await connection.ended;
    expect(kernel.isClosed).toBe(true);
  });
});
