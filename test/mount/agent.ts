import { type ChildProcess, spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), "agent.py");

/** Who an agent is. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** A buffer that the call fills. */
export interface OutBuffer {
  readonly out: number;
}

/** A buffer that the call reads and changes. */
export interface InOutBuffer {
  readonly inout: Uint8Array;
}

/** Numbers (also those of 64 bits), paths, bytes (a path of any bytes, or data), buffers, and NULL. */
export type Argument = number | bigint | string | Uint8Array | OutBuffer | InOutBuffer | null;

export interface CallResult {
  readonly value: number;
  /** `ENOENT`, ...; undefined if the call succeeded. */
  readonly errno: string | undefined;
  readonly out: readonly Buffer[];
}

interface Reply {
  readonly value: number;
  readonly errno: string | null;
  readonly out: readonly string[];
}

/** A process of one user, which makes system calls one after the other. */
export class Agent {
  readonly identity: Identity;
  readonly #child: ChildProcess;
  readonly #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void }[] = [];
  #ended: Error | undefined;

  constructor(identity: Identity) {
    this.identity = identity;
    const { uid, gid, groups } = identity;
    const args = [PROGRAM, String(uid), String(gid), groups.join(",")];
    this.#child = spawn("python3", args, { cwd: "/", stdio: ["pipe", "pipe", "inherit"] });
    this.#child.stdin?.on("error", () => undefined);
    this.#child.once("error", (error) => this.#end(error));
    this.#child.once("exit", (code, signal) =>
      this.#end(new Error(`the agent of uid ${uid} ended: ${signal ?? code}`)),
    );
    if (this.#child.stdout === null) throw new Error("the agent has no standard output");
    createInterface({ input: this.#child.stdout }).on("line", (line) =>
      this.#waiting.shift()?.resolve(JSON.parse(line) as Reply),
    );
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("the agent was not started");
    return this.#child.pid;
  }

  /** A function of the C library, by its name. */
  async call(name: string, ...args: readonly Argument[]): Promise<CallResult> {
    return this.#request(name, args.map(encode));
  }

  /** Closes all files, and sets working directory and umask back. */
  async reset(): Promise<void> {
    await this.#request("reset", []);
  }

  /** Bytes of the agent's memory, which a mapping put there. */
  async peek(address: number, size: number): Promise<Buffer> {
    const { out, errno } = await this.#request("peek", [address, size]);
    if (errno !== undefined || out[0] === undefined) throw new Error(`peek: ${errno}`);
    return out[0];
  }

  async poke(address: number, data: Uint8Array): Promise<void> {
    await this.#request("poke", [address, Buffer.from(data).toString("base64")]);
  }

  /** Runs a program: its exit status, or why it could not be started. */
  run(argv: readonly string[]): Promise<CallResult> {
    return this.#request("run", [argv]);
  }

  /** Interrupts the call that is under way. */
  interrupt(): void {
    this.#child.kill("SIGUSR1");
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async #request(name: string, args: readonly unknown[]): Promise<CallResult> {
    const ended = this.#ended;
    if (ended !== undefined) throw ended;
    const reply = new Promise<Reply>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#child.stdin?.write(`${JSON.stringify([name, args])}\n`);
    const { value, errno, out } = await reply;
    if (errno?.startsWith("agent: ")) throw new Error(`${name}: ${errno}`);
    return { value, errno: errno ?? undefined, out: out.map((text) => Buffer.from(text, "base64")) };
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }
}

function encode(argument: Argument): unknown {
  if (argument === null || typeof argument === "number" || typeof argument === "string") return argument;
  if (typeof argument === "bigint") return { int: String(argument) };
  if (argument instanceof Uint8Array) return { in: Buffer.from(argument).toString("base64") };
  if ("inout" in argument) return { inout: Buffer.from(argument.inout).toString("base64") };
  return argument;
}
