import { failureOf } from "../base/index.js";
import type { Clock } from "../io/index.js";
import type { ClusterStatus, EventRecord } from "../meta/index.js";
import { topLines } from "./screen/top-lines.js";
import { pressed, type TopState } from "./screen/top-state.js";
import { type Picture, UNSORTED } from "./screen/view.js";
import type { ScreenChoice } from "./screen-options.js";
import type { Screen } from "./screen-terminal.js";

/** Where `top` looks. Both fail soon if nobody answers. */
export interface TopSource {
  status(signal: AbortSignal): Promise<ClusterStatus>;
  /** Those after that number, the latest ones if it is 0; oldest first. */
  events(after: number, signal: AbortSignal): Promise<readonly EventRecord[]>;
}

export interface TopWorld {
  readonly clock: Clock;
  readonly screen: Screen;
  readonly source: TopSource;
  readonly choice: ScreenChoice;
  readonly refreshMs: number;
}

const EVENT_COUNT_MAX = 1000;
/** How often the time without an answer is shown anew. */
const LOST_TICK_MS = 1000;

/** `top`, from the first picture until somebody has seen enough. Goes on while the cluster does not answer. */
export class TopSession {
  readonly #world: TopWorld;
  readonly #quit = new AbortController();
  #wake = new AbortController();
  #state: TopState = {
    shown: "all",
    columnSet: 0,
    isVerbose: false,
    isHelp: false,
    orders: UNSORTED,
    scrolled: 0,
  };
  #picture: Picture | undefined;
  #lost: { readonly sinceMs: number; readonly reason: string } | undefined;

  constructor(world: TopWorld) {
    this.#world = world;
    this.#state = { ...this.#state, orders: world.choice.orders };
  }

  /** Ends it, as `q` does. */
  quit(): void {
    this.#quit.abort();
    this.#wake.abort();
  }

  async run(): Promise<void> {
    const { clock, screen, refreshMs } = this.#world;
    screen.onKey((key) => this.#press(key));
    screen.onResize(() => this.#paint());
    while (!this.#isOver) {
      await this.#look();
      this.#paint();
      if (this.#isOver) return;
      await clock.sleep("cli.top", this.#lost === undefined ? refreshMs : LOST_TICK_MS, this.#wake.signal);
      if (!this.#isOver) this.#wake = new AbortController();
    }
  }

  get #isOver(): boolean {
    return this.#quit.signal.aborted;
  }

  /** Takes a new picture, or keeps the old one and remembers why. */
  async #look(): Promise<void> {
    const { clock, source, choice } = this.#world;
    const { signal } = this.#quit;
    const looked = new AbortController();
    // Who looks at an old picture sees how old it is.
    void this.#tick(looked.signal);
    try {
      const status = await source.status(signal);
      await choice.prepare(status);
      this.#picture = { status, events: await this.#events() };
      this.#lost = undefined;
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      this.#lost = { sinceMs: this.#lost?.sinceMs ?? clock.monotonicMs(), reason: failure.detail };
    } finally {
      looked.abort();
    }
  }

  async #tick(looked: AbortSignal): Promise<void> {
    for (;;) {
      await this.#world.clock.sleep("cli.top.lost", LOST_TICK_MS, looked);
      if (looked.aborted || this.#isOver) return;
      if (this.#lost !== undefined) this.#paint();
    }
  }

  async #events(): Promise<readonly EventRecord[]> {
    const known = this.#picture?.events ?? [];
    const after = known.at(-1)?.number ?? 0;
    const news = await this.#world.source.events(after, this.#quit.signal);
    return [...known, ...news.filter(({ number }) => number > after)].slice(-EVENT_COUNT_MAX);
  }

  #press(key: string): void {
    const { state, effect } = pressed(this.#state, key);
    this.#state = state;
    if (effect === "quit") this.quit();
    else if (effect === "refresh") this.#wake.abort();
    else this.#paint();
  }

  #paint(): void {
    if (this.#picture === undefined || this.#isOver) return;
    const { screen, choice } = this.#world;
    const { width, height } = screen;
    const { thresholds } = choice.settings;
    const view = { width, height, show: choice.show, thresholds, notice: this.#notice() };
    screen.paint(topLines(this.#picture, this.#state, view));
  }

  #notice(): string {
    if (this.#lost === undefined) return "";
    const seconds = Math.floor((this.#world.clock.monotonicMs() - this.#lost.sinceMs) / 1000);
    return `RECONNECTING, no answer for ${seconds}s: ${this.#lost.reason}`;
  }
}
