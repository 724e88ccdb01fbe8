import { storageError } from "../base/index.js";
import type { Clock, Timer } from "../io/index.js";
import { type FileSettlement, SETTLE_FILES_MAX, type SettleResult } from "../meta/index.js";
import { bodyOf } from "./replies.js";
import type { Session } from "./session.js";

/** What nobody waits for goes together with what else comes up within this time. */
const GATHER_MS = 5;
/** Contents of one request, bytes. */
const BATCH_BYTES_MAX = 256 << 10;

interface Waiting {
  readonly settlement: FileSettlement;
  readonly resolve: (result: SettleResult) => void;
  readonly reject: (error: unknown) => void;
}

/** What is to be told of files, many in one request. Every file has at most one thing to be told at a time. */
export class FileReports {
  readonly #clock: Clock;
  readonly #session: () => Session;
  #waiting: Waiting[] = [];
  #timer: Timer | undefined;
  #isGoing = false;
  #isClosed = false;

  constructor(clock: Clock, session: () => Session) {
    this.#clock = clock;
    this.#session = session;
  }

  /** Resolves when the MDS has carried it out; fails if it did not. `isUrgent`: somebody waits for it. */
  async send(settlement: FileSettlement, isUrgent: boolean): Promise<SettleResult> {
    if (this.#isClosed) throw storageError("closed");
    const told = new Promise<SettleResult>((resolve, reject) => {
      this.#waiting.push({ settlement, resolve, reject });
    });
    if (isUrgent) this.#goSoon();
    else this.#timer ??= this.#clock.after("client.gather", GATHER_MS, () => this.#go());
    const result = await told;
    if (result.failure !== undefined) throw storageError(result.failure, result.detail);
    return result;
  }

  /** No timer may be left. */
  dispose(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const { reject } of this.#waiting.splice(0)) reject(storageError("closed"));
  }

  /** With everything that comes in the same moment. */
  #goSoon(): void {
    if (this.#isGoing) return;
    this.#isGoing = true;
    void Promise.resolve().then(() => {
      this.#isGoing = false;
      this.#go();
    });
  }

  #go(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (let begin = 0; begin < waiting.length; ) {
      const end = endOfBatch(waiting, begin);
      void this.#tell(waiting.slice(begin, end));
      begin = end;
    }
  }

  async #tell(batch: readonly Waiting[]): Promise<void> {
    const files = batch.map(({ settlement }) => settlement);
    try {
      const reply = await this.#session().mutate((id) => ({ type: "settleFiles", body: { id, files } }), {
        isBound: true,
        urgency: "urgent",
      });
      const { results } = bodyOf(reply, "settled");
      batch.forEach(({ resolve, reject }, i) => {
        const result = results[i];
        if (result === undefined) reject(storageError("malformed", "fewer results than files"));
        else resolve(result);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

function endOfBatch(waiting: readonly Waiting[], begin: number): number {
  let bytes = 0;
  let end = begin;
  for (; end < waiting.length && end - begin < SETTLE_FILES_MAX; end++) {
    bytes += waiting[end]?.settlement.report?.inline?.length ?? 0;
    if (bytes > BATCH_BYTES_MAX && end > begin) break;
  }
  return end;
}
