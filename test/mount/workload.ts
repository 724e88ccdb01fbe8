import { mkdir, open, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Prng } from "../../src/base/index.js";
import { Calls } from "../cluster/ordeal/calls.js";

/** Programs as they are: they write, sync, read back, make and rename files; and remember what must be there. */
export class Workload {
  readonly calls = new Calls();
  readonly #directory: string;
  readonly #prng: Prng;
  #isOver = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(directory: string, prng: Prng) {
    this.#directory = directory;
    this.#prng = prng;
  }

  async start(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    this.#running = Promise.all([this.#blocks("blocks"), this.#files("a"), this.#files("b")]);
    this.#running.catch(() => undefined);
  }

  /** Throws what went wrong, if anything did. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** A file open all the time, written and read at random places. */
  async #blocks(name: string): Promise<void> {
    const prng = this.#prng.fork();
    const path = join(this.#directory, name);
    const file = await this.calls.run("open", () => open(path, "w+"));
    const mirror = Buffer.alloc(8_000_000);
    let size = 0;
    while (!this.#isOver) {
      const offset = prng.below(7_000_000);
      const bytes = Buffer.from(prng.bytes(1 + prng.below(100_000)));
      await this.calls.run("write", () => file.write(bytes, 0, bytes.length, offset));
      bytes.copy(mirror, offset);
      size = Math.max(size, offset + bytes.length);
      if (prng.chance(0.1)) await this.calls.run("fsync", () => file.sync());
      const from = prng.below(size);
      const length = Math.min(size - from, 50_000);
      const { buffer } = await this.calls.run("read", () => file.read(Buffer.alloc(length), 0, length, from));
      if (!buffer.equals(mirror.subarray(from, from + length))) {
        throw new Error(`at ${from}: ${difference(buffer, mirror.subarray(from, from + length))}`);
      }
    }
    await this.calls.run("close", () => file.close());
    const found = await this.calls.run("read", () => readFile(path));
    if (!found.equals(mirror.subarray(0, size)))
      throw new Error(`in the end: ${difference(found, mirror.subarray(0, size))}`);
  }

  /** Small files, made, renamed, read and removed. */
  async #files(name: string): Promise<void> {
    const prng = this.#prng.fork();
    for (let round = 0; !this.#isOver; round++) {
      const path = join(this.#directory, `${name}-${round % 50}`);
      const content = Buffer.from(prng.bytes(prng.below(20_000)));
      await this.calls.run("write file", () => writeFile(`${path}.new`, content));
      await this.calls.run("rename", () => rename(`${path}.new`, path));
      const found = await this.calls.run("read file", () => readFile(path));
      if (!found.equals(content)) throw new Error(`${path}, round ${round}: ${difference(found, content)}`);
      if (prng.chance(0.3)) await this.calls.run("unlink", () => unlink(path));
    }
  }
}

/** Where two contents differ, and whether by zeros. */
function difference(found: Buffer, wanted: Buffer): string {
  if (found.length !== wanted.length) return `${found.length} bytes, not ${wanted.length}`;
  const begin = wanted.findIndex((byte, index) => found[index] !== byte);
  const end = wanted.findLastIndex((byte, index) => found[index] !== byte) + 1;
  const zeros = found.subarray(begin, end).every((byte) => byte === 0) ? ", zeros" : "";
  return `bytes ${begin} to ${end} of ${wanted.length} are wrong${zeros}`;
}
