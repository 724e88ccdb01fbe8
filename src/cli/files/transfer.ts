import type { Clock } from "../../io/index.js";
import { errorLine } from "../error-line.js";
import type { Invocation } from "../invocation.js";
import { formatSize } from "../output.js";
import { Progress } from "../progress.js";
import { Slots } from "./slots.js";

/** Bytes read or written with one request. */
export const PIECE_BYTES = 1 << 20;
/** Files under way at the same time, and pieces of all of them together. */
const FILES_MAX = 24;
const PIECES_MAX = 32;
const SHOW_MS = 200;

const ZEROS = Buffer.alloc(PIECE_BYTES);

/** What the copying of a tree, in either direction, shares: how much goes on at once, what failed, how far it is. */
export class Transfer {
  readonly files: Slots;
  readonly #pieces: Slots;
  readonly #invocation: Invocation;
  readonly #clock: Clock;
  readonly #progress: Progress;
  readonly #beganMs: number;
  #shownMs: number;
  #fileCount = 0;
  #sizeBytes = 0;
  /** Of every directory that is not finished. */
  readonly #underWay = new Set<Promise<void>>();

  constructor(invocation: Invocation) {
    this.#invocation = invocation;
    this.#clock = invocation.host.world.clock;
    this.#progress = new Progress(invocation.terminal);
    this.#beganMs = this.#clock.monotonicMs();
    this.#shownMs = this.#beganMs;
    this.files = new Slots(FILES_MAX, (error) => this.complain(errorLine(error)));
    this.#pieces = new Slots(PIECES_MAX, (error) => this.complain(errorLine(error)));
  }

  /** Something could not be copied; the rest goes on. */
  complain(text: string): void {
    this.#progress.clear();
    this.#invocation.complain(text);
  }

  /** Carries out something that may go on while the next thing is looked for. */
  follow(work: Promise<void>): void {
    const followed = work.catch((error: unknown) => this.complain(errorLine(error)));
    this.#underWay.add(followed);
    void followed.then(() => this.#underWay.delete(followed));
  }

  /** Resolves when everything that was begun has ended. */
  async finish(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    this.#progress.clear();
    if (!this.#invocation.terminal.isWatched) return;
    const seconds = Math.max(0.001, (this.#clock.monotonicMs() - this.#beganMs) / 1000);
    this.#invocation.terminal.printError(
      `${this.#summary()} in ${seconds.toFixed(1)} s (${formatSize(Math.round(this.#sizeBytes / seconds))}/s)\n`,
    );
  }

  /** One file is copied. */
  fileDone(): void {
    this.#fileCount++;
    this.#show();
  }

  /** The pieces of one file; many are copied at the same time, and all have ended when it resolves. */
  async inPieces(pieces: AsyncIterable<() => Promise<void>>): Promise<void> {
    let failure: unknown;
    const running = new Set<Promise<void>>();
    try {
      for await (const piece of pieces) {
        if (failure !== undefined) break;
        const { ended } = await this.#pieces.begin(() =>
          piece().catch((error: unknown) => {
            failure ??= error;
          }),
        );
        running.add(ended);
        void ended.then(() => running.delete(ended));
      }
    } finally {
      await Promise.all(running);
    }
    if (failure !== undefined) throw failure;
  }

  copied(sizeBytes: number): void {
    this.#sizeBytes += sizeBytes;
    this.#show();
  }

  #show(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#shownMs < SHOW_MS) return;
    this.#shownMs = nowMs;
    this.#progress.show(this.#summary());
  }

  #summary(): string {
    return `${this.#fileCount} files, ${formatSize(this.#sizeBytes)}`;
  }
}

/** Nothing but zeros: on either side that need not take space. */
export function isZeros(piece: Uint8Array): boolean {
  return ZEROS.compare(piece, 0, piece.length, 0, piece.length) === 0;
}
