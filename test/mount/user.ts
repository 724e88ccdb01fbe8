import type { Agent, Argument, CallResult } from "./agent.js";
import {
  AT,
  decodeEntries,
  decodeStatx,
  O,
  type RawEntry,
  STATX_BASIC,
  STATX_SIZE,
  type Stat,
} from "./linux.js";
import type { Transcript } from "./transcript.js";

/** Value of a call, or the name of its error. */
export type Outcome = number | string;

const MAX_READ = 1 << 20;

/**
 * One process of one user in one case: every call is a line of the case's transcript. `ok` and `no` state what must come
 * out; `does` leaves it to the comparison with the reference.
 */
export class User {
  readonly #agent: Agent;
  readonly #name: string;
  readonly #transcript: Transcript;

  constructor(agent: Agent, name: string, transcript: Transcript) {
    this.#agent = agent;
    this.#name = name;
    this.#transcript = transcript;
  }

  get uid(): number {
    return this.#agent.identity.uid;
  }

  get gid(): number {
    return this.#agent.identity.gid;
  }

  get agent(): Agent {
    return this.#agent;
  }

  /** Must succeed. Returns the value; -1 after a failure, which the transcript holds. */
  async ok(name: string, ...args: readonly Argument[]): Promise<number> {
    const result = await this.#agent.call(name, ...args);
    this.#note(name, args, result, "success");
    return result.value;
  }

  /** Must succeed with this value. */
  async gives(value: number, name: string, ...args: readonly Argument[]): Promise<void> {
    const result = await this.#agent.call(name, ...args);
    this.#note(name, args, result, value);
  }

  /** Must fail with this error. */
  async no(errno: string, name: string, ...args: readonly Argument[]): Promise<void> {
    const result = await this.#agent.call(name, ...args);
    this.#note(name, args, result, errno);
  }

  /** Whatever comes out; it is compared with the reference. */
  async does(name: string, ...args: readonly Argument[]): Promise<Outcome> {
    const result = await this.#agent.call(name, ...args);
    this.#note(name, args, result, undefined);
    return result.errno ?? result.value;
  }

  /** Not noted in the transcript: for outcomes that are not determined. */
  async quietly(name: string, ...args: readonly Argument[]): Promise<CallResult> {
    return this.#agent.call(name, ...args);
  }

  /** The buffers that the call filled. It must succeed. */
  async fill(name: string, ...args: readonly Argument[]): Promise<CallResult> {
    const result = await this.#agent.call(name, ...args);
    this.#note(name, args, result, "success");
    return result;
  }

  /** A program, which must end well. */
  async run(...argv: readonly string[]): Promise<void> {
    this.#transcript.note(`${this.#name}: ${argv.join(" ")}`, (await this.#agent.run(argv)).value, 0);
  }

  open(path: string | Uint8Array, flags: number, mode = 0o644): Promise<number> {
    return this.ok("open", path, flags, mode);
  }

  close(fd: number): Promise<number> {
    return this.ok("close", fd);
  }

  mkdir(path: string | Uint8Array, mode = 0o755): Promise<number> {
    return this.ok("mkdir", path, mode);
  }

  /** A file of that mode, whatever the umask, with these bytes in it. */
  async file(path: string | Uint8Array, mode = 0o644, content = ""): Promise<void> {
    const fd = await this.open(path, O.CREAT | O.EXCL | O.WRONLY, mode);
    if (content !== "") await this.write(fd, content);
    await this.ok("fchmod", fd, mode);
    await this.close(fd);
  }

  async write(fd: number, content: string | Uint8Array): Promise<number> {
    const bytes = Buffer.from(content);
    return this.ok("write", fd, new Uint8Array(bytes), bytes.length);
  }

  async pwrite(fd: number, content: string | Uint8Array, offset: number): Promise<number> {
    const bytes = Buffer.from(content);
    return this.ok("pwrite", fd, new Uint8Array(bytes), bytes.length, offset);
  }

  async read(fd: number, count: number): Promise<Buffer> {
    const { value, out } = await this.fill("read", fd, { out: count }, count);
    return (out[0] ?? Buffer.alloc(0)).subarray(0, Math.max(0, value));
  }

  async pread(fd: number, count: number, offset: number): Promise<Buffer> {
    const { value, out } = await this.fill("pread", fd, { out: count }, count, offset);
    return (out[0] ?? Buffer.alloc(0)).subarray(0, Math.max(0, value));
  }

  /** The whole file, as text; noted. */
  async content(path: string | Uint8Array): Promise<string> {
    const fd = await this.open(path, O.RDONLY);
    const bytes = await this.read(fd, MAX_READ);
    await this.close(fd);
    const text = bytes.toString("latin1");
    this.#transcript.note(`${this.#name}: content`, text);
    return text;
  }

  /** lstat; for a path or an open file. Not noted: times and numbers differ everywhere. */
  async stat(what: string | Uint8Array | number): Promise<Stat> {
    const [fd, path, flags] =
      typeof what === "number" ? [what, "", AT.EMPTY_PATH] : [AT.FDCWD, what, AT.SYMLINK_NOFOLLOW];
    const { errno, out } = await this.#agent.call("statx", fd, path, flags, STATX_BASIC, { out: STATX_SIZE });
    if (errno !== undefined || out[0] === undefined) throw new Error(`stat ${show(what)}: ${errno}`);
    return decodeStatx(out[0]);
  }

  /** Type, mode, links and owner (and the size, unless it is a directory), noted. */
  async see(what: string | Uint8Array | number): Promise<Stat> {
    const stat = await this.stat(what);
    const isDirectory = (stat.mode & 0o170000) === 0o040000;
    const size = isDirectory ? "" : ` size ${stat.size}`;
    const line = `mode ${stat.mode.toString(8)} nlink ${stat.nlink} owner ${stat.uid}:${stat.gid}${size} rdev ${stat.rdev}`;
    this.#transcript.note(`${this.#name}: stat ${show(what)}`, line);
    return stat;
  }

  /** Names in a directory, sorted, without the dots; noted. */
  async list(path: string): Promise<string[]> {
    const fd = await this.open(path, O.RDONLY | O.DIRECTORY);
    const entries: RawEntry[] = [];
    for (;;) {
      const { value, out, errno } = await this.#agent.call("getdents64", fd, { out: 32768 }, 32768);
      if (errno !== undefined) throw new Error(`getdents ${path}: ${errno}`);
      if (value === 0 || out[0] === undefined) break;
      entries.push(...decodeEntries(out[0].subarray(0, value)));
    }
    await this.close(fd);
    const names = entries.map(({ name }) => name.toString("latin1")).filter((name) => !/^\.\.?$/.test(name));
    names.sort();
    this.#transcript.note(`${this.#name}: list ${path}`, names.join(" "));
    return names;
  }

  #note(name: string, args: readonly Argument[], result: CallResult, wanted: Outcome | undefined): void {
    const line = `${this.#name}: ${name}(${args.map(show).join(", ")})`;
    this.#transcript.note(line, result.errno ?? result.value, wanted);
  }
}

/** A value, as it is shown in transcripts. */
export function show(value: Argument): string {
  if (value === null) return "NULL";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value === "string")
    return value.length > 60 ? `"${value.slice(0, 20)}..."${value.length}` : `"${value}"`;
  if (value instanceof Uint8Array) {
    return value.length > 24 ? `<${value.length} bytes>` : `<${Buffer.from(value).toString("hex")}>`;
  }
  return "out" in value ? `out ${value.out}` : `inout ${value.inout.length}`;
}
