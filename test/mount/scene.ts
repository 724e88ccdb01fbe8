import { spawnSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Agent } from "./agent.js";
import type { Stat } from "./linux.js";
import type { Person } from "./stage.js";
import type { Transcript } from "./transcript.js";
import { User } from "./user.js";

/** Longer than the coarsest clock that stamps files. */
const TICK_MS = 12;

/** The parts of a stat that say when. */
type Times = Pick<Stat, "atime" | "mtime" | "ctime">;

/**
 * One run of a case: an empty directory of mode 0777, which is every user's working directory, and the users, each a
 * process that comes into being when it is first asked for.
 */
export class Scene {
  /** Of the case's directory. */
  readonly path: string;
  readonly #transcript: Transcript;
  readonly #agentOf: (person: Person) => Agent;
  readonly #users = new Map<Person, User>();
  readonly #mounts: string[] = [];

  constructor(path: string, transcript: Transcript, agentOf: (person: Person) => Agent) {
    this.path = path;
    this.#transcript = transcript;
    this.#agentOf = agentOf;
  }

  /** That user, in the case's directory. */
  async user(person: Person): Promise<User> {
    const present = this.#users.get(person);
    if (present !== undefined) return present;
    const user = new User(this.#agentOf(person), person, this.#transcript);
    const { errno } = await user.quietly("chdir", this.path);
    if (errno !== undefined) throw new Error(`${person} cannot enter ${this.path}: ${errno}`);
    this.#users.set(person, user);
    return user;
  }

  async users<P extends Person>(...people: readonly P[]): Promise<Record<P, User>> {
    const users: Partial<Record<P, User>> = {};
    for (const person of people) users[person] = await this.user(person);
    return users as Record<P, User>;
  }

  /** Notes a truth, and that it must be so. */
  expect(what: string, found: string | number | boolean, wanted: string | number | boolean = true): void {
    this.#transcript.expect(what, found, wanted);
  }

  /** Notes what was found; it is compared with the reference. */
  note(what: string, found: string | number): void {
    this.#transcript.note(what, found);
  }

  /** Lets the clock of the file system move on. */
  async tick(ms = TICK_MS): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
  }

  /**
   * Does the work and states which times it set: for each path the letters of those that change (`a`, `m`, `c`), in this
   * order; all others stay. Access times are looked at only where `a` is demanded or `A` (must stay) is said.
   */
  async touches(
    user: User,
    changes: Readonly<Record<string, string>>,
    work: () => Promise<unknown>,
  ): Promise<void> {
    const before = new Map<string, Times>();
    for (const path of Object.keys(changes)) before.set(path, await user.stat(path));
    await this.tick();
    await work();
    for (const [path, wanted] of Object.entries(changes)) {
      const old = before.get(path);
      if (old === undefined) continue;
      const now = await user.stat(path);
      const found = [
        /a/i.test(wanted) ? letter("a", old.atime, now.atime) : "",
        letter("m", old.mtime, now.mtime),
        letter("c", old.ctime, now.ctime),
      ].join("");
      this.expect(`times set of ${path}`, found, wanted.replace("A", ""));
    }
  }

  /** The case's directory, or one in it, mounted a second time: another mount, of the same files. */
  async bindMount(name: string, { source = this.path, readOnly = false } = {}): Promise<string> {
    const target = join(this.path, name);
    await mkdir(target, { recursive: true });
    command("mount", "--bind", source, target);
    this.#mounts.push(target);
    if (readOnly) command("mount", "-o", "remount,bind,ro", target);
    return target;
  }

  async close(): Promise<void> {
    for (const target of this.#mounts.reverse()) spawnSync("umount", ["-l", target], { stdio: "ignore" });
  }
}

function letter(name: string, before: bigint, after: bigint): string {
  if (before === after) return "";
  return after > before ? name : `${name}(back)`;
}

function command(program: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
}
