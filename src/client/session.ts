import { type Failure, failureOf, StorageError, storageError } from "../base/index.js";
import type { Clock, Random } from "../io/index.js";
import type {
  Invalidate,
  MetadataMutation,
  MetadataPush,
  MetadataQuery,
  MetadataReply,
  MetadataRequest,
  ReportChunk,
} from "../meta/index.js";
import type { Logger } from "../telemetry/index.js";
import type { CoherentCache } from "./coherent-cache.js";
import { KnownLevel, SPEAKS } from "./core/known-level.js";
import { LeaseClock } from "./core/lease-clock.js";
import { afterMetadataFailure } from "./core/retry-policy.js";
import { SequenceWindow } from "./core/sequence-window.js";
import { type EarlyAnswer, EarlyAnswers, NO_ID, requestOf, reserveNumbers } from "./early-answers.js";
import { askBeside } from "./early-queries.js";
import { keepAlive } from "./keep-alive.js";
import { type FinderWorld, type LeaderConnection, LeaderFinder } from "./leader-finder.js";
import {
  type MutationMaker,
  newPending,
  type Pending,
  type RequestOptions,
  type SessionConfig,
  type SessionEvents,
} from "./session-requests.js";
import { abortFailure, forMany, Room, throwIfAborted, Wakeup } from "./waiting.js";

export type { MutationMaker, RequestOptions, SessionConfig, SessionEvents } from "./session-requests.js";

/** The session is over, but this stream may still bring answers to what was asked before. */
const RETIRE_MS = 200;

/** A request that waited that long at the MDS is asked again. */
const REQUEST_MS = 30_000;
/** A mutation older than so many others is named to the MDS as unanswered, so that it holds up none of them. */
const RECENT_COUNT = 1024;
const UNANSWERED_MAX = 512;
const GOODBYE_MS = 2000;
/** Together less than what an MDS works on at a time for one session (256), so that `urgent` ones find room. */
const ORDINARY_MAX = 128;
const PATIENT_MAX = 96;

/**
 * One session with the cluster, over whichever MDS leads. Requests are carried through changes of connection and
 * leader: mutations keep their number, so that they are done once.
 */
export class Session {
  readonly level = new KnownLevel();
  readonly #config: SessionConfig;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #finder: LeaderFinder;
  readonly #events: SessionEvents;
  readonly #cache: CoherentCache | undefined;
  readonly #early: EarlyAnswers | undefined;
  readonly #lease = new LeaseClock();
  readonly #usable = new Wakeup();
  readonly #rooms = { ordinary: new Room(ORDINARY_MAX), patient: new Room(PATIENT_MAX) };
  /** In the order they were made. */
  readonly #pending = new Set<Pending>();
  readonly #stop = forMany(new AbortController());
  #mutations = new SequenceWindow();
  #sessionId = 0;
  #connection: LeaderConnection | undefined;
  /** The present connection, when its session is over. */
  #retiring: LeaderConnection | undefined;
  /** Sent over the present connection. */
  readonly #unanswered = new Set<Pending>();
  #running: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  /** It is about to say goodbye: what it keeps will not be watched any more. */
  #isLeaving = false;

  constructor(world: FinderWorld, config: SessionConfig, events: SessionEvents, cache?: CoherentCache) {
    this.#config = config;
    this.#clock = world.clock;
    this.#random = world.random;
    this.#log = world.log;
    this.#finder = new LeaderFinder(world, config.mdsAddresses);
    this.#events = events;
    this.#cache = cache;
    cache?.trust(() => this.#trustedMs());
    if (cache === undefined || config.earlyAnswers !== true) return;
    const { clock, log } = world;
    this.#early = new EarlyAnswers({
      clock,
      log,
      cache,
      reserve: () => reserveNumbers((make, options) => this.mutate(make, options)),
      send: (batch) => this.#sendEarly(batch),
      mayGather: () => this.level.has("changeTogether"),
    });
  }

  /** Begins the session; fails if the cluster refuses this client, or by the signal. */
  async start(signal?: AbortSignal): Promise<void> {
    const onAbort = (): void => this.#stop.abort(signal && abortFailure(signal));
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      throwIfAborted(signal);
      const first = await this.#connect(false);
      this.#running = this.#run(first);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** 0 before the first welcome. */
  get sessionId(): number {
    return this.#sessionId;
  }

  /** The MDS that leads, as far as known here. */
  get leader(): { readonly mdsId: number; readonly address: string } | undefined {
    const connection = this.#connection;
    return connection && { mdsId: connection.welcome.mdsId, address: connection.address };
  }

  /** Whether what the session holds may be used at this moment. */
  get isUsable(): boolean {
    return this.#lease.isValid(this.#clock.monotonicMs());
  }

  /** Resolves when `isUsable`. */
  async whenUsable(signal?: AbortSignal): Promise<void> {
    while (!this.isUsable) {
      if (this.#stop.signal.aborted) throw storageError("closed", "the session was closed");
      await this.#usable.next(signal);
    }
  }

  query(
    request: MetadataQuery | Extract<MetadataRequest, { readonly type: "reportChunk" | "awaitLock" }>,
    options: RequestOptions = {},
  ): Promise<MetadataReply> {
    const [cache, early] = [this.#cache, this.#early];
    if (cache === undefined || early === undefined) return this.#request(() => request, false, options);
    const ask = (): Promise<MetadataReply> => this.#request(() => request, false, options);
    return askBeside(cache, early, request, ask, options.signal);
  }

  /** Done once, whatever happens to connections. Fails with `session_lost` if nobody knows any more whether it was. */
  mutate(make: MutationMaker, options: RequestOptions = {}): Promise<MetadataReply> {
    return this.#request(make, true, options);
  }

  /** What `mutate` would resolve with at once, if the answer is certain; else undefined, and nothing was done. */
  mutateAtOnce(make: MutationMaker): MetadataReply | undefined {
    if (this.#early?.hasRoom !== true || this.#stop.signal.aborted) return undefined;
    return this.#early.answer(make(NO_ID))?.prediction.reply;
  }

  /** How often mutations that were answered before the MDS had were lost with their session. */
  get lossCount(): number {
    return this.#early?.lossCount ?? 0;
  }

  /**
   * Resolves when everything that was answered before the call is known to the MDS. Fails if something was lost since there
   * were `lossCount` losses.
   */
  async committed(lossCount: number, signal?: AbortSignal): Promise<void> {
    await this.#early?.committed(lossCount, signal);
  }

  /** Whoever waited for that lock does so no more. If this is lost, so is what the MDS remembers of the wait. */
  sendForgetLockWait(waitId: number): void {
    this.#tell(this.#connection, { type: "forgetLockWait", body: { waitId } });
  }

  /** Answers `chunkMapChanged`. An answer that gets lost is asked for again. */
  sendMapDropped(chunkId: ReportChunk["chunkId"], version: ReportChunk["version"]): void {
    this.#tell(this.#connection, { type: "mapDropped", body: { chunkId, version } });
  }

  /** Ends the session in order. Requests still waiting fail with `closed`. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#isLeaving = true;
    await this.#early?.sayLastWords();
    const connection = this.#connection;
    if (connection !== undefined && !connection.calls.isClosed) {
      await this.#cache?.forgetAll();
      await connection.calls
        .request({ type: "goodbye", body: {} }, { deadlineMs: GOODBYE_MS })
        .catch(() => undefined);
    }
    this.#lease.end();
    this.#stop.abort(storageError("closed", "the session was closed"));
    connection?.calls.close();
    await this.#running;
    this.#noteLost();
    for (const pending of this.#pending) this.#settle(pending, storageError("closed"));
    this.#usable.all();
  }

  async #request(
    make: Pending["make"],
    isMutation: boolean,
    options: RequestOptions,
  ): Promise<MetadataReply> {
    const { signal, urgency = "ordinary" } = options;
    if (this.#stop.signal.aborted) throw storageError("closed", "the session was closed");
    const room = urgency === "urgent" ? undefined : this.#rooms[urgency];
    if (isMutation && urgency !== "urgent") await this.#early?.room(signal);
    await room?.take(1, signal);
    if (this.#stop.signal.aborted) throw storageError("closed", "the session was closed");
    if (isMutation) {
      const early = this.#early?.answer(make(NO_ID) as MetadataMutation);
      if (early !== undefined) {
        room?.give(1);
        return early.prediction.reply;
      }
    }
    return await new Promise((resolve, reject) => {
      let isGivenUp = false;
      const onAbort = (): void => {
        isGivenUp = true;
        if (signal !== undefined) reject(abortFailure(signal));
        // A mutation that was sent goes on until its outcome is known: its number must not be used up in vain.
        if (pending.sequence === undefined) this.#settle(pending, storageError("cancelled"));
      };
      const changed = isMutation ? this.#cache?.changing(make(NO_ID) as MetadataMutation) : undefined;
      const ended = (reply?: MetadataReply): void => {
        room?.give(1);
        changed?.(reply);
        signal?.removeEventListener("abort", onAbort);
      };
      const pending: Pending = {
        resolve: (reply) => {
          ended(reply);
          if (isGivenUp) options.onLateReply?.(reply);
          else resolve(reply);
        },
        reject: (error) => {
          ended();
          reject(error);
        },
        ...newPending(make, isMutation, options, undefined),
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#pending.add(pending);
      void this.#send(pending);
    });
  }

  #sendEarly(batch: readonly EarlyAnswer[]): void {
    const pending: Pending = {
      resolve: (reply) => this.#early?.settled(batch, reply),
      reject: (error) => this.#early?.failed(batch, error),
      ...newPending((id) => requestOf(batch, id), true, {}, batch),
    };
    this.#pending.add(pending);
    void this.#send(pending);
  }

  /** Ends a request exactly once. */
  #settle(pending: Pending, outcome: MetadataReply | StorageError): void {
    if (!this.#pending.delete(pending)) return;
    if (pending.sequence !== undefined) this.#mutations.settle(pending.sequence);
    if ("type" in outcome) pending.resolve(outcome);
    else pending.reject(outcome);
  }

  /** Sends the request over the present connection, if there is one; the next connection sends it again. */
  async #send(pending: Pending): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined || this.#retiring === connection) return;
    if (pending.early === undefined) this.#early?.sendAll();
    if (pending.isMutation && pending.sequence === undefined) {
      pending.sequence = this.#mutations.next();
      pending.after = this.#early?.orderOf(pending.sequence, pending.early !== undefined);
    }
    const { below: answeredBelow, except: unanswered } = this.#mutations.settled(
      RECENT_COUNT,
      UNANSWERED_MAX,
    );
    const { after, early } = pending;
    const stampMs = early?.at(-1)?.stampMs;
    const id = { sequence: pending.sequence ?? 0, answeredBelow, unanswered, after, stampMs };
    const wasMaybeDone = pending.mayBeDone;
    pending.mayBeDone = pending.isMutation;
    this.#unanswered.add(pending);
    try {
      const reply = await connection.calls.request(pending.make(id), { deadlineMs: REQUEST_MS });
      this.#unanswered.delete(pending);
      this.#settle(pending, reply);
      this.#closeIfRetired(connection);
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      if (connection !== this.#connection || connection.calls.isClosed) return;
      this.#unanswered.delete(pending);
      // It was refused because of the session, so it was not carried out, at least not this time.
      if (failure.code === "session_lost") pending.mayBeDone = wasMaybeDone;
      await this.#recover(pending, connection, failure, error);
    }
  }

  async #recover(
    pending: Pending,
    connection: LeaderConnection,
    failure: Failure,
    error: unknown,
  ): Promise<void> {
    if (!this.#pending.has(pending)) return;
    if (failure.code === "session_lost") {
      this.#retire(connection);
      return;
    }
    const step = afterMetadataFailure(failure.code, pending.attempt++, this.#random.uint32() / 2 ** 32);
    if (step.type === "fail") {
      this.#settle(pending, storageError(failure.code, failure.detail, error));
      return;
    }
    await this.#clock.sleep("client.retry", step.delayMs, this.#stop.signal);
    if (connection !== this.#connection) return;
    if (pending.options.repeat === "always" && pending.early === undefined) this.#renumber(pending);
    if (step.type === "again") this.#sendAgain(pending);
    else connection.calls.close(failure.code === "not_leader" ? new StorageError(failure) : undefined);
  }

  /** Early ones in their order: all that were refused meanwhile. */
  #sendAgain(pending: Pending): void {
    if (pending.early === undefined) {
      void this.#send(pending);
      return;
    }
    for (const other of [...this.#pending]) {
      if (other.early !== undefined && !this.#unanswered.has(other)) void this.#send(other);
    }
  }

  /** Nothing more is sent over this connection; it is closed when what was asked has been answered. */
  #retire(connection: LeaderConnection): void {
    if (connection !== this.#connection) return;
    if (this.#retiring !== connection) {
      this.#retiring = connection;
      this.#lease.end();
      this.#clock.after("client.retire", RETIRE_MS, () => connection.calls.close());
    }
    this.#closeIfRetired(connection);
  }

  #closeIfRetired(connection: LeaderConnection): void {
    if (this.#retiring === connection && this.#unanswered.size === 0) connection.calls.close();
  }

  #renumber(pending: Pending): void {
    if (pending.sequence !== undefined) this.#mutations.settle(pending.sequence);
    pending.sequence = undefined;
  }

  async #run(first: LeaderConnection): Promise<void> {
    let connection = first;
    for (;;) {
      this.#begin(connection);
      const ended = new AbortController();
      const keeping = keepAlive(this.#clock, this.#lease, connection, ended.signal, {
        load: () => this.#config.load?.(),
        renewed: () => this.#usable.all(),
      });
      const failure = await connection.closed;
      ended.abort();
      await keeping;
      if (this.#connection === connection) this.#connection = undefined;
      if (this.#stop.signal.aborted) return;
      this.#log.info("lost the connection to the metadata server", {
        address: connection.address,
        code: failure?.code,
      });
      this.#finder.leaderLost(connection.address, failure?.failure.leaderHint);
      // The next hello says that nothing is kept.
      await this.#cache?.forgetAll();
      try {
        connection = await this.#connect(true);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        throw error;
      }
    }
  }

  #connect(isPatient: boolean): Promise<LeaderConnection> {
    const { clusterId, hostname, program } = this.#config;
    return this.#finder.find(
      () => ({
        clusterId,
        sessionId: this.#sessionId,
        hostname,
        ...SPEAKS,
        program,
        caches: this.#cache === undefined ? undefined : true,
        earlyCount: this.#early?.count,
      }),
      isPatient,
      this.#stop.signal,
    );
  }

  /** Takes a new connection into use: settles what the old session left, then sends everything again, in order. */
  #begin(connection: LeaderConnection): void {
    const { welcome, sentAtMs, address } = connection;
    const wasLost = this.#sessionId !== 0 && !welcome.resumed;
    const wasResumed = this.#sessionId !== 0 && welcome.resumed;
    this.#sessionId = welcome.sessionId;
    this.level.note(welcome.level);
    // It comes after all that is sent again.
    this.#early?.sendAll();
    if (wasLost) this.#forgetSession();
    if (wasResumed) this.#events.onResumed();
    this.#log.info(`connected to MDS#${welcome.mdsId}`, {
      mdsId: welcome.mdsId,
      address,
      sessionId: welcome.sessionId,
      resumed: wasResumed,
    });
    this.#connection = connection;
    this.#unanswered.clear();
    this.#lease.renew(sentAtMs, welcome.leaseMs);
    for (const pending of [...this.#pending]) void this.#send(pending);
    connection.listen((push) => this.#hear(push));
    this.#usable.all();
  }

  #forgetSession(): void {
    this.#log.warn("the session was lost; a new one began", { sessionId: this.#sessionId });
    this.#lease.end();
    this.#noteLost();
    const failure = storageError("session_lost", "the session ended before the answer came");
    for (const pending of [...this.#pending]) {
      const isUnknown = pending.mayBeDone && (pending.options.repeat ?? "no") === "no";
      if (isUnknown || pending.options.isBound === true || pending.early !== undefined)
        this.#settle(pending, failure);
      else {
        pending.sequence = undefined;
        pending.mayBeDone = false;
      }
    }
    this.#mutations = new SequenceWindow();
    this.#early?.sessionLost();
    this.#events.onLost();
  }

  #noteLost(): void {
    const count = this.#early?.count ?? 0;
    if (count === 0) return;
    this.#log.warn("changes of names and attributes that were not synced are lost", { count });
  }

  #hear(push: MetadataPush): void {
    if (push.type === "sessionEnded") {
      this.#log.info("the metadata server ended the session", { reason: push.body.reason });
      if (this.#connection !== undefined) this.#retire(this.#connection);
      return;
    }
    if (push.type === "mdsServers") this.level.note(push.body.level);
    if (push.type === "invalidate") {
      if (this.#connection !== undefined) void this.#invalidate(this.#connection, push.body);
      return;
    }
    this.#events.onPush(push);
  }

  async #invalidate(connection: LeaderConnection, { number, items }: Invalidate): Promise<void> {
    const wasSole = await this.#cache?.invalidate(items);
    // Others may see what this session was alone with, so they must see all that it did.
    if (wasSole === true) await this.#early?.answered();
    const released = this.#cache?.release(items, connection.welcome.leaseMs) ?? [];
    // If it does not arrive the connection is lost, and everything is dropped.
    this.#tell(connection, { type: "invalidated", body: { number, released } });
  }

  /** Nobody waits for the answer. */
  #tell(connection: LeaderConnection | undefined, request: MetadataRequest): void {
    connection?.calls.request(request, { deadlineMs: REQUEST_MS }).catch(() => undefined);
  }

  /** For how long the leader surely goes on telling this session what changes. */
  #trustedMs(): number {
    const connection = this.#connection;
    if (connection === undefined || connection.calls.isClosed || this.#isLeaving) return 0;
    if (this.#retiring === connection) return 0;
    return Math.max(0, this.#lease.validUntilMs - this.#clock.monotonicMs());
  }
}
