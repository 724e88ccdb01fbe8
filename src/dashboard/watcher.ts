import { failureOf } from "../base/index.js";
import type { Admin } from "../client/index.js";
import type { Clock } from "../io/index.js";
import type { ClusterStatus, EventRecord } from "../meta/index.js";
import { History, sampleOf } from "./core/history.js";

/** Of the charts: an hour, in steps of five seconds. */
const SAMPLE_EVERY_MS = 5000;
const SPAN_MS = 3_600_000;
/** What the forecast of a repair looks back at. */
const FORECAST_MS = 300_000;
const ASK_MS = 4000;
const EVENTS_MAX = 500;

/** What a page shows. */
export interface Picture {
  /** The last that was had; undefined: none yet. */
  readonly status: ClusterStatus | undefined;
  /** Why there is no newer one; undefined: it is new. */
  readonly trouble: string | undefined;
  readonly repairSeconds: number | undefined;
}

/** Asks for the state of the cluster again and again, and keeps an hour of it. */
export class Watcher {
  readonly #admin: Pick<Admin, "status" | "getEvents">;
  readonly #clock: Clock;
  readonly #everyMs: number;
  readonly #history = new History(SAMPLE_EVERY_MS, SPAN_MS);
  readonly #stop = new AbortController();
  #events: EventRecord[] = [];
  #status: ClusterStatus | undefined;
  #trouble: string | undefined = "nothing is known yet";
  #watching: Promise<void> = Promise.resolve();

  constructor(admin: Pick<Admin, "status" | "getEvents">, clock: Clock, everyMs: number) {
    this.#admin = admin;
    this.#clock = clock;
    this.#everyMs = everyMs;
  }

  /** Resolves when the first picture was taken, or could not be. */
  async start(): Promise<void> {
    await this.#look();
    this.#watching = this.#watch();
  }

  get picture(): Picture {
    return {
      status: this.#status,
      trouble: this.#trouble,
      repairSeconds: this.#history.repairSeconds(FORECAST_MS),
    };
  }

  get history(): History["samples"] {
    return this.#history.samples;
  }

  /** The latest, newest first. */
  get events(): readonly EventRecord[] {
    return this.#events;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }

  async #watch(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#clock.sleep("dashboard.look", this.#everyMs, this.#stop.signal);
      } catch {
        return;
      }
      await this.#look();
    }
  }

  async #look(): Promise<void> {
    try {
      const limits = { timeoutMs: ASK_MS, signal: this.#stop.signal };
      const status = await this.#admin.status(limits);
      const latest = this.#events[0]?.number ?? 0;
      const { events } = await this.#admin.getEvents({ after: latest, limit: EVENTS_MAX }, limits);
      const newer = events.filter(({ number }) => number > latest).reverse();
      this.#events = [...newer, ...this.#events].slice(0, EVENTS_MAX);
      this.#status = status;
      this.#trouble = undefined;
      this.#history.add(sampleOf(status));
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      this.#trouble = failure.detail;
    }
  }
}
