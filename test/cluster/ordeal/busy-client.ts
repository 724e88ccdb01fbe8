import { setTimeout as sleep } from "node:timers/promises";
import type { Prng } from "../../../src/base/index.js";
import type { FileHandle, FileSystem } from "../../../src/client/connect.js";
import type { Calls } from "./calls.js";

/** What one file must hold: the dumb twin of everything that was acknowledged. */
interface Twin {
  readonly name: string;
  readonly handle: FileHandle;
  bytes: Uint8Array;
  /** Of names it has had. */
  generation: number;
}

const FILES = 4;
/** Between two calls on a file: others need the machine too. */
const PAUSE_MS_MAX = 20;
const SIZE_MAX = 3_000_000;

/**
 * A client that works all the time on files of its own, one call after the other on each, and compares all it reads
 * with what it has written. Any failed call and any wrong byte ends it with that failure.
 */
export class BusyClient {
  readonly #files: FileSystem;
  readonly #directory: string;
  readonly #calls: Calls;
  readonly #prng: Prng;
  readonly #twins: Twin[] = [];
  #isEnding = false;
  #running: Promise<void> | undefined;
  #failure: unknown;

  constructor(files: FileSystem, directory: string, calls: Calls, prng: Prng) {
    this.#files = files;
    this.#directory = directory;
    this.#calls = calls;
    this.#prng = prng;
  }

  start(): void {
    this.#running ??= this.#run();
    // Whoever stops it hears of it, too.
    this.#running.catch((error: unknown) => {
      this.#failure = error;
    });
  }

  /** What has ended it before it was stopped. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Ends the work, reads everything back once more, and fails if anything did before. */
  async stop(): Promise<void> {
    this.#isEnding = true;
    await this.#running;
    await this.verify();
    for (const { handle } of this.#twins) await this.#calls.run("close", () => handle.close());
  }

  /** Reads every file as a whole, by its name. */
  async verify(): Promise<void> {
    for (const twin of this.#twins) {
      const path = this.#pathOf(twin);
      const found = await this.#calls.run(`read back ${path}`, () => this.#files.readFile(path));
      requireSame(path, twin.bytes, found, 0);
    }
  }

  async #run(): Promise<void> {
    await this.#calls.run("mkdirp", () => this.#files.mkdirp(this.#directory));
    await Promise.all(
      Array.from({ length: FILES }, (_, index) => this.#work(`file${index}`, this.#prng.fork())),
    );
  }

  async #work(name: string, prng: Prng): Promise<void> {
    const open = { access: "write", create: true } as const;
    const path = `${this.#directory}/${name}.0`;
    const handle = await this.#calls.run("create", () => this.#files.open(path, open));
    const twin: Twin = { name, handle, bytes: new Uint8Array(), generation: 0 };
    this.#twins.push(twin);
    while (!this.#isEnding) {
      await this.#step(twin, prng);
      await sleep(prng.below(PAUSE_MS_MAX));
    }
  }

  async #step(twin: Twin, prng: Prng): Promise<void> {
    const { handle } = twin;
    const { length } = twin.bytes;
    switch (
      prng.pick([
        "write",
        "write",
        "append",
        "read",
        "read",
        "read",
        "sync",
        "truncate",
        "rename",
        "stat",
        "short",
      ])
    ) {
      case "write": {
        const offset = prng.below(Math.min(length, SIZE_MAX) + 1);
        return await this.#write(twin, offset, prng.bytes(prng.pick([1, 100, 4096, 70_000])));
      }
      case "append":
        return await this.#write(twin, length > SIZE_MAX ? 0 : length, prng.bytes(prng.between(1, 200_000)));
      case "read": {
        const offset = prng.below(length + 10);
        const bytes = await this.#calls.run("read", () => handle.read(offset, 100_000));
        return requireSame(twin.name, twin.bytes.subarray(offset, offset + 100_000), bytes, offset);
      }
      case "sync":
        return await this.#calls.run("sync", () => handle.sync());
      case "truncate": {
        const size = prng.below(length + 50_000);
        await this.#calls.run("truncate", () => handle.truncate(size));
        twin.bytes = resized(twin.bytes, size);
        return;
      }
      case "rename": {
        const next = { ...twin, generation: twin.generation + 1 };
        await this.#calls.run("rename", () => this.#files.rename(this.#pathOf(twin), this.#pathOf(next)));
        twin.generation++;
        return;
      }
      case "stat": {
        const { sizeBytes } = await this.#calls.run("stat", () => this.#files.stat(this.#pathOf(twin)));
        if (sizeBytes !== length)
          throw new Error(`${this.#pathOf(twin)} has ${sizeBytes} bytes, not ${length}`);
        return;
      }
      default:
        return await this.#shortLived(`${this.#directory}/${twin.name}.short`, prng.bytes(prng.below(9000)));
    }
  }

  async #write(twin: Twin, offset: number, bytes: Uint8Array): Promise<void> {
    await this.#calls.run("write", () => twin.handle.write(bytes, offset));
    if (offset + bytes.length > twin.bytes.length) twin.bytes = resized(twin.bytes, offset + bytes.length);
    twin.bytes.set(bytes, offset);
  }

  async #shortLived(path: string, bytes: Uint8Array): Promise<void> {
    await this.#calls.run("write file", () => this.#files.writeFile(path, bytes));
    requireSame(path, bytes, await this.#calls.run("read file", () => this.#files.readFile(path)), 0);
    await this.#calls.run("unlink", () => this.#files.unlink(path));
  }

  #pathOf({ name, generation }: Pick<Twin, "name" | "generation">): string {
    return `${this.#directory}/${name}.${generation}`;
  }
}

function resized(bytes: Uint8Array, size: number): Uint8Array {
  const result = new Uint8Array(size);
  result.set(bytes.subarray(0, size));
  return result;
}

/** Throws with the place of the first wrong byte. */
export function requireSame(what: string, wanted: Uint8Array, found: Uint8Array, offset: number): void {
  if (Buffer.compare(wanted, found) === 0) return;
  if (wanted.length !== found.length)
    throw new Error(`${what}: ${found.length} bytes from ${offset}, not ${wanted.length}`);
  const index = wanted.findIndex((byte, at) => byte !== found[at]);
  throw new Error(`${what}: byte ${offset + index} is ${found[index]}, not ${wanted[index]}`);
}
