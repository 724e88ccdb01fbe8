import { assert, toUtf8 } from "../../../src/base/index.js";
import type { Cluster, LockHolder } from "../../../src/client/index.js";
import {
  type FileLock,
  type InodeNumber,
  type LockFamily,
  type LockKind,
  type LockOwner,
  lockOwner,
  lockPosition,
  MODE_FILE,
  ROOT_INODE,
  WHOLE_FILE,
} from "../../../src/meta/index.js";
import { type Actor, codeOf, type Workload, type WorkloadWorld } from "./workload.js";

/** Somebody who was given a lock and has not begun to give it back. */
interface Inside {
  readonly actor: Actor;
  readonly life: number;
  readonly lock: FileLock;
}

const FILE_COUNT = 2;
const OWNER_COUNT = 2;
const BYTES = 4;
/** A wait is given up after this long at most. */
const WAIT_MS_MAX = 5000;

/**
 * Locks of programs, taken and given back by several owners in several clients at once. Checked is that nobody is given
 * a lock while a conflicting one is surely held: by a living client whose session is in force, from the answer to its
 * request on until it begins to give it back. And that in the end nothing is locked.
 */
export class LockWorkload implements Workload {
  readonly name = "locks";
  readonly counts = { begun: 0, succeeded: 0 };
  readonly #world: WorkloadWorld;
  readonly #files: InodeNumber[] = [];
  readonly #inside = new Set<Inside>();
  readonly #complaints: string[] = [];
  /** Owners at work: the same owner does not take two locks at a time. */
  readonly #busy = new Set<string>();
  readonly #heard = new WeakSet<Cluster>();

  constructor(world: WorkloadWorld) {
    this.#world = world;
  }

  async setUp({ fileSystem: { inodes } }: Cluster): Promise<void> {
    for (let i = 0; i < FILE_COUNT; i++) {
      const inode = { parent: ROOT_INODE, name: toUtf8(`locked${i}`), mode: MODE_FILE | 0o644 };
      this.#files.push((await inodes.create(inode)).ino);
    }
  }

  async work(actor: Actor): Promise<void> {
    this.#hear(actor.cluster);
    const { prng } = actor;
    const lanes = Array.from({ length: prng.between(1, 3) }, () => prng.fork());
    await Promise.all(
      lanes.map(async (own) => {
        for (let i = 0; i < 6 && !actor.isStopping(); i++) await this.#visit({ ...actor, prng: own });
      }),
    );
  }

  async readBack(actor: Actor): Promise<void> {
    for (const ino of this.#files) {
      for (const family of ["flock", "range"] as const) {
        const lock: FileLock = {
          ino,
          family,
          owner: lockOwner(99n),
          kind: "exclusive",
          ...WHOLE_FILE,
          pid: 1,
        };
        const found = await actor.cluster.locks.test(lock);
        if (found !== undefined) this.#complaints.push(`left behind: ${nameOf(found.lock)}`);
      }
    }
  }

  /** Whose session is over holds nothing; what counts here is that the process is dead. */
  fence(): void {}

  /** The log of the metadata servers is always synced: nothing is lost. */
  powerFailed(): void {}

  check(): string[] {
    return this.#complaints;
  }

  /** One lock: had, kept for a while, given back. */
  async #visit(actor: Actor): Promise<void> {
    const lock = this.#draw(actor);
    const who = `${actor.process} ${lock.ino} ${lock.family} ${lock.owner}`;
    if (this.#busy.has(who)) return;
    this.#busy.add(who);
    const { locks } = actor.cluster;
    this.counts.begun++;
    const { prng } = actor;
    try {
      const limit = { timeoutMs: prng.between(1, WAIT_MS_MAX) };
      if (prng.chance(0.7)) await locks.setWaiting(lock, limit);
      else await locks.set(lock, limit);
      this.counts.succeeded++;
      const inside = this.#enter(actor, lock);
      await actor.node.host.clock.sleep("workload.locked", prng.between(0, 200));
      this.#inside.delete(inside);
    } catch (error) {
      codeOf(error);
    }
    await locks.release(lock.ino, lock.family, lock.owner);
    this.#busy.delete(who);
  }

  #draw({ prng }: Actor): FileLock {
    const family: LockFamily = prng.chance(0.3) ? "flock" : "range";
    const kind: LockKind = prng.chance(0.4) ? "shared" : "exclusive";
    const owner: LockOwner = lockOwner(BigInt(prng.below(OWNER_COUNT)));
    const begin = prng.below(BYTES);
    const part = {
      begin: lockPosition(BigInt(begin)),
      end: lockPosition(BigInt(prng.between(begin + 1, BYTES))),
    };
    return {
      ino: prng.pick(this.#files),
      family,
      owner,
      kind,
      ...(family === "flock" ? WHOLE_FILE : part),
      pid: 1,
    };
  }

  #enter(actor: Actor, lock: FileLock): Inside {
    const inside: Inside = { actor, life: actor.node.life, lock };
    if (isSure(inside)) {
      for (const other of this.#inside) {
        if (!isSure(other) || !conflict(inside.lock, other.lock)) continue;
        const atMs = this.#world.simulation.simulator.nowMs.toFixed(0);
        this.#complaints.push(
          `at ${atMs} ms ${actor.process} was given ${nameOf(lock)} while ${other.actor.process} has ${nameOf(other.lock)}`,
        );
      }
    }
    this.#inside.add(inside);
    return inside;
  }

  /** What a lost session takes with it is held no more. */
  #hear(cluster: Cluster): void {
    if (this.#heard.has(cluster)) return;
    this.#heard.add(cluster);
    cluster.locks.onLostLocks((lost: readonly LockHolder[]) => {
      assert(lost.length > 0, "whoever lost nothing is not told");
      for (const inside of [...this.#inside]) {
        if (inside.actor.cluster === cluster) this.#inside.delete(inside);
      }
    });
  }
}

const isSure = ({ actor, life }: Inside): boolean =>
  actor.node.life === life && actor.node.cluster === actor.cluster && actor.cluster.locks.areInForce;

/** Both cannot be held: of one family, on one byte, one of them exclusive. The workload has no owner twice. */
const conflict = (a: FileLock, b: FileLock): boolean =>
  a.ino === b.ino &&
  a.family === b.family &&
  a.begin < b.end &&
  b.begin < a.end &&
  (a.kind === "exclusive" || b.kind === "exclusive");

const nameOf = ({ ino, family, kind, begin, end, owner }: FileLock): string =>
  `${kind} ${family} lock of ${owner} on ${ino}[${Number(`0x${begin}`)}, ${Number(`0x${end}`)})`;
