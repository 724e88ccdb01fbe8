import { type Failure, type FailureCode, failureOf, type StorageError, storageError } from "../base/index.js";
import type {
  CommandDone,
  CsCommand,
  CsHeartbeat,
  NumberedCsCommand,
  RegisterCs,
  RegistryOk,
  RegistryReply,
  RegistryRequest,
  ReplicaReport,
  ReplicaSynced,
  ReportDamage,
  ReportReplica,
  ScrubOrders,
} from "../chunk/index.js";
import type { Clock, Random } from "../io/index.js";
import { CallClient, REGISTRY_ATTACH, type Rpc } from "../rpc/index.js";
import type { Logger } from "../telemetry/index.js";
import { MdsFinder } from "./core/mds-finder.js";
import type { ServiceLease } from "./core/service-lease.js";

/** What the server says about itself, and how it obeys. */
export interface Registrant {
  registration(): Promise<RegisterCs>;
  inventory(): readonly ReplicaReport[];
  heartbeat(): Promise<CsHeartbeat>;
  /** Carries out a command; resolves with the high-water mark of an install, 0 of others. */
  obey(command: CsCommand): Promise<number>;
  /** The leader said how everything is to be read again. */
  ordered(orders: ScrubOrders): void;
  /** What tickets of clients are sealed with. */
  admitByTickets(key: Uint8Array): void;
  /** The highest epoch of the metadata that was ever met. */
  readonly epoch: number;
  /** Remembers a higher one, safe from loss of power. */
  noteEpoch(epoch: number): Promise<void>;
  /** The cluster has taken this process in. Durable when it resolves. */
  accepted(): Promise<void>;
  /** The MDS has taken the inventory. */
  attached(): void;
}

/** A list that is known, or how to find the present one. */
export type MdsAddresses = readonly string[] | (() => Promise<readonly string[]>);

type Client = CallClient<RegistryRequest, RegistryReply, NumberedCsCommand>;

const INVENTORY_PART = 1000;
const ATTACH_TIMEOUT_MS = 10_000;
/** A thousand servers that come at the same time have to wait for each other. Who is dead is noticed by its connection. */
const INVENTORY_TIMEOUT_MS = 60_000;
const REPORT_TIMEOUT_MS = 5_000;
/** Whoever stops a server waits for it. */
const LEAVE_TIMEOUT_MS = 3_000;
/** Reports kept while there is no leader; beyond that the oldest go: whoever still suffers reports again. */
const REPORT_COUNT_MAX = 10_000;

/** Answers that time does not change. */
const REFUSALS: ReadonlySet<FailureCode> = new Set([
  "refused",
  "not_found",
  "unauthorized",
  "unauthenticated",
  "wrong_cluster",
  "unsupported",
]);

/**
 * The stream to the leading MDS: finds it, registers, tells the inventory, sends heartbeats, carries out commands,
 * passes reports on. Begins again for ever; chunk I/O goes on meanwhile as long as the lease lasts.
 */
export class Registration {
  readonly #rpc: Rpc;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #lease: ServiceLease;
  readonly #registrant: Registrant;
  readonly #finder = new MdsFinder();
  readonly #mdsAddresses: MdsAddresses;
  readonly #stop = new AbortController();
  /** Reports not yet heard by a leader, by what they say. */
  readonly #reports = new Map<string, RegistryRequest>();
  #client: Client | undefined;
  #isAttached = false;
  /** Why the cluster refuses this server, as far as it was said. */
  #refusal: string | undefined;
  #running: Promise<void> | undefined;

  constructor(
    world: { rpc: Rpc; clock: Clock; random: Random; log: Logger },
    mdsAddresses: MdsAddresses,
    lease: ServiceLease,
    registrant: Registrant,
  ) {
    this.#rpc = world.rpc;
    this.#clock = world.clock;
    this.#random = world.random;
    this.#log = world.log;
    this.#lease = lease;
    this.#registrant = registrant;
    this.#mdsAddresses = mdsAddresses;
  }

  /** True while the leader answers. */
  get isAttached(): boolean {
    return this.#isAttached;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /**
   * Tells the leader that this server is about to stop because it was told to. Resolves when that is recorded, or cannot be now:
   * then the server is as any other that is silent.
   */
  async leave(): Promise<void> {
    const client = this.#client;
    if (!this.#isAttached || client === undefined) return;
    try {
      const body = { ...(await this.#registrant.heartbeat()), isLeaving: true };
      await this.#ask(client, { type: "heartbeat", body }, LEAVE_TIMEOUT_MS);
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      this.#log.warn("the MDS does not know that this server stops in order", { code: failure.code });
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#client?.close();
    await this.#running;
  }

  reportReplica(report: ReportReplica): void {
    this.#report({ type: "reportReplica", body: report });
  }

  replicaSynced(report: ReplicaSynced): void {
    this.#report({ type: "replicaSynced", body: report });
  }

  reportDamage(report: ReportDamage): void {
    this.#report({ type: "reportDamage", body: report });
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      await this.#updateAddresses();
      if (this.#isStopped) return;
      const failure = failureOf(await this.#serveOnce());
      if (this.#isStopped) return;
      this.#tellRefusal(failure);
      const delayMs = this.#finder.failed(failure, this.#random.uint32() / 2 ** 32);
      this.#log.debug("not attached to an MDS", { code: failure?.code, next: this.#finder.address, delayMs });
      await this.#clock.sleep("cs.attach.retry", delayMs, this.#stop.signal);
    }
  }

  /** Somebody must act before this server is of use again; said once for each reason. */
  #tellRefusal(failure: Failure | undefined): void {
    if (failure === undefined || !REFUSALS.has(failure.code) || failure.detail === this.#refusal) return;
    this.#refusal = failure.detail;
    const { code, detail } = failure;
    this.#log.warn("the cluster refuses this chunk server", { code, detail });
  }

  async #updateAddresses(): Promise<void> {
    if (typeof this.#mdsAddresses !== "function") {
      this.#finder.update(this.#mdsAddresses);
      return;
    }
    try {
      this.#finder.update(await this.#mdsAddresses());
    } catch (error) {
      // Those known until now are better than none.
      if (failureOf(error) === undefined) throw error;
      this.#log.warn("the list of MDSs cannot be read", { error });
    }
  }

  /** One stream from its beginning to its end; returns why it ended. */
  async #serveOnce(): Promise<StorageError> {
    const client: Client = new CallClient<RegistryRequest, RegistryReply, NumberedCsCommand>(
      this.#rpc.open(REGISTRY_ATTACH, this.#finder.address),
      this.#clock,
    );
    this.#client = client;
    client.onPush((push) => void this.#obey(client, push));
    try {
      const heartbeatMs = await this.#attach(client);
      return await this.#beat(client, heartbeatMs);
    } catch (error) {
      if (failureOf(error) === undefined) throw error;
      return error as StorageError;
    } finally {
      if (this.#isAttached) this.#log.info("detached from the MDS", { address: this.#finder.address });
      this.#isAttached = false;
      client.close();
    }
  }

  /** Registers and tells everything; the server is admitted when the last part was answered. */
  async #attach(client: Client): Promise<number> {
    const body = await this.#registrant.registration();
    const reply = await this.#ask(client, { type: "register", body }, ATTACH_TIMEOUT_MS);
    if (reply.type !== "registered") throw storageError("malformed", "not an answer to a registration");
    await this.#checkEpoch(reply.body.epoch);
    if (reply.body.ticketKey !== undefined) this.#registrant.admitByTickets(reply.body.ticketKey);
    await this.#registrant.accepted();
    const replicas = this.#registrant.inventory();
    for (let done = 0; done === 0 || done < replicas.length; done += INVENTORY_PART) {
      const part = replicas.slice(done, done + INVENTORY_PART);
      const isLast = done + INVENTORY_PART >= replicas.length;
      await this.#ask(client, { type: "inventory", body: { replicas: part, isLast } }, INVENTORY_TIMEOUT_MS);
    }
    const { heartbeatMs, leaseMs } = reply.body;
    // The MDS counts from the moment it had everything, which may be long after the question; a heartbeat is answered at once.
    this.#lease.admit(await this.#heartbeat(client, ATTACH_TIMEOUT_MS), leaseMs);
    this.#isAttached = true;
    this.#refusal = undefined;
    this.#finder.succeeded();
    this.#log.info("attached to the MDS", { address: this.#finder.address, replicaCount: replicas.length });
    for (const [key, report] of this.#reports) this.#deliver(client, key, report);
    this.#registrant.attached();
    return heartbeatMs;
  }

  /** Metadata that were recovered take this server with them: whoever still holds the older ones may not decide any more. */
  async #checkEpoch(epoch: number): Promise<void> {
    const known = this.#registrant.epoch;
    if (epoch > known) {
      this.#log.warn("the metadata of the cluster were recovered", { epoch, known });
      await this.#registrant.noteEpoch(epoch);
    } else if (epoch < known) {
      throw storageError(
        "refused",
        `the MDS at ${this.#finder.address} is of epoch ${epoch}, from before a recovery of the metadata (epoch ${known})`,
      );
    }
  }

  /** Heartbeats until one is not answered. */
  async #beat(client: Client, heartbeatMs: number): Promise<StorageError> {
    const closed = new Promise<void>((resolve) => client.onClose(() => resolve()));
    for (;;) {
      const pause = new AbortController();
      const slept = this.#clock.sleep("cs.heartbeat", heartbeatMs, pause.signal);
      await Promise.race([slept, closed]);
      pause.abort();
      if (this.#isStopped || client.isClosed) return storageError("unavailable", "the stream was closed");
      const sentAtMs = await this.#heartbeat(client, Math.max(1_000, 2 * heartbeatMs));
      // Heartbeats do not bring a lease back that was over: it begins with a registration, or this server never serves again.
      if (!this.#lease.mayServe(this.#clock.monotonicMs()))
        return storageError("timed_out", "the lease was over");
      this.#lease.renew(sentAtMs);
    }
  }

  /** Resolves with the moment at which it was sent, when it is answered. */
  async #heartbeat(client: Client, deadlineMs: number): Promise<number> {
    const sentAtMs = this.#clock.monotonicMs();
    const body = await this.#registrant.heartbeat();
    const reply = await this.#ask(client, { type: "heartbeat", body }, deadlineMs);
    if (reply.type === "ok") this.#told(reply.body);
    return sentAtMs;
  }

  /** What the cluster wants at present. */
  #told({ scrub, ticketKey }: RegistryOk): void {
    if (scrub !== undefined) this.#registrant.ordered(scrub);
    if (ticketKey !== undefined) this.#registrant.admitByTickets(ticketKey);
  }

  async #obey(client: Client, { commandId, command }: NumberedCsCommand): Promise<void> {
    const done = await this.#tryObey(commandId, command);
    try {
      await this.#ask(client, { type: "commandDone", body: done }, REPORT_TIMEOUT_MS);
    } catch (error) {
      // A leader that did not hear the answer asks again, after the next registration at the latest.
      if (failureOf(error) === undefined) throw error;
    }
  }

  async #tryObey(commandId: number, command: CsCommand): Promise<CommandDone> {
    try {
      return { commandId, failure: undefined, highWaterBytes: await this.#registrant.obey(command) };
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      this.#log.debug("command failed", { ...command, code: failure.code });
      return { commandId, failure: { code: failure.code, detail: failure.detail }, highWaterBytes: 0 };
    }
  }

  #report(report: RegistryRequest): void {
    const key = JSON.stringify(report);
    if (this.#reports.has(key)) return;
    this.#reports.set(key, report);
    for (const oldest of this.#reports.keys()) {
      if (this.#reports.size <= REPORT_COUNT_MAX) break;
      this.#reports.delete(oldest);
    }
    if (this.#isAttached && this.#client !== undefined) this.#deliver(this.#client, key, report);
  }

  #deliver(client: Client, key: string, report: RegistryRequest): void {
    const forget = (): boolean => this.#reports.delete(key);
    this.#ask(client, report, REPORT_TIMEOUT_MS).then(forget, (error: unknown) => {
      const code = failureOf(error)?.code;
      // Refused for good; everything else is told again at the next registration.
      if (code !== undefined && !LATER.has(code)) forget();
    });
  }

  /** `close` ends it with its client: no signal is listened to for each of many reports. */
  #ask(client: Client, request: RegistryRequest, deadlineMs: number): Promise<RegistryReply> {
    return client.request(request, { deadlineMs });
  }

  get #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }
}

const LATER: ReadonlySet<string> = new Set([
  "not_leader",
  "unavailable",
  "timed_out",
  "closed",
  "busy",
  "cancelled",
]);
