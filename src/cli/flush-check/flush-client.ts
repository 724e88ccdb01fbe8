import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { storageError } from "../../base/index.js";
import type { Loss } from "./flush-ledger.js";
import { encodeRecord, latestSequence, RECORD_BYTES, RING_BLOCKS } from "./flush-record.js";
import { linesOf } from "./lines-of.js";

export interface FlushTest {
  readonly host: string;
  readonly port: number;
  /** On the disk that is tested. */
  readonly directory: string;
  readonly threadCount: number;
  readonly signal: AbortSignal;
}

/** What became of it: the disk lost flushed data; or the test ran until it was ended. */
export type FlushOutcome =
  | { readonly type: "lost"; readonly losses: readonly Loss[] }
  | { readonly type: "ended"; readonly flushCount: number };

const CONNECT_MS = 10_000;

/**
 * Tells the server what the disk has, then writes and flushes until it is ended, or its power is cut, and tells the server of each
 * flush. To be started again after the power was cut.
 */
export async function runFlushTest(test: FlushTest): Promise<FlushOutcome> {
  const folder = join(test.directory, "hwflush-check");
  await mkdir(folder, { recursive: true });
  const files = Array.from({ length: test.threadCount }, (_, thread) => join(folder, `thread-${thread}`));
  const present = await Promise.all(files.map(async (path) => latestSequence(await readOrNothing(path))));
  const socket = await connected(test);
  try {
    const hello = [
      `hello ${await clientId(folder)}`,
      ...present.map((found, thread) => `found ${thread} ${found}`),
    ];
    const answer = verdict(socket);
    socket.write([...hello, "ready\n"].join("\n"));
    const losses = await answer;
    if (losses.length > 0) return { type: "lost", losses };
    const counts = await Promise.all(
      files.map((path, thread) => flushFor(test, socket, path, thread, present[thread] ?? 0)),
    );
    return { type: "ended", flushCount: counts.reduce((sum, count) => sum + count, 0) };
  } finally {
    socket.destroy();
  }
}

async function flushFor(
  test: FlushTest,
  socket: Socket,
  path: string,
  thread: number,
  after: number,
): Promise<number> {
  const isNew = (await readOrNothing(path)).length === 0;
  const file = await open(path, isNew ? "w+" : "r+");
  try {
    let sequence = after;
    while (!test.signal.aborted && !socket.destroyed) {
      sequence++;
      await file.write(encodeRecord(sequence), 0, RECORD_BYTES, (sequence % RING_BLOCKS) * RECORD_BYTES);
      await file.sync();
      socket.write(`flushed ${thread} ${sequence}\n`);
    }
    return sequence - after;
  } finally {
    await file.close();
  }
}

function connected({ host, port }: FlushTest): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, timeout: CONNECT_MS });
    const refuse = (why: string) => (): void => {
      socket.destroy();
      reject(
        storageError(
          "unavailable",
          `no server of the flush test at ${host}:${port} (${why}); start one there with -l`,
        ),
      );
    };
    socket.once("timeout", refuse("no answer"));
    socket.once("error", (error: NodeJS.ErrnoException) => refuse(error.code ?? error.message)());
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.on("error", () => socket.destroy());
      resolve(socket);
    });
  });
}

/** The server's answer to what the disk has. */
function verdict(socket: Socket): Promise<Loss[]> {
  return new Promise((resolve, reject) => {
    const losses: Loss[] = [];
    socket.once("close", () =>
      reject(storageError("unavailable", "the server of the flush test hung up; start it again with -l")),
    );
    linesOf(socket).on("line", (line) => {
      const [word, thread = 0, flushed = 0, found = 0] = line
        .split(" ")
        .map((text, index) => (index === 0 ? text : Number(text)));
      if (word === "lost")
        losses.push({ thread: Number(thread), flushed: Number(flushed), found: Number(found) });
      if (word === "go" || word === "stop") resolve(losses);
    });
  });
}

/** The same after the power was cut: it is on the disk before anything is reported. */
async function clientId(folder: string): Promise<string> {
  const path = join(folder, "id");
  const known = (await readOrNothing(path)).toString().trim();
  if (/^[0-9a-f]{16}$/.test(known)) return known;
  const id = randomBytes(8).toString("hex");
  await writeFile(path, `${id}\n`, { flush: true });
  for (const directory of [folder, join(folder, "..")]) {
    const handle = await open(directory, "r");
    await handle.sync().finally(() => handle.close());
  }
  return id;
}

async function readOrNothing(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}
