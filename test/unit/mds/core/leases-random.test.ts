import assert from "node:assert/strict";
import { describe, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import type { Change, WaitKey } from "../../../../src/mds/core/command.js";
import type { Effect } from "../../../../src/mds/core/effects.js";
import { isWriting, openCountOf } from "../../../../src/mds/core/leases.js";
import type { OpenRecord } from "../../../../src/mds/core/records.js";
import {
  type Access,
  type InodeNumber,
  type LeaseKind,
  ROOT_INODE,
  type SessionId,
} from "../../../../src/meta/index.js";
import { CoreWorld, codeOf } from "./core-world.js";

const CHUNK_BYTES = 65536;
type Recall = Extract<Effect, { readonly type: "recallLease" }>;

/**
 * Sessions that open, write, come down late, and die, over a few files. Waiting requests are proposed again only when
 * they are woken, so that a wake that is missing leaves them waiting for ever.
 */
class Crowd {
  readonly world = new CoreWorld();
  readonly #random: Prng;
  readonly #files: InodeNumber[] = [];
  #sessions: SessionId[] = [];
  #waiting: { readonly key: string; readonly command: Mutate }[] = [];
  #recalls: Recall[] = [];
  readonly #sequences = new Set<number>();

  constructor(seed: number) {
    this.#random = new Prng(seed);
    this.world.addServer(1);
    this.#sessions = Array.from({ length: 4 }, () => this.world.session());
    const [first] = this.#sessions;
    assert.ok(first !== undefined);
    this.world.mutate(first, "setStorage", { ino: ROOT_INODE, chunkBytes: CHUNK_BYTES });
    for (const name of ["f", "g"]) this.#files.push(this.world.create(first, name).attributes.ino);
  }

  step(): void {
    const sessionId = this.#random.pick(this.#sessions);
    const ino = this.#random.pick(this.#files);
    const roll = this.#random.below(100);
    if (roll < 3) this.#openAhead(sessionId);
    else if (roll < 28) this.#open(sessionId, ino);
    else if (roll < 55) this.#close(sessionId, ino);
    else if (roll < 70) this.#answer();
    else if (roll < 80) this.#allocate(sessionId, ino);
    else if (roll < 88) this.#install();
    else if (roll < 92) this.#truncate(sessionId, ino);
    else if (roll < 96) this.#report(sessionId, ino);
    else if (roll < 97) this.#extend(sessionId, ino);
    else if (roll < 98) this.#replaceSession(sessionId);
    else this.#propose(this.world.next(sessionId, "revoke", { ino }));
    this.check();
  }

  /** Everybody answers, everything is installed: then nobody waits any more. */
  settle(): void {
    for (let round = 0; round < 500 && this.#isBusy; round++) {
      while (this.#recalls.length > 0) this.#answer();
      while (this.world.tables.installing.size > 0) this.#install();
      this.check();
    }
    assert.deepEqual(this.#waiting, []);
    assert.equal(this.world.tables.recoveries.size, 0);
  }

  check(): void {
    for (const ino of this.#files) this.#checkFile([...this.world.tables.opens.valuesOf(ino)]);
    for (const { sessionId, ino } of this.world.tables.writers.values()) this.#checkWriter(sessionId, ino);
    const mirrored = this.world.tables.sessionOpens.entries().map(([[sessionId, ino]]) => [ino, sessionId]);
    assert.equal(mirrored.length, this.world.tables.opens.size);
    for (const [ino, sessionId] of mirrored) {
      assert.ok(this.world.tables.opens.get(ino as InodeNumber, sessionId as SessionId) !== undefined);
    }
  }

  #checkFile(opens: readonly OpenRecord[]): void {
    const holders = opens.filter(({ lease }) => lease !== "none");
    const holdersOf = (kind: LeaseKind): OpenRecord[] => holders.filter(({ lease }) => lease === kind);
    if (holdersOf("exclusive").length > 0) assert.equal(holders.length, 1, "exclusive is alone");
    const writing = holders.filter(({ counts }) => isWriting(counts));
    const isShared = writing.some(({ lease }) => lease === "shared");
    if (isShared) assert.equal(holdersOf("read").length, 0, "nobody caches beside a writer");
    for (const { lease } of writing) assert.notEqual(lease, "read", "readers do not write");
    if (holders.some(({ counts }) => counts.exclusive > 0)) {
      assert.equal(writing.length, 1, "there is one writer where one is demanded");
    }
    for (const open of opens) {
      assert.equal(open.lease === "none", openCountOf(open.counts) === 0, "what is open has a lease");
      assert.equal(open.lease === "none", open.leaseSequence === 0);
      assert.ok(open.lease !== "none" || (open.recallTo === undefined && open.revoked !== undefined));
    }
  }

  /** Whoever may have writes under way holds a lease for it, or is being fenced. */
  #checkWriter(sessionId: SessionId, ino: InodeNumber): void {
    const lease = this.world.tables.opens.get(ino, sessionId)?.lease;
    const isFenced = this.world.tables.recoveries.get(ino)?.sessions.includes(sessionId) === true;
    assert.ok(lease === "exclusive" || lease === "shared" || isFenced);
  }

  get #isBusy(): boolean {
    return this.#recalls.length > 0 || this.world.tables.installing.size > 0;
  }

  #openAhead(sessionId: SessionId): void {
    const files = this.#files.map((ino) => ({ ino }));
    this.#propose(this.world.next(sessionId, "openAhead", { files }));
  }

  #open(sessionId: SessionId, ino: InodeNumber): void {
    const access = this.#random.pick<Access>(["read", "read", "write", "write", "exclusive"]);
    this.#propose(this.world.next(sessionId, "open", { ino, access }));
  }

  #close(sessionId: SessionId, ino: InodeNumber): void {
    const open = this.world.tables.opens.get(ino, sessionId);
    const counts = open?.revoked ?? open?.counts;
    const accesses = (["read", "write", "exclusive"] as const).filter(
      (access) => (counts?.[access] ?? 0) > 0,
    );
    if (accesses.length === 0) return;
    const close = { ino, access: this.#random.pick(accesses) };
    assert.equal(this.#propose(this.world.next(sessionId, "close", close)), "ok");
  }

  /** The holder does as it was told, unless it has lost the lease meanwhile. */
  #answer(): void {
    const recall = this.#recalls.splice(this.#random.below(this.#recalls.length), 1)[0];
    if (recall === undefined) return;
    const { sessionId, ino, leaseSequence, to } = recall;
    const open = this.world.tables.opens.get(ino, sessionId);
    const mtime = { seconds: 1, nanos: 0 };
    const body = { ino, leaseSequence, sizeBytes: 0, mtime, downgradeTo: to };
    const code = this.#propose(this.world.next(sessionId, "reportFile", body));
    // A recall that was overtaken by another may not suit any more.
    const isOvertaken = open?.recallTo !== to || open.leaseSequence !== leaseSequence;
    if (!isOvertaken) assert.equal(code, "ok");
  }

  #allocate(sessionId: SessionId, ino: InodeNumber): void {
    const open = this.world.tables.opens.get(ino, sessionId);
    if (open === undefined) return;
    const body = { ino, leaseSequence: open.leaseSequence, index: this.#random.below(3) };
    const mayWrite = open.lease === "exclusive" || (open.lease === "shared" && isWriting(open.counts));
    const code = this.#propose(this.world.next(sessionId, "allocateChunk", body));
    assert.equal(code === "lease_lost", !mayWrite, "a lease for writing, and nothing else, allows to write");
  }

  #install(): void {
    const chunkId = [...this.world.tables.installing.values()][0];
    const chunk = chunkId === undefined ? undefined : this.world.tables.chunks.get(chunkId);
    if (chunk === undefined) return;
    const highWaterBytes = this.#random.below(CHUNK_BYTES);
    const { effects } = this.world.apply({
      type: "chunkInstalled",
      body: { chunkId: chunk.chunkId, version: chunk.version, highWaterBytes },
    });
    this.#carryOut(effects);
  }

  #truncate(sessionId: SessionId, ino: InodeNumber): void {
    const sizeBytes = this.#random.below(3 * CHUNK_BYTES);
    this.#propose(this.world.next(sessionId, "truncate", { ino, sizeBytes }));
  }

  #report(sessionId: SessionId, ino: InodeNumber): void {
    const leaseSequence = this.world.tables.opens.get(ino, sessionId)?.leaseSequence ?? 0;
    const body = { ino, leaseSequence, sizeBytes: this.#random.below(1e6), mtime: { seconds: 2, nanos: 0 } };
    this.#propose(this.world.next(sessionId, "reportFile", body));
  }

  #extend(sessionId: SessionId, ino: InodeNumber): void {
    const open = this.world.tables.opens.get(ino, sessionId);
    const leaseSequence = open?.leaseSequence ?? 0;
    const isShared = open?.lease === "shared" && isWriting(open.counts);
    const code = this.#propose(this.world.next(sessionId, "extend", { ino, leaseSequence, lengthBytes: 1 }));
    assert.equal(code === "ok" || code === "wait", isShared, "room is made for writers of shared files");
  }

  #replaceSession(sessionId: SessionId): void {
    this.#waiting = this.#waiting.filter(({ command }) => command.body.sessionId !== sessionId);
    const { effects } = this.world.apply({ type: "endSession", body: { sessionId, reason: "expired" } });
    this.#sessions = this.#sessions.map((other) => (other === sessionId ? this.world.session() : other));
    this.#carryOut(effects);
  }

  #propose(command: Mutate): string {
    const { outcome, effects } = this.world.apply(command);
    if (outcome.type === "wait") this.#waiting.push({ key: textOf(outcome.key), command });
    if (outcome.type === "reply" && outcome.reply.type === "opened")
      this.#noteLease(command, outcome.reply.body.lease);
    if (outcome.type === "reply" && outcome.reply.type === "openedAhead")
      for (const { lease } of outcome.reply.body.files) this.#noteLease(command, lease);
    this.#carryOut(effects);
    return codeOf(outcome);
  }

  /** Sequences are never granted to two. */
  #noteLease(
    { body }: Mutate,
    { kind, sequence }: { readonly kind: LeaseKind; readonly sequence: number },
  ): void {
    assert.notEqual(kind, "none");
    assert.ok(sequence > 0);
    if (this.#sequences.has(sequence)) return;
    this.#sequences.add(sequence);
    assert.equal(
      sequence,
      Math.max(...this.#sequences),
      `session ${body.sessionId} gets a sequence that grows`,
    );
  }

  #carryOut(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === "recallLease" && effect.to !== "none") this.#recalls.push(effect);
      if (effect.type === "wake") this.#wake(textOf(effect.key));
    }
  }

  #wake(key: string): void {
    const woken = this.#waiting.filter((waiter) => waiter.key === key);
    this.#waiting = this.#waiting.filter((waiter) => waiter.key !== key);
    for (const { command } of woken) this.#propose(command);
  }
}

type Mutate = Extract<Change, { readonly type: "mutate" }>;
const textOf = (key: WaitKey): string => JSON.stringify(key);

describe("leases of a random crowd", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("keep their rules, and whoever waits is woken (seed %i)", (seed) => {
    const crowd = new Crowd(seed);
    for (let i = 0; i < 1500; i++) {
      crowd.step();
      if (i % 15 === 14) crowd.settle();
    }
  });
});
