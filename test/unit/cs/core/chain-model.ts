import { defined, Prng } from "../../../../src/base/index.js";
import {
  BLOCK_BYTES,
  type ChainMember,
  type ChunkVersion,
  chunkId,
  chunkVersion,
  csId,
  extentsOf,
  type ForwardWrite,
  rangeAround,
} from "../../../../src/chunk/index.js";
import type { ChainAnswer, ChainEffect, Change, ForwardResult } from "../../../../src/cs/core/chain-types.js";
import { ReplicaChain } from "../../../../src/cs/core/replica-chain.js";

const BLOCKS = 6;
const CHUNK = chunkId(1);

/** A write, known everywhere by its number; the value it puts into its blocks is that number. */
interface Write {
  readonly value: number;
  /** Ascending. */
  readonly blocks: readonly number[];
}

type OnAnswer = (answer: ChainAnswer) => void;

/** A server as its core sees it: a disk of a few blocks, and things under way that may end in any order. */
class Server {
  readonly id: number;
  readonly incarnation: number;
  readonly chain: ReplicaChain;
  readonly blocks: number[] = new Array(BLOCKS).fill(0);
  readonly values = new Map<number, number>();
  /** Values of all writes ever stored here. */
  readonly stored: number[] = [];
  readonly waiting = new Map<number, OnAnswer>();
  readonly turns = new Map<number, () => void>();
  /** Things that may happen next on this server. */
  readonly tasks: (() => void)[] = [];
  /** To the successor, in order; one queue for each that ever was one. */
  readonly outbox = new Map<number, (() => void)[]>();
  isAlive = true;
  nextRequest = 1;

  constructor(id: number, incarnation: number, version: ChunkVersion, members: readonly ChainMember[]) {
    this.id = id;
    this.incarnation = incarnation;
    this.chain = new ReplicaChain({
      selfId: csId(id),
      incarnation,
      version,
      chain: members,
      refusal: undefined,
    });
  }
}

/**
 * Many cores as one chain, with every delay and order of events that FIFO links and unordered disks allow, chosen by
 * chance. Servers die (without coming back), and survivors are installed anew, each at its own moment. Every read is
 * checked: it must not be older than what was acknowledged, or read by anybody, before it began.
 */
export class ChainModel {
  readonly #prng: Prng;
  readonly servers = new Map<number, Server>();
  #version = 1;
  #members: number[];
  /** Version that clients may use: all its installs were answered. */
  #activeVersion = 1;
  /** Block -> values in the order in which a head put them there. */
  readonly #history: number[][] = Array.from({ length: BLOCKS }, () => [0]);
  /** Block -> index in the history that every later read must reach. */
  readonly #floor: number[] = new Array(BLOCKS).fill(0);
  #nextValue = 1;
  readonly #pendingWrites = new Map<number, Write>();
  readCount = 0;
  ackCount = 0;

  constructor(seed: number, count: number) {
    this.#prng = new Prng(seed);
    this.#members = Array.from({ length: count }, (_, index) => index + 1);
    for (const id of this.#members) this.servers.set(id, new Server(id, 1, chunkVersion(1), this.#chain()));
  }

  run(steps: number): void {
    for (let step = 0; step < steps; step++) {
      const dice = this.#prng.float();
      if (dice < 0.12) this.#write();
      else if (dice < 0.2) this.#read();
      else if (dice < 0.203) this.#kill();
      else if (dice < 0.206) this.#bump();
      else this.#advance();
    }
    this.#settle();
  }

  /** Lets everything end; then all servers must be equal, and every write acknowledged. */
  #settle(): void {
    for (let guard = 0; guard < 100_000; guard++) {
      if (this.#advance()) continue;
      if (this.#activeVersion !== this.#version || this.#pendingWrites.size === 0) break;
      for (const write of this.#pendingWrites.values()) this.#send(write);
    }
    if (this.#activeVersion !== this.#version) throw new Error("the handover never ended");
    if (this.#pendingWrites.size > 0) throw new Error("a write was never acknowledged");
    // Nobody joins here: survivors have stored the same writes, each exactly once.
    const stored = this.#members.map((id) =>
      this.#server(id)
        .stored.sort((a, b) => a - b)
        .join(),
    );
    if (new Set(stored).size > 1) throw new Error(`servers stored different writes: ${stored.join(" | ")}`);
    if (
      new Set(this.#server(this.#members[0]).stored).size !== this.#server(this.#members[0]).stored.length
    ) {
      throw new Error("a write was stored twice");
    }
    const contents = this.#members.map((id) => this.#server(id).blocks.join());
    if (new Set(contents).size > 1) throw new Error(`servers differ: ${contents.join(" | ")}`);
  }

  #write(): void {
    if (this.#pendingWrites.size > 12) return;
    const from = this.#prng.below(BLOCKS);
    const to = Math.min(BLOCKS, from + 1 + this.#prng.below(4));
    const all = Array.from({ length: to - from }, (_, index) => from + index);
    // Some write all of a range, some leave a hole in it.
    const hole = this.#prng.chance(0.5) && all.length > 2 ? from + 1 : undefined;
    const write = { value: this.#nextValue++, blocks: all.filter((block) => block !== hole) };
    this.#pendingWrites.set(write.value, write);
    this.#send(write);
  }

  /** To the head of the newest map; when it fails, it is sent again some time. */
  #send(write: Write): void {
    if (this.#activeVersion !== this.#version) return;
    const head = this.#server(this.#members[0]);
    if (!head.isAlive || head.chain.refusalOf(this.#activeVersion) !== undefined) return;
    this.#request(head, write, ({ type }) => {
      if (type !== "done") return;
      if (!this.#pendingWrites.delete(write.value)) return;
      this.ackCount++;
      for (const block of write.blocks) this.#seen(block, write.value);
    });
  }

  #request(head: Server, write: Write, onAnswer: OnAnswer): void {
    const requestId = head.nextRequest++;
    head.waiting.set(requestId, onAnswer);
    const changeId = head.chain.newOperationId();
    head.values.set(changeId, write.value);
    const extents = write.blocks.map((block) => ({ offset: block * BLOCK_BYTES, lengthBytes: BLOCK_BYTES }));
    const submission = {
      writeId: { sessionId: 1, sequence: write.value, acknowledgedBelow: 0 },
      kind: "extents" as const,
      ...rangeAround(extents),
      extents,
    };
    this.#carry(head, head.chain.submit(changeId, submission, requestId));
  }

  #read(): void {
    const id = this.#prng.pick(this.#members);
    const server = this.#server(id);
    if (!server.isAlive || server.chain.refusalOf(this.#activeVersion) !== undefined) return;
    const block = this.#prng.below(BLOCKS);
    const floor = defined(this.#floor[block], "a floor");
    const operationId = server.chain.newOperationId();
    server.turns.set(operationId, () => {
      server.tasks.push(() => {
        this.readCount++;
        const value = defined(server.blocks[block], "a block");
        const index = this.#history[block]?.indexOf(value) ?? -1;
        if (index < floor) {
          throw new Error(`a read of block ${block} at ${id} gives ${value}, older than was seen before`);
        }
        this.#seen(block, value);
        this.#carry(server, server.chain.leave(operationId));
      });
    });
    this.#carry(server, server.chain.enter(operationId, "read", block * BLOCK_BYTES, BLOCK_BYTES));
  }

  #seen(block: number, value: number): void {
    const index = this.#history[block]?.indexOf(value) ?? -1;
    this.#floor[block] = Math.max(this.#floor[block] ?? 0, index);
  }

  #kill(): void {
    if (this.#members.length < 2) return;
    const victim = this.#prng.pick(this.#members);
    this.#server(victim).isAlive = false;
    this.#install(this.#members.filter((id) => id !== victim));
  }

  /** The same members under a new version: a false alarm. */
  #bump(): void {
    this.#install(this.#members);
  }

  #install(members: number[]): void {
    this.#members = members;
    const version = chunkVersion(++this.#version);
    const chain = this.#chain();
    let unanswered = members.length;
    for (const id of members) {
      const server = this.#server(id);
      server.tasks.push(() => {
        if (server.chain.version >= version) return;
        const requestId = server.nextRequest++;
        server.waiting.set(requestId, ({ type }) => {
          if (type === "done" && --unanswered === 0 && this.#version === version)
            this.#activeVersion = version;
        });
        // Reads of the older version are refused.
        for (const operationId of server.turns.keys()) this.#carry(server, server.chain.leave(operationId));
        server.turns.clear();
        this.#carry(server, server.chain.install({ version, chain, truncate: undefined }, requestId));
      });
    }
  }

  /** One thing that can happen, happens. False if there is none. */
  #advance(): boolean {
    const choices: (() => void)[] = [];
    for (const server of this.servers.values()) {
      if (server.isAlive && server.tasks.length > 0) {
        choices.push(() => {
          const index = this.#prng.below(server.tasks.length);
          server.tasks.splice(index, 1)[0]?.();
        });
      }
      for (const queue of server.outbox.values()) {
        if (queue.length > 0) choices.push(() => queue.shift()?.());
      }
    }
    if (choices.length === 0) return false;
    this.#prng.pick(choices)();
    return true;
  }

  #carry(server: Server, effects: readonly ChainEffect[]): void {
    const queue = [...effects];
    for (let effect = queue.shift(); effect !== undefined; effect = queue.shift()) {
      this.#carryOne(server, effect);
    }
  }

  #carryOne(server: Server, effect: ChainEffect): void {
    const { chain } = server;
    switch (effect.type) {
      case "prepare": {
        const { change } = effect;
        server.tasks.push(() => {
          if (chain.holds(change.id)) this.#sequenced(server, change);
          this.#carry(server, chain.prepared(change.id, 0));
        });
        return;
      }
      case "mark":
        server.tasks.push(() => this.#carry(server, chain.marked(effect.change.id)));
        return;
      case "store":
        server.tasks.push(() => {
          this.#store(server, effect.change);
          this.#carry(server, chain.stored(effect.change.id));
        });
        return;
      case "forward":
        this.#forward(server, effect);
        return;
      case "answer": {
        const waiting = server.waiting.get(effect.requestId);
        server.waiting.delete(effect.requestId);
        waiting?.(effect.answer);
        return;
      }
      case "begin":
        server.turns.get(effect.operationId)?.();
        server.turns.delete(effect.operationId);
        return;
      case "retryLater":
        server.tasks.push(() => this.#carry(server, chain.retryLink(effect.attempt)));
        return;
      case "report":
        // Whoever is reported is dead here, and out of the next chain already, or will be brought in again.
        this.#bumpLater(effect.version);
        return;
      default:
        return;
    }
  }

  #bumpLater(version: number): void {
    if (version === this.#version) this.#bump();
  }

  #sequenced(server: Server, change: Change): void {
    const value = defined(server.values.get(change.id), "a value");
    for (const block of blocksOf(change)) {
      if (!this.#history[block]?.includes(value)) this.#history[block]?.push(value);
    }
  }

  #store(server: Server, change: Change): void {
    const value = defined(server.values.get(change.id), "a value");
    server.stored.push(value);
    for (const block of blocksOf(change)) server.blocks[block] = value;
  }

  #forward(server: Server, effect: Extract<ChainEffect, { type: "forward" }>): void {
    const { change, epoch, floor, attempt } = effect;
    const { chain } = server;
    const successor = defined(chain.successor, "somebody is behind");
    const target = this.#server(successor.csId);
    const value = defined(server.values.get(change.id), "a value");
    const forward: ForwardWrite = {
      chunkId: CHUNK,
      version: chain.version,
      ...change.writeId,
      kind: change.kind,
      epoch,
      order: change.order,
      floor,
      offset: change.offset,
      lengthBytes: change.lengthBytes,
      extents: change.extents,
      endBytes: 0,
      checksums: new Uint8Array(0),
    };
    const answer = (result: ForwardResult): void => {
      server.tasks.push(() => this.#carry(server, chain.forwarded(change.id, attempt, result)));
    };
    const queue = server.outbox.get(target.id) ?? [];
    server.outbox.set(target.id, queue);
    queue.push(() => {
      if (!target.isAlive) answer({ type: "failed", code: "unavailable" });
      else this.#deliver(target, forward, value, answer);
    });
  }

  #deliver(
    target: Server,
    forward: ForwardWrite,
    value: number,
    answer: (result: ForwardResult) => void,
  ): void {
    const requestId = target.nextRequest++;
    const changeId = target.chain.newOperationId();
    target.values.set(changeId, value);
    target.waiting.set(requestId, (result) => {
      answer(result.type === "failed" ? { type: "failed", code: "unavailable" } : result);
    });
    this.#carry(target, target.chain.receive(changeId, forward, requestId));
  }

  #chain(): ChainMember[] {
    return this.#members.map((id) => ({ csId: csId(id), address: "", hostId: "", syncing: false }));
  }

  #server(id: number | undefined): Server {
    return defined(this.servers.get(defined(id, "an id")), "a server");
  }
}

function blocksOf(change: Change): number[] {
  return extentsOf(change).map(({ offset }) => offset / BLOCK_BYTES);
}
