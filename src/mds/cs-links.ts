import { isFailureCode, StorageError, storageError } from "../base/index.js";
import {
  type CommandDone,
  type CsCommand,
  type CsHeartbeat,
  type CsId,
  levelRefusal,
  type NumberedCsCommand,
} from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import type { CallServer } from "../rpc/index.js";
import { type CsLoadSummary, CsLoadWindow } from "./load-window.js";

/** A server that says what it holds is ready in a moment. */
const EXPECTED_POLL_MS = 20;

/** A chunk server connected to this leader. */
interface Link {
  /** The highest level of a cluster that it knows. */
  readonly level: number;
  readonly connection: CallServer<NumberedCsCommand>;
  heardMs: number;
  heartbeat: CsHeartbeat | undefined;
  readonly loads: CsLoadWindow;
  readonly pending: Map<number, PendingCommand>;
}

interface PendingCommand {
  readonly resolve: (done: CommandDone) => void;
  readonly reject: (failure: StorageError) => void;
}

/** The chunk servers connected to this leader, and the commands they were given. Lives for one leadership. */
export class CsLinks {
  readonly #clock: Clock;
  readonly #links = new Map<CsId, Link>();
  /** Registered, and on their way to be connected. */
  readonly #expected = new Map<CsId, CallServer<NumberedCsCommand>>();
  #nextCommand = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  connect(csId: CsId, connection: CallServer<NumberedCsCommand>, level: number): void {
    if (this.#expected.get(csId) === connection) this.#expected.delete(csId);
    const older = this.#links.get(csId);
    const heardMs = this.#clock.monotonicMs();
    this.#links.set(csId, {
      level,
      connection,
      heardMs,
      heartbeat: undefined,
      loads: new CsLoadWindow(),
      pending: new Map(),
    });
    if (older === undefined) return;
    failAll(older, storageError("unavailable", `CS#${csId} connected again`));
    if (older.connection !== connection) older.connection.close(storageError("closed", "registered again"));
  }

  /** True if that was its present connection. */
  disconnect(csId: CsId, connection: CallServer<NumberedCsCommand>): boolean {
    if (this.#expected.get(csId) === connection) this.#expected.delete(csId);
    const link = this.#links.get(csId);
    if (link?.connection !== connection) return false;
    this.#links.delete(csId);
    failAll(link, storageError("unavailable", `CS#${csId} went away`));
    return true;
  }

  heartbeat(csId: CsId, heartbeat: CsHeartbeat): void {
    const link = this.#links.get(csId);
    if (link === undefined) return;
    link.heardMs = this.#clock.monotonicMs();
    link.heartbeat = heartbeat;
    link.loads.add(heartbeat.load);
  }

  /** The highest level that the server knows; undefined while it is not connected. */
  levelOf(csId: CsId): number | undefined {
    return this.#links.get(csId)?.level;
  }

  /** Who does not know that level may not stay: it is told why. */
  requireLevel(level: number): void {
    for (const { connection, level: known } of this.#links.values())
      if (known < level) connection.close(storageError("unsupported", levelRefusal(level, known)));
  }

  isConnected(csId: CsId): boolean {
    return this.#links.has(csId);
  }

  /** Connected, and heard of within that time. */
  isHeard(csId: CsId, withinMs: number): boolean {
    const link = this.#links.get(csId);
    return link !== undefined && link.heardMs + withinMs > this.#clock.monotonicMs();
  }

  lastHeartbeat(csId: CsId): CsHeartbeat | undefined {
    return this.#links.get(csId)?.heartbeat;
  }

  /** What the server did over the last seconds, if it is connected. */
  loadOf(csId: CsId): CsLoadSummary | undefined {
    return this.#links.get(csId)?.loads.summary();
  }

  /** Connected, but not heard of for longer than that. */
  silentLongerThan(ms: number): CsId[] {
    const limitMs = this.#clock.monotonicMs() - ms;
    const silent: CsId[] = [];
    for (const [csId, { heardMs }] of this.#links) if (heardMs < limitMs) silent.push(csId);
    return silent;
  }

  forgiveSilence(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const link of this.#links.values()) link.heardMs = nowMs;
  }

  /** The server has registered, and will be connected when it has said what it holds: commands wait for that. */
  expect(csId: CsId, connection: CallServer<NumberedCsCommand>): void {
    this.#expected.set(csId, connection);
  }

  /** It has registered, and is not connected yet. */
  isExpected(csId: CsId): boolean {
    return this.#expected.has(csId);
  }

  /** Gives a command and resolves with its answer. Fails with what the server says, `unavailable` or `timed_out`. */
  async command(csId: CsId, command: CsCommand, timeoutMs: number): Promise<CommandDone> {
    const endMs = this.#clock.monotonicMs() + timeoutMs;
    while (this.#expected.has(csId) && !this.#links.has(csId) && this.#clock.monotonicMs() < endMs) {
      await this.#clock.sleep("mds.cs.expected", EXPECTED_POLL_MS);
    }
    const link = this.#links.get(csId);
    if (link === undefined) throw storageError("unavailable", `CS#${csId} is not connected`);
    return await this.#give(csId, link, command, timeoutMs);
  }

  #give(csId: CsId, link: Link, command: CsCommand, timeoutMs: number): Promise<CommandDone> {
    const commandId = this.#nextCommand++;
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after("mds.cs.command", timeoutMs, () => {
        link.pending.delete(commandId);
        reject(storageError("timed_out", `CS#${csId} does not answer a command`));
      });
      link.pending.set(commandId, {
        resolve: (done) => {
          timer.cancel();
          resolve(done);
        },
        reject: (failure) => {
          timer.cancel();
          reject(failure);
        },
      });
      link.connection.push({ commandId, command });
    });
  }

  commandDone(csId: CsId, done: CommandDone): void {
    const link = this.#links.get(csId);
    const pending = link?.pending.get(done.commandId);
    if (link === undefined || pending === undefined) return;
    link.pending.delete(done.commandId);
    if (done.failure === undefined) {
      pending.resolve(done);
      return;
    }
    const { code, detail } = done.failure;
    pending.reject(new StorageError({ code: isFailureCode(code) ? code : "io_error", detail }));
  }

  /** Breaks the connection of a server that stays silent. */
  drop(csId: CsId): void {
    this.#links.get(csId)?.connection.close(storageError("timed_out", "no heartbeat"));
  }

  close(): void {
    for (const link of this.#links.values()) {
      failAll(link, storageError("not_leader", "another MDS leads now"));
      link.connection.close(storageError("not_leader", "another MDS leads now"));
    }
    this.#links.clear();
  }
}

function failAll(link: Link, failure: StorageError): void {
  const all = [...link.pending.values()];
  link.pending.clear();
  for (const pending of all) pending.reject(failure);
}
