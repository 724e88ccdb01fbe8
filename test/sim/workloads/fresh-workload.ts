import type { Prng } from "../../../src/base/index.js";
import { toUtf8 } from "../../../src/base/index.js";
import type { Cluster, InodeOperations } from "../../../src/client/index.js";
import { type InodeNumber, MODE_DIRECTORY, MODE_FILE, ROOT_INODE } from "../../../src/meta/index.js";
import { type Actor, codeOf, type Workload, type WorkloadWorld } from "./workload.js";

const FILE = MODE_FILE | 0o644;
const KINDS = ["owner", "name", "size"] as const;
const TIMEOUT_MS = 20_000;
/** Between two looks of a client that does something else meanwhile, at most. */
const LOOK_MS_MAX = 100;
/** How often such a look is a change. */
const CHANGE_RATE = 0.1;

/**
 * A value that only grows: the owner of a file, the rank of the inode a name stands for, the size of a file. One writer at a time.
 * Whoever looks must see at least what was seen or acknowledged before he began.
 */
interface Register {
  readonly kind: (typeof KINDS)[number];
  readonly ino: InodeNumber;
  /** Seen by somebody, or acknowledged. */
  floor: number;
  isBeingWritten: boolean;
  /** Nobody knows what became of a write: it may come late. */
  isOver: boolean;
  /** As `floor`, when nothing of it could be lost with a session any more. */
  safe: number;
  /** Wrong, unless the writer is losing its session with what it was answered early. */
  readonly doubts: string[];
}

/** Many look at the same things again and again, as programs do; somebody changes them. What was kept must not be old. */
export class FreshWorkload implements Workload {
  readonly name = "fresh";
  readonly counts = { begun: 0, succeeded: 0 };
  readonly #world: WorkloadWorld;
  readonly #complaints: string[] = [];
  #directory: InodeNumber = ROOT_INODE;
  #registers: Register[] = [];
  #names = 0;
  /** Inodes that a name was to stand for, in their order: numbers are given out in ranges, to each client its own. */
  readonly #ranks = new Map<InodeNumber, number>();

  constructor(world: WorkloadWorld) {
    this.#world = world;
  }

  async setUp({ fileSystem: { inodes } }: Cluster): Promise<void> {
    const body = { parent: ROOT_INODE, name: toUtf8("fresh"), mode: MODE_DIRECTORY | 0o755 };
    this.#directory = (await inodes.create(body)).ino;
    for (const kind of KINDS) await this.#add(kind, inodes);
  }

  async work(actor: Actor): Promise<void> {
    const { prng, node } = actor;
    const { clock } = node.host;
    await this.#replace(actor);
    const register = this.#registers.length === 0 ? undefined : prng.pick(this.#registers);
    await clock.sleep("workload.think", prng.between(1, 10));
    if (register === undefined) return;
    const isWriter = prng.chance(0.3) && !register.isBeingWritten;
    const rounds = prng.between(5, 40);
    if (isWriter) {
      await this.#write(actor, register, prng.between(1, 6));
      return;
    }
    for (let i = 0; i < rounds && !actor.isStopping() && !register.isOver; i++) {
      await this.#read(actor, register);
      await clock.sleep("workload.look", prng.between(1, 40) / 10);
    }
  }

  /**
   * Who keeps things looks at them all the time: what it keeps may be old only for moments, after a change of leader that it has not
   * noticed. And it changes them now and then, so that others have something to miss.
   */
  async beside(actor: Actor): Promise<void> {
    const { node, prng } = actor;
    if (!node.caches) return;
    while (!actor.isStopping()) {
      await node.host.clock.sleep("workload.look", prng.between(1, LOOK_MS_MAX));
      const wanted = prng.pick(KINDS);
      const register = this.#registers.find(({ kind }) => kind === wanted);
      if (register === undefined) continue;
      const isWriter = register.kind !== "size" && !register.isBeingWritten && prng.chance(CHANGE_RATE);
      if (isWriter) await this.#write(actor, register, 1);
      else await this.#read(actor, register);
    }
  }

  async readBack(actor: Actor): Promise<void> {
    for (const register of this.#registers) await this.#read(actor, register);
  }

  fence(): void {}

  /** Metadata that was acknowledged is durable. */
  powerFailed(): void {}

  check(): string[] {
    return this.#complaints;
  }

  async #read(actor: Actor, register: Register): Promise<void> {
    const { floor } = register;
    const { inodes } = actor.cluster.fileSystem;
    await this.#count(async () => {
      const value = await this.#valueOf(register, inodes);
      if (register.isOver) return;
      if (value < floor) {
        const atMs = this.#world.simulation.simulator.nowMs.toFixed(1);
        const complaint = `${actor.process} at ${atMs} saw ${register.kind} ${value} after ${floor}`;
        (value < register.safe ? this.#complaints : register.doubts).push(complaint);
      }
      register.floor = Math.max(register.floor, value);
    });
  }

  async #write(actor: Actor, register: Register, times: number): Promise<void> {
    // Whoever writes next to it would take for safe what was lost.
    if (register.isOver) return;
    register.isBeingWritten = true;
    // What a dying writer began may come late; nobody goes on from there.
    actor.node.host.onDeath(() => {
      if (register.isBeingWritten) register.isOver = true;
    });
    const { inodes } = actor.cluster.fileSystem;
    const isDone = await this.#count(async () => {
      const { lossCount } = inodes;
      for (let i = 0; i < times && !register.isOver; i++) {
        await this.#raise(register, inodes, actor.prng);
        if (!actor.node.answersEarly) register.safe = register.floor;
      }
      await inodes.commit(lossCount);
      register.safe = register.floor;
    });
    register.isBeingWritten = false;
    if (isDone) this.#complaints.push(...register.doubts.splice(0));
    else register.isOver = true;
  }

  /** For a register that is over there is a new one. */
  async #replace(actor: Actor): Promise<void> {
    this.#registers = this.#registers.filter(({ isOver }) => !isOver);
    for (const kind of KINDS) {
      if (this.#registers.some((register) => register.kind === kind)) continue;
      await this.#count(() => this.#add(kind, actor.cluster.fileSystem.inodes));
    }
  }

  async #raise(register: Register, inodes: InodeOperations, prng: Prng): Promise<void> {
    const { kind, ino } = register;
    const options = { timeoutMs: TIMEOUT_MS };
    let value = register.floor + 1;
    // As a mount does; every other time, so that the other way is gone as well.
    const mayBeAtOnce = value % 2 === 0;
    if (kind === "owner") {
      const change = { uid: value };
      const isDone = mayBeAtOnce && inodes.setAttributesAtOnce(ino, change) !== undefined;
      if (!isDone) await inodes.setAttributes(ino, change, options);
    } else if (kind === "name") {
      const fromName = toUtf8(`new${this.#names++}`);
      const made = await inodes.create({ parent: this.#directory, name: fromName, mode: FILE }, options);
      value = this.#ranks.size + 1;
      this.#ranks.set(made.ino, value);
      const to = { toParent: this.#directory, toName: nameOf(register) };
      await inodes.rename({ fromParent: this.#directory, fromName, ...to, mode: "replace" }, options);
    } else {
      value = await this.#append(inodes, ino, prng);
    }
    register.floor = Math.max(register.floor, value);
  }

  /** The MDS knows the size when this resolves; the file may stay open for a moment, as a mount's files do. */
  async #append(inodes: InodeOperations, ino: InodeNumber, prng: Prng): Promise<number> {
    const options = { timeoutMs: TIMEOUT_MS };
    const atOnce = prng.chance(0.5) ? inodes.openAtOnce(ino, "write") : undefined;
    const handle = atOnce ?? (await inodes.open(ino, "write", options));
    const lingers = prng.chance(0.5);
    try {
      const offset = await handle.append(prng.bytes(prng.between(1, 50)), options);
      if (lingers) await handle.flush(options);
      return offset + 1;
    } finally {
      if (lingers) await handle.release();
      else await handle.close();
    }
  }

  async #valueOf(register: Register, inodes: InodeOperations): Promise<number> {
    const options = { timeoutMs: TIMEOUT_MS };
    if (register.kind === "name") {
      const { ino: found } = await inodes.lookup(this.#directory, nameOf(register), options);
      return this.#ranks.get(found) ?? 0;
    }
    const { uid, sizeBytes } = await inodes.getAttributes(register.ino, options);
    return register.kind === "owner" ? uid : sizeBytes;
  }

  async #add(kind: Register["kind"], inodes: InodeOperations): Promise<void> {
    const options = { timeoutMs: TIMEOUT_MS };
    const made = { parent: this.#directory, mode: FILE };
    const { lossCount } = inodes;
    const { ino } = await inodes.create({ ...made, name: toUtf8(`made${this.#names++}`) }, options);
    const register = { kind, ino, floor: 0, safe: 0, doubts: [], isBeingWritten: false, isOver: false };
    if (kind === "name") await inodes.link(ino, this.#directory, nameOf(register), options);
    await inodes.commit(lossCount);
    this.#registers.push(register);
  }

  /** True if it succeeded. */
  async #count(work: () => Promise<void>): Promise<boolean> {
    this.counts.begun++;
    try {
      await work();
      this.counts.succeeded++;
      return true;
    } catch (error) {
      codeOf(error);
      return false;
    }
  }
}

const nameOf = ({ ino }: Pick<Register, "ino">): Uint8Array => toUtf8(`register${ino}`);
