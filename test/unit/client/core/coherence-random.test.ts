import assert from "node:assert/strict";
import { test } from "vitest";
import { Prng, toLatin1, toUtf8 } from "../../../../src/base/index.js";
import { MetadataCache } from "../../../../src/client/core/metadata-cache.js";
import { ownChange, ownNames } from "../../../../src/client/core/own-changes.js";
import { InterestTable } from "../../../../src/mds/core/interest.js";
import { PendingInvalidations } from "../../../../src/mds/core/pending-invalidations.js";
import {
  type Attributes,
  type Coherence,
  type InodeNumber,
  type InvalidItem,
  inodeNumber,
  type MetadataMutation,
  type MetadataReply,
  MODE_DIRECTORY,
  MODE_FILE,
  type SessionId,
  sessionId,
} from "../../../../src/meta/index.js";

/** One directory, a few names, a few inodes: the truth is two maps. */
const DIRECTORY = inodeNumber(1);
const NAMES = ["a", "b", "c"].map(toUtf8);
const INOS = [2, 3, 4].map(inodeNumber);
const IDLE_MS = 200;
const OK: MetadataReply = { type: "ok", body: {} };

type Message = () => void;

interface Client {
  readonly id: SessionId;
  readonly cache: MetadataCache;
  /** What a kernel was told of names, and until when it believes that. */
  readonly kernel: Map<string, { readonly ino: InodeNumber | null; readonly untilMs: number }>;
  /** In the order in which they were sent. */
  readonly up: Message[];
  readonly down: Message[];
}

/** The leader's tables and three clients over ordered streams, delivered at random. */
class World {
  readonly #prng: Prng;
  readonly #names = new Map<string, InodeNumber>();
  readonly #changeCounts = new Map<InodeNumber, number>([DIRECTORY, ...INOS].map((ino) => [ino, 1]));
  readonly #interest: InterestTable;
  readonly #pending = new PendingInvalidations();
  readonly #clients: Client[];
  /** Mutations that were carried out and are not answered. */
  readonly #answering: Message[] = [];
  #nowMs = 0;
  /** How often a kernel asks for a name, and how often somebody has to ask the leader. */
  readonly #useChance: number;
  readonly #lookupChance: number;
  readonly #changeChance: number;
  readonly hits = { names: 0, inodes: 0 };

  constructor(seed: number) {
    this.#prng = new Prng(seed);
    this.#useChance = this.#prng.pick([0.2, 0.05]);
    this.#lookupChance = this.#prng.pick([0.1, 0.02, 0]);
    this.#changeChance = this.#prng.pick([0.04, 0.09]);
    this.#interest = new InterestTable(this.#prng.pick([1, 3, 100]));
    const limits = this.#prng.pick([
      { inodesMax: 100, namesMax: 100 },
      { inodesMax: 2, namesMax: 2 },
    ]);
    this.#clients = [1, 2, 3].map((id) => ({
      id: sessionId(id),
      cache: new MetadataCache(limits),
      kernel: new Map(),
      up: [],
      down: [],
    }));
  }

  step(): void {
    this.#nowMs += this.#prng.below(20);
    const client = this.#prng.pick(this.#clients);
    const roll = this.#prng.float();
    if (roll < 0.35) client.up.shift()?.();
    else if (roll < 0.7) client.down.shift()?.();
    else if (roll < 0.7 + this.#lookupChance) this.#lookup(client, this.#prng.pick(NAMES));
    else if (roll < 0.9 - this.#changeChance) this.#stat(client, this.#prng.pick([DIRECTORY, ...INOS]));
    else if (roll < 0.9) this.#change(client);
    else if (roll < 0.99) this.#answering.splice(this.#prng.below(this.#answering.length + 1), 1)[0]?.();
    else this.#reconnect(client);
    for (const each of this.#clients) this.#check(each);
  }

  /** Whatever a cache answers is true, or somebody is waiting until it is dropped. */
  #check({ id, cache, kernel }: Client): void {
    for (const ino of [DIRECTORY, ...INOS]) {
      const known = cache.attributes(ino)?.changeCount;
      if (known === undefined || this.#isPending(id, ino)) continue;
      this.hits.inodes++;
      assert.equal(known, this.#changeCounts.get(ino), `client ${id} is wrong about inode ${ino}`);
    }
    for (const name of NAMES) {
      // Asking moves the time of last use, and a directory in use is not released: so not always.
      const known = this.#prng.chance(this.#useChance)
        ? cache.entry(DIRECTORY, name, this.#nowMs)
        : undefined;
      if (known !== undefined) kernel.set(toLatin1(name), { ino: known, untilMs: this.#nowMs + IDLE_MS });
      if (known === undefined || this.#isPending(id, DIRECTORY)) continue;
      this.hits.names++;
      assert.equal(known, this.#names.get(toLatin1(name)) ?? null, `client ${id} is wrong about a name`);
    }
    for (const [text, { ino, untilMs }] of kernel) {
      if (untilMs < this.#nowMs || this.#isPending(id, DIRECTORY)) continue;
      assert.equal(ino, this.#names.get(text) ?? null, `the kernel of client ${id} is wrong about a name`);
    }
  }

  #isPending(id: SessionId, ino: InodeNumber): boolean {
    return this.#pending.concerning([ino], sessionId(0)).some((pending) => pending.sessionId === id);
  }

  #lookup({ id, cache, up, down }: Client, name: Uint8Array): void {
    const asked = cache.ask();
    up.push(() => {
      this.#tell(this.#interest.noteNames(id, DIRECTORY));
      const ino = this.#names.get(toLatin1(name)) ?? null;
      if (ino !== null) this.#tell(this.#interest.noteInode(id, ino));
      const attributes = ino === null ? undefined : this.#attributes(ino);
      down.push(() => {
        cache.keepEntry(asked, DIRECTORY, name, ino, this.#nowMs);
        if (attributes !== undefined) cache.keepAttributes(asked, attributes);
        cache.answered();
      });
    });
  }

  #stat({ id, cache, up, down }: Client, ino: InodeNumber): void {
    const asked = cache.ask();
    up.push(() => {
      this.#noteAttributes(id, ino);
      const attributes = this.#attributes(ino);
      down.push(() => {
        cache.keepAttributes(asked, attributes);
        cache.answered();
      });
    });
  }

  #change(client: Client): void {
    const { id, cache, up, down } = client;
    const mutation = this.#drawMutation();
    const entryOf = (directory: InodeNumber, name: Uint8Array): InodeNumber | null | undefined =>
      cache.entry(directory, name, this.#nowMs);
    const own = ownChange(mutation, entryOf);
    const change = cache.beginChange(own);
    // The kernel changes its names itself.
    for (const { name } of own.names) client.kernel.delete(toLatin1(name));
    up.push(() => {
      this.#tell(this.#interest.noteNames(id, DIRECTORY));
      const { reply, touched } = this.#carryOut(mutation);
      const dropped = this.#touch(touched, id);
      // Others have to drop it first: the answer is made later, and what it says besides is as of then.
      this.#answering.push(() => {
        const coherence = touched.length === 0 ? undefined : this.#besides(id, touched, dropped);
        down.push(() => {
          const names = coherence === undefined ? [] : ownNames(mutation, reply);
          cache.endChange(change, coherence, names, this.#nowMs);
        });
      });
    });
  }

  #drawMutation(): MetadataMutation {
    const id = { sequence: 1, answeredBelow: 1, unanswered: [] };
    const name = this.#prng.pick(NAMES);
    const ino = this.#prng.pick(INOS);
    const kinds: MetadataMutation[] = [
      { type: "link", body: { id, ino, parent: DIRECTORY, name } },
      { type: "remove", body: { id, parent: DIRECTORY, name, directory: false } },
      { type: "setAttributes", body: { id, ino, atimeNow: false, mtimeNow: true } },
      {
        type: "rename",
        body: {
          id,
          fromParent: DIRECTORY,
          fromName: name,
          toParent: DIRECTORY,
          toName: this.#prng.pick(NAMES),
          mode: "replace",
        },
      },
    ];
    return this.#prng.pick(kinds);
  }

  /** What it touched; nothing if it failed. */
  #carryOut({ type, body }: MetadataMutation): { reply: MetadataReply; touched: InvalidItem[] } {
    const before = new Map(this.#names);
    const inos = new Set<InodeNumber>();
    let reply = OK;
    if (type === "link" && !this.#names.has(toLatin1(body.name))) {
      this.#names.set(toLatin1(body.name), body.ino);
      inos.add(body.ino);
    } else if (type === "remove") {
      this.#names.delete(toLatin1(body.name));
    } else if (type === "rename") {
      const from = this.#names.get(toLatin1(body.fromName));
      if (from !== undefined) {
        this.#names.delete(toLatin1(body.fromName));
        this.#names.set(toLatin1(body.toName), from);
        inos.add(from);
      }
    } else if (type === "setAttributes") inos.add(body.ino);
    const touched: InvalidItem[] = [];
    for (const name of NAMES) {
      const [old, now] = [before.get(toLatin1(name)), this.#names.get(toLatin1(name))];
      if (old === now) continue;
      touched.push({ kind: "entry", ino: DIRECTORY, name });
      inos.add(DIRECTORY);
      for (const ino of [old, now]) if (ino !== undefined) inos.add(ino);
    }
    for (const ino of inos) {
      this.#changeCounts.set(ino, (this.#changeCounts.get(ino) ?? 0) + 1);
      touched.push({ kind: "inode", ino, name: new Uint8Array(0) });
    }
    if (type === "link" && touched.length > 0)
      reply = { type: "entry", body: { attributes: this.#attributes(body.ino) } };
    return { reply, touched };
  }

  /** Returns what the causer itself may keep. */
  #touch(items: readonly InvalidItem[], causer: SessionId): InvalidItem[] {
    const bySession = new Map<SessionId, InvalidItem[]>();
    for (const item of items) {
      for (const id of this.#interest.touched(item)) bySession.set(id, [...(bySession.get(id) ?? []), item]);
    }
    const dropped = bySession.get(causer) ?? [];
    bySession.delete(causer);
    // What one change makes untrue is dropped together.
    for (const [id, told] of bySession) this.#invalidate(id, told);
    return dropped;
  }

  #besides(id: SessionId, touched: readonly InvalidItem[], dropped: readonly InvalidItem[]): Coherence {
    const inos = new Set(touched.filter(({ kind }) => kind === "inode").map(({ ino }) => ino));
    for (const ino of inos) this.#noteAttributes(id, ino);
    return { changed: [...inos].map((ino) => this.#attributes(ino)), fleeting: [], dropped, sole: [] };
  }

  #noteAttributes(id: SessionId, ino: InodeNumber): void {
    this.#tell(this.#interest.noteInode(id, ino));
    if (ino === DIRECTORY) this.#tell(this.#interest.noteNames(id, ino));
  }

  #tell(notices: ReturnType<InterestTable["noteInode"]>): void {
    for (const { sessionId: id, item } of notices) this.#invalidate(id, [item]);
  }

  #invalidate(id: SessionId, items: readonly InvalidItem[]): void {
    const client = this.#clients.find((each) => each.id === id);
    assert(client !== undefined, "an invalidation has an addressee");
    const { number } = this.#pending.add(
      id,
      items.map(({ ino }) => ino),
    );
    client.down.push(() => {
      client.cache.invalidate(items);
      dropFromKernel(client, items);
      const released = client.cache.release(items, this.#nowMs, IDLE_MS);
      client.up.push(() => {
        for (const directory of released) this.#interest.release(id, directory);
        this.#pending.acknowledged(id, number);
      });
    });
  }

  /** The stream is lost with all that is on it; questions fail. */
  #reconnect({ id, cache, kernel, up, down }: Client): void {
    if (up.length > 0 || down.length > 0) return;
    cache.forgetAll();
    kernel.clear();
    this.#interest.forget(id);
    this.#pending.sessionForgot(id);
  }

  #attributes(ino: InodeNumber): Attributes {
    const mode = ino === DIRECTORY ? MODE_DIRECTORY : MODE_FILE;
    const sizeBytes = this.#names.size;
    return { ino, mode, sizeBytes, changeCount: this.#changeCounts.get(ino) } as Attributes;
  }
}

/** As the mount does it: a kernel is told of what the cache is told. */
function dropFromKernel({ kernel }: Client, items: readonly InvalidItem[]): void {
  for (const { kind, name } of items) {
    if (kind === "entry") kernel.delete(toLatin1(name));
    else if (kind === "entries") kernel.clear();
  }
}

test("whatever a cache answers is true, or its invalidation is waited for", () => {
  const hits = { names: 0, inodes: 0 };
  for (let seed = 1; seed <= 300; seed++) {
    const world = new World(seed);
    for (let i = 0; i < 400; i++) world.step();
    hits.names += world.hits.names;
    hits.inodes += world.hits.inodes;
  }
  assert(
    hits.names > 3000 && hits.inodes > 20_000,
    `a test that keeps nothing tests nothing: ${JSON.stringify(hits)}`,
  );
});
