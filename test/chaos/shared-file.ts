import { type FileHandle, open } from "node:fs/promises";
import type { Prng } from "../../src/base/index.js";
import { checkFile } from "../sim/checkers/file-checker.js";
import { FileHistory, Positions } from "../sim/checkers/file-history.js";

const BLOCK_BYTES = 4096;
const BLOCKS = 48;
/** Between two calls of a process: the machine has other things to do. */
const PAUSE_MS_MAX = 30;

/**
 * One file that several mounts read and write at random, all at once, and the history of it: every block must be
 * linearizable, whatever falls meanwhile. Mounts must outlive it.
 */
export class SharedFile {
  readonly #paths: readonly string[];
  readonly #history: FileHistory;
  readonly #prng: Prng;
  #isOver = false;
  #running: Promise<unknown> | undefined;

  /** The same file as each process sees it: one process for each path. */
  constructor(name: string, paths: readonly string[], prng: Prng) {
    this.#paths = paths;
    this.#prng = prng;
    this.#history = new FileHistory(name, new Positions(), () => performance.now());
  }

  async start(): Promise<void> {
    const [first] = this.#paths;
    if (first === undefined) throw new Error("a mount is needed");
    await (await open(first, "w")).close();
    this.#running = Promise.all(
      this.#paths.map((path, index) => this.#work(`process${index + 1}`, path, this.#prng.fork())),
    );
    this.#running.catch(() => undefined);
  }

  /** What is wrong with the history; empty if nothing is. Throws if a call failed. */
  async stop(): Promise<readonly string[]> {
    this.#isOver = true;
    await this.#running;
    return checkFile(this.#history);
  }

  get operationCount(): number {
    return this.#history.operations.length;
  }

  async #work(name: string, path: string, prng: Prng): Promise<void> {
    const file = await open(path, "r+");
    while (!this.#isOver) {
      const offset = prng.below(BLOCKS) * BLOCK_BYTES;
      const kind = prng.pick(["write", "write", "read", "read", "read", "sync"]);
      if (kind === "write") await this.#write(name, file, offset, prng.bytes(BLOCK_BYTES));
      else if (kind === "read") await this.#read(name, file, offset);
      else await this.#call(name, { type: "sync" }, () => file.sync());
      await new Promise((resolve) => setTimeout(resolve, prng.below(PAUSE_MS_MAX)));
    }
    await file.close();
  }

  async #write(name: string, file: FileHandle, offset: number, bytes: Uint8Array): Promise<void> {
    await this.#call(name, { type: "write", offset, bytes }, () =>
      file.write(bytes, 0, bytes.length, offset),
    );
  }

  async #read(name: string, file: FileHandle, offset: number): Promise<void> {
    const action = { type: "read", offset, lengthBytes: BLOCK_BYTES, bytes: new Uint8Array() } as const;
    const found: { -readonly [Key in keyof typeof action]: (typeof action)[Key] } = action;
    await this.#call(name, found, async () => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(BLOCK_BYTES), 0, BLOCK_BYTES, offset);
      Object.assign(found, { bytes: buffer.subarray(0, bytesRead) });
    });
  }

  async #call(
    name: string,
    action: Parameters<FileHistory["call"]>[1],
    work: () => Promise<unknown>,
  ): Promise<void> {
    const operation = this.#history.call(name, action);
    await work();
    this.#history.succeeded(operation);
  }
}
