import { failureOf, type StorageError, storageError } from "../base/index.js";
import type { Clock, Timer } from "../io/index.js";
import type { Attributes, MetadataMutation, MetadataReply, MutationId, Numbers } from "../meta/index.js";
import type { Logger } from "../telemetry/index.js";
import type { CoherentCache } from "./coherent-cache.js";
import { surprisesIn } from "./core/early-check.js";
import { type Prediction, predict, type ReservedNumber, usesNumber } from "./core/early-predictions.js";
import { NumberRanges } from "./core/number-ranges.js";
import type { MutationMaker, RequestOptions } from "./session-requests.js";
import { Wakeup } from "./waiting.js";

/** The next one waits. */
const UNANSWERED_MAX = 1024;
/** What nobody waits for goes together with what else is answered within this time. */
const GATHER_MS = 20;
/** So many go at once. At most `CHANGES_MAX`. */
const BATCH_MAX = 128;
/** A client that ends waits for so long at most for the answers of what it answered early. */
const LAST_WORDS_MS = 30_000;
/** Numbers of inodes that are reserved at a time. */
const RESERVE_COUNT = 1024;

/** A mutation whose caller has its answer already. */
export interface EarlyAnswer {
  readonly prediction: Prediction;
  readonly stampMs: number;
  /** Of this client, in the order in which they were answered. */
  readonly number: number;
}

export interface EarlyAnswersWorld {
  readonly clock: Clock;
  readonly log: Logger;
  readonly cache: CoherentCache;
  /** Has the MDS reserve numbers; undefined if it does not now. */
  readonly reserve: () => Promise<Numbers | undefined>;
  /** Sends these to the MDS, in one request: `settled` or `failed` follows. At least one. */
  readonly send: (batch: readonly EarlyAnswer[]) => void;
  /** The cluster takes many in one request. */
  readonly mayGather: () => boolean;
}

/**
 * Answers mutations of what this session is alone with before the MDS does, and knows which of them the MDS has not answered
 * yet. They are sent soon, many at a time, before anything that is sent after them, and carried out in their order; whoever
 * needs to be sure waits for `answered`, which sends them at once.
 *
 * If the session is lost before, they are lost as by a crash: `lossCount` grows.
 */
export class EarlyAnswers {
  readonly #world: EarlyAnswersWorld;
  readonly #numbers = new NumberRanges();
  readonly #unanswered = new Map<number, EarlyAnswer>();
  /** The last of them, which are not sent yet. */
  #unsent: EarlyAnswer[] = [];
  #gathering: Timer | undefined;
  /** Requests under way. */
  #requestCount = 0;
  readonly #changed = new Wakeup();
  #lastNumber = 0;
  #lastStampMs = 0;
  #lastSequence: number | undefined;
  #lossCount = 0;
  #isReserving = false;

  constructor(world: EarlyAnswersWorld) {
    this.#world = world;
  }

  /** Mutations that the MDS has not answered. */
  get count(): number {
    return this.#unanswered.size;
  }

  /** How often mutations that were answered early have been lost. */
  get lossCount(): number {
    return this.#lossCount;
  }

  /** The mutation that is sent next must not be carried out before that one. Told the sequence of each early one. */
  orderOf(sequence: number, isEarly: boolean): number | undefined {
    const after = this.#requestCount > (isEarly ? 1 : 0) ? this.#lastSequence : undefined;
    if (isEarly) this.#lastSequence = sequence;
    return after;
  }

  /** What is not sent yet is sent now, before whatever its caller is about to send. */
  sendAll(): void {
    if (this.#unsent.length === 0) return;
    this.#gathering?.cancel();
    this.#gathering = undefined;
    const batch = this.#unsent;
    this.#unsent = [];
    this.#requestCount++;
    this.#world.send(batch);
  }

  /** Not too many are unanswered. */
  get hasRoom(): boolean {
    return this.count < UNANSWERED_MAX;
  }

  /** Resolves when `hasRoom`. */
  async room(signal?: AbortSignal): Promise<void> {
    while (!this.hasRoom) {
      this.sendAll();
      await this.#changed.next(signal);
    }
  }

  /** The answer, if it is certain; from now on it counts as given. */
  answer(mutation: MetadataMutation): EarlyAnswer | undefined {
    const { clock, cache } = this.#world;
    const { known } = cache;
    if (known === undefined) return undefined;
    const number = usesNumber(mutation) ? this.#number() : undefined;
    const stampMs = Math.max(this.#lastStampMs, clock.wallMs());
    const view = {
      isSole: known.isSole.bind(known),
      attributes: known.attributes.bind(known),
      entry: (directory: Attributes["ino"], name: Uint8Array) => known.entry(directory, name, cache.nowMs),
    };
    const prediction = predict(view, mutation, number, stampMs);
    if (prediction === undefined) return undefined;
    if (prediction.created !== undefined) this.#numbers.use();
    this.#lastStampMs = stampMs;
    known.foretell(prediction, cache.nowMs);
    const early = { prediction, stampMs, number: ++this.#lastNumber };
    this.#unanswered.set(early.number, early);
    this.#unsent.push(early);
    const countMax = this.#world.mayGather() ? BATCH_MAX : 1;
    if (this.#unsent.length >= countMax) this.sendAll();
    else this.#gathering ??= clock.after("client.early", GATHER_MS, () => this.sendAll());
    return early;
  }

  /** The MDS has answered them. */
  settled(batch: readonly EarlyAnswer[], reply: MetadataReply): void {
    this.#end(batch);
    const foretold = batch.map(({ prediction }) => prediction.reply);
    for (const { error, difference } of surprisesIn(foretold, reply)) {
      if (error !== undefined) this.#lost(error);
      if (difference === undefined) continue;
      this.#world.log.error("a mutation came out otherwise than it was answered early", { difference });
      this.#world.cache.forgetMetadata();
    }
  }

  /** The MDS refused them, or they are lost with their session. */
  failed(batch: readonly EarlyAnswer[], error: StorageError): void {
    this.#end(batch);
    this.#lost(error);
  }

  #lost(error: StorageError): void {
    this.#lossCount++;
    this.#world.cache.forgetMetadata();
    const { code, detail } = error.failure;
    if (code !== "session_lost" && code !== "closed")
      this.#world.log.error("a mutation that was answered early was refused", { code, detail });
  }

  /** Resolves when all that were answered early before the call have been answered by the MDS, or are lost. */
  async answered(signal?: AbortSignal): Promise<void> {
    this.sendAll();
    const upTo = this.#lastNumber;
    while (this.#oldest <= upTo) await this.#changed.next(signal);
  }

  /** The same; fails if any were lost since there were `lossCount` losses. */
  async committed(lossCount: number, signal?: AbortSignal): Promise<void> {
    await this.answered(signal);
    if (this.#lossCount !== lossCount)
      throw storageError("io_error", "changes of names or attributes were lost with the session");
  }

  /** What was answered early is told, unless that takes too long. */
  async sayLastWords(): Promise<void> {
    const { clock } = this.#world;
    this.sendAll();
    const untilMs = clock.monotonicMs() + LAST_WORDS_MS;
    while (this.count > 0 && clock.monotonicMs() < untilMs) await clock.sleep("client.last-words", 10);
  }

  /** A new session began: the numbers were those of the old one. */
  sessionLost(): void {
    this.#numbers.clear();
    this.#lastSequence = undefined;
  }

  get #oldest(): number {
    for (const number of this.#unanswered.keys()) return number;
    return Number.POSITIVE_INFINITY;
  }

  #end(batch: readonly EarlyAnswer[]): void {
    this.#requestCount--;
    if (this.#requestCount === 0) this.#lastSequence = undefined;
    for (const { number, prediction } of batch) {
      this.#unanswered.delete(number);
      this.#world.cache.confirm(prediction);
    }
    this.#changed.all();
  }

  #number(): ReservedNumber | undefined {
    if (this.#numbers.left < RESERVE_COUNT / 4) void this.#reserve();
    return this.#numbers.next;
  }

  async #reserve(): Promise<void> {
    if (this.#isReserving) return;
    this.#isReserving = true;
    const numbers = await this.#world.reserve();
    this.#isReserving = false;
    if (numbers !== undefined) this.#numbers.add(numbers);
  }
}

/** The request that tells the MDS of them. */
export function requestOf(batch: readonly EarlyAnswer[], id: MutationId): MetadataMutation {
  const [first] = batch;
  if (batch.length === 1 && first !== undefined) return first.prediction.make(id);
  const changes = batch.map(({ prediction, stampMs }) => ({ body: prediction.make({ stampMs, ...NO_ID }) }));
  return { type: "changeTogether", body: { id, changes } };
}

/** Of a mutation that is not sent by itself. */
export const NO_ID: MutationId = { sequence: 0, answeredBelow: 0, unanswered: [] };

/** Undefined if the MDS reserves none now. */
export async function reserveNumbers(
  mutate: (make: MutationMaker, options: RequestOptions) => Promise<MetadataReply>,
): Promise<Numbers | undefined> {
  try {
    const reply = await mutate((id) => ({ type: "reserveNumbers", body: { id, count: RESERVE_COUNT } }), {
      isBound: true,
      urgency: "urgent",
    });
    return reply.type === "numbers" ? reply.body : undefined;
  } catch (error) {
    if (failureOf(error) === undefined) throw error;
    return undefined;
  }
}
