import { describe, expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { chunkId, chunkVersion, csId } from "../../../../src/chunk/index.js";
import { LevelTables } from "../../../../src/mds/store/level-tables.js";
import { inodeNumber } from "../../../../src/meta/index.js";
import { MemoryKv, MemoryKvDisk } from "./memory-kv.js";

/**
 * The tables over a store whose batches are late, against maps that hold the same. Now and then the process dies and
 * starts again from what the disk has: the state is then the one of the last batch that is there.
 */
describe("random changes and reads", () => {
  const cases = Array.from({ length: 8 }, (_, seed) => ({ seed: seed + 1 }));

  test.each(cases)("see what was written last, whatever is on disk (seed $seed)", async ({ seed }) => {
    const run = new Run(new Prng(seed));
    await run.start();
    for (let i = 0; i < 600; i++) await run.step();
    await run.crash();
    await run.compareAll();
  });
});

const PARENTS = 3;
const NAMES = 12;

/** Of `deletions` (two numbers), `dentries` (number and text), `opens` (resident, two numbers) and `config`. */
type Twin = Map<string, unknown>;

class Run {
  readonly #prng: Prng;
  readonly #disk = new MemoryKvDisk();
  #kv = new MemoryKv(this.#disk);
  #tables: LevelTables | undefined;
  #twin: Twin = new Map();
  /** After each batch that was asked for. */
  readonly #history: Twin[] = [];
  #applied = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  async start(): Promise<void> {
    this.#kv = new MemoryKv(this.#disk);
    const { tables, applied } = await LevelTables.load(this.#kv, 1);
    expect(applied.index).toBe(this.#disk.batches.length);
    this.#applied = applied.index;
    this.#tables = tables;
  }

  async step(): Promise<void> {
    const pick = this.#prng.below(100);
    if (pick < 45) this.#change();
    else if (pick < 70) this.#compareOne();
    else if (pick < 85) this.#write();
    else if (pick < 93) await this.#comparePage();
    else if (pick < 97) await new Promise<void>((resolve) => setImmediate(resolve));
    else if (pick < 98) await this.crash();
    else if (this.#prng.chance(0.5)) this.#kv.hold();
    else this.#kv.release();
  }

  /** The process dies; what the disk has not taken is gone, and what has no sync may be gone too. */
  async crash(): Promise<void> {
    this.#kv.release();
    await this.#writing;
    this.#disk.losePower(this.#prng.below(4));
    this.#twin = new Map(this.#history[this.#disk.batches.length - 1] ?? []);
    this.#history.length = this.#disk.batches.length;
    await this.start();
  }

  async compareAll(): Promise<void> {
    for (let parent = 1; parent <= PARENTS; parent++) {
      for (let name = 0; name < NAMES; name++) this.#compare(parent, name);
      await this.#comparePageOf(parent, undefined, 100);
    }
  }

  get #open(): LevelTables {
    if (this.#tables === undefined) throw new Error("it was started");
    return this.#tables;
  }

  #change(): void {
    const parent = this.#prng.between(1, PARENTS);
    const name = this.#prng.below(NAMES);
    const key = `${parent}/${name}`;
    if (this.#prng.chance(0.35)) {
      this.#open.dentries.delete(inodeNumber(parent), nameOf(name));
      this.#open.deletions.delete(csId(parent), chunkId(name));
      this.#open.writers.delete(inodeNumber(parent), 1 as never, chunkId(name));
      this.#twin.delete(key);
      return;
    }
    const value = this.#prng.between(1, 1_000_000);
    this.#open.dentries.put({ ino: inodeNumber(value), mode: 1 }, inodeNumber(parent), nameOf(name));
    this.#open.deletions.put(chunkVersion(value), csId(parent), chunkId(name));
    const writer = { ino: inodeNumber(parent), sessionId: value as never, chunkId: chunkId(name) };
    this.#open.writers.put(writer, inodeNumber(parent), 1 as never, chunkId(name));
    this.#twin.set(key, value);
  }

  #write(): void {
    this.#applied += 1;
    const { changes, settle } = this.#open.takeBatch({ index: this.#applied, term: 1 });
    this.#history.push(new Map(this.#twin));
    const written = this.#kv.batch(changes, { sync: this.#prng.chance(0.3) }).then(settle);
    this.#writing = Promise.all([this.#writing, written]).then(() => undefined);
  }

  #compareOne(): void {
    this.#compare(this.#prng.between(1, PARENTS), this.#prng.below(NAMES));
  }

  #compare(parent: number, name: number): void {
    const expected = this.#twin.get(`${parent}/${name}`);
    expect(this.#open.dentries.get(inodeNumber(parent), nameOf(name))?.ino).toBe(expected);
    expect(this.#open.deletions.get(csId(parent), chunkId(name))).toBe(expected);
    const writer = this.#open.writers.get(inodeNumber(parent), 1 as never, chunkId(name));
    expect(writer?.sessionId).toBe(expected);
  }

  async #comparePage(): Promise<void> {
    const after = this.#prng.chance(0.3) ? undefined : this.#prng.below(NAMES);
    await this.#comparePageOf(this.#prng.between(1, PARENTS), after, this.#prng.between(1, NAMES));
  }

  async #comparePageOf(parent: number, after: number | undefined, limit: number): Promise<void> {
    const all = [...this.#twin].filter(([key]) => key.startsWith(`${parent}/`));
    const rows = all.map(([key, value]) => [Number(key.split("/")[1]), value] as const);
    const expected = rows
      .filter(([name]) => after === undefined || name > after)
      .sort(([a], [b]) => a - b)
      .slice(0, limit);
    const resident = [...this.#open.writers.valuesOf(inodeNumber(parent))].map((writer) => writer.sessionId);
    expect(resident).toEqual([...rows].sort(([a], [b]) => a - b).map(([, value]) => value));
    const deletions = this.#open.deletions.page([parent], after, limit);
    const dentries = this.#open.dentries.page(
      [parent],
      after === undefined ? undefined : nameOf(after),
      limit,
    );
    // What happens after the call is not seen.
    if (this.#prng.chance(0.5)) this.#change();
    this.#write();
    expect((await deletions).map(({ key, value }) => [key[1], value])).toEqual(expected);
    const names = (await dentries).map(({ key, value }) => [key[1], value.ino]);
    expect(names).toEqual(expected.map(([name, value]) => [nameOf(name), value]));
  }
}

/** In the order of the numbers. */
const nameOf = (number: number): string => `n${String.fromCharCode(0x60 + number)}\xff`;
