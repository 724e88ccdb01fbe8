import {
  BLOCK_BYTES,
  type ChunkId,
  type ChunkSlice,
  type ChunkVersion,
  type Extent,
  overlap,
  WRITE_BYTES_MAX,
} from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import type { WriteName, WriteNumbers } from "./write-numbers.js";

/** Longer writes cost little for each of their bytes as they are. */
const SMALL_BYTES_MAX = 64 << 10;
const EXTENT_COUNT_MAX = 64;
/** So many that are to be sent at once are sent in two halves: while one is carried out, the other one is on its way. */
const SPLIT_COUNT_MIN = 4;

/** Several writes of one chunk that travel as one. */
export interface WriteBatch {
  readonly name: WriteName;
  /** Ascending. */
  readonly extents: readonly Extent[];
  /** Of the extents, one behind the other: copies. */
  readonly payload: Uint8Array;
  readonly checksums: Uint8Array;
}

/** One of them. */
export interface SmallWrite extends Extent {
  readonly bytes: Uint8Array;
  readonly checksums: Uint8Array;
}

/** How a write was carried out. */
export interface Sent {
  /** Its message was sent once only. */
  readonly isFirstTry: boolean;
  readonly chunkId: ChunkId;
  readonly version: ChunkVersion;
}

/** How writes of a lane are sent. */
export interface Senders {
  readonly alone: () => Promise<Sent>;
  readonly together: (batch: WriteBatch) => Promise<Sent>;
}

/**
 * Small writes that come while others of the same chunk are on their way wait for company, and travel together then: a
 * message costs each server of the chain ten times what the bytes of a small write do. Two messages are under way at most.
 *
 * What is in a batch is one write for everybody: it is sent again under one name until it has arrived. So nobody may
 * join who could give up before that, and write something else there.
 */
export class WriteBatches {
  readonly #clock: Clock;
  readonly #numbers: WriteNumbers;
  readonly #lanes = new Map<string, Lane>();

  constructor(clock: Clock, numbers: WriteNumbers) {
    this.#clock = clock;
    this.#numbers = numbers;
  }

  /** Whether a write may wait for company. */
  static mayJoin({ offsetInChunk, lengthBytes }: ChunkSlice): boolean {
    const isWhole = offsetInChunk % BLOCK_BYTES === 0 && lengthBytes % BLOCK_BYTES === 0;
    return isWhole && lengthBytes <= SMALL_BYTES_MAX;
  }

  /** `laneName` names the chunk, and what else must be the same for all of a batch. */
  async write(laneName: string, write: SmallWrite, { alone, together }: Senders): Promise<Sent> {
    const known = this.#lanes.get(laneName);
    if (known !== undefined) return await known.join(write, together);
    const lane = new Lane(this.#clock, this.#numbers, () => this.#lanes.delete(laneName));
    this.#lanes.set(laneName, lane);
    return await lane.fly(1, alone);
  }
}

interface Waiting {
  readonly write: SmallWrite;
  /** It was accepted under this session, and is carried out under no other. */
  readonly name: WriteName;
  readonly together: Senders["together"];
  readonly resolve: (sent: Sent) => void;
  readonly reject: (error: unknown) => void;
}

/** What is on its way to one chunk, and what waits for that. It is there for as long as there is any. */
class Lane {
  readonly #clock: Clock;
  readonly #numbers: WriteNumbers;
  readonly #ended: () => void;
  /** How many writes each message has that is under way. */
  readonly #flights: number[] = [];
  readonly #waiting: Waiting[] = [];

  constructor(clock: Clock, numbers: WriteNumbers, ended: () => void) {
    this.#clock = clock;
    this.#numbers = numbers;
    this.#ended = ended;
  }

  /** Sends a message of so many writes. */
  async fly(count: number, send: () => Promise<Sent>): Promise<Sent> {
    this.#flights.push(count);
    try {
      return await send();
    } finally {
      this.#flights.splice(this.#flights.indexOf(count), 1);
      if (this.#flights.length > 0) this.#sendCompany();
      // Whoever waited for this has perhaps more to write: that is known when this turn is over.
      else if (count > 1 || this.#waiting.length > 0)
        this.#clock.after("client.batch", 0, () => this.#sendAll());
      else this.#ended();
    }
  }

  join(write: SmallWrite, together: Senders["together"]): Promise<Sent> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ write, name: this.#numbers.begin(), together, resolve, reject });
      this.#sendCompany();
    });
  }

  /** Beside one message another one goes that is as great. */
  #sendCompany(): void {
    const [flight, other] = this.#flights;
    if (flight !== undefined && other === undefined && this.#waiting.length >= flight)
      this.#send(this.#waiting.length);
  }

  /** Nothing is under way, unless somebody was faster. */
  #sendAll(): void {
    const count = this.#waiting.length;
    if (this.#flights.length > 0) this.#sendCompany();
    else if (count === 0) this.#ended();
    else {
      this.#send(count < SPLIT_COUNT_MIN ? count : Math.ceil(count / 2));
      this.#sendCompany();
    }
  }

  #send(countMax: number): void {
    const members = this.#waiting.splice(0, countOfBatch(this.#waiting, countMax));
    const [first, ...others] = members;
    if (first === undefined) return;
    for (const { name } of others) name.settle();
    const batch = batchOf(
      first.name,
      members.map(({ write }) => write),
    );
    this.fly(members.length, () => first.together(batch)).then(
      (sent) => {
        for (const { resolve } of members) resolve(sent);
      },
      (error: unknown) => {
        for (const { reject } of members) reject(error);
      },
    );
  }
}

/** How many of those who have waited longest may go together. */
function countOfBatch(waiting: readonly Waiting[], countMax: number): number {
  const isValid = waiting[0]?.name.isValid();
  let lengthBytes = 0;
  const most = Math.min(countMax, EXTENT_COUNT_MAX, waiting.length);
  for (let count = 0; count < most; count++) {
    const next = waiting[count];
    if (next === undefined || next.name.isValid() !== isValid) return count;
    lengthBytes += next.write.lengthBytes;
    const before = waiting.slice(0, count);
    if (lengthBytes > WRITE_BYTES_MAX || before.some(({ write }) => overlap(write, next.write))) return count;
  }
  return most;
}

/** Neighbours become one extent. */
function batchOf(name: WriteName, writes: readonly SmallWrite[]): WriteBatch {
  const sorted = [...writes].sort((a, b) => a.offset - b.offset);
  const extents: Extent[] = [];
  for (const { offset, lengthBytes } of sorted) {
    const last = extents.at(-1);
    const isNext = last !== undefined && last.offset + last.lengthBytes === offset;
    if (isNext) extents[extents.length - 1] = { ...last, lengthBytes: last.lengthBytes + lengthBytes };
    else extents.push({ offset, lengthBytes });
  }
  const payload = Buffer.concat(sorted.map(({ bytes }) => bytes));
  return { name, extents, payload, checksums: Buffer.concat(sorted.map(({ checksums }) => checksums)) };
}
