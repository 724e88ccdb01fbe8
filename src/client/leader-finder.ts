import { type FailureCode, failureOf, type StorageError, storageError } from "../base/index.js";
import type { Clock, Random } from "../io/index.js";
import type { Hello, MetadataPush, MetadataReply, MetadataRequest, Welcome } from "../meta/index.js";
import { CallClient, METADATA_SESSION, type Rpc } from "../rpc/index.js";
import type { Logger } from "../telemetry/index.js";
import { MdsCandidates } from "./core/mds-candidates.js";
import { pauseMs } from "./core/retry-policy.js";
import { throwIfAborted } from "./waiting.js";

export type MdsCalls = CallClient<MetadataRequest, MetadataReply, MetadataPush>;

/** An open stream to the leading MDS, which has said welcome. */
export interface LeaderConnection {
  readonly calls: MdsCalls;
  readonly welcome: Welcome;
  readonly address: string;
  /** When the hello was sent, by the monotonic clock. */
  readonly sentAtMs: number;
  /** Has the handler get what the MDS says unasked, also what it said before its welcome. To be called once. */
  listen(handler: (push: MetadataPush) => void): void;
  /** Resolves when the stream is closed, with the failure that closed it if there was one. */
  readonly closed: Promise<StorageError | undefined>;
}

export interface FinderWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly rpc: Rpc;
  readonly log: Logger;
}

/** How long a metadata server may take to answer a hello before another is asked. */
const HELLO_MS = 3000;

/** An election takes about a second: nobody shall come much later than its end. */
const BACKOFF = { delayMsMin: 20, delayMsMax: 400 };

/** Answers that no other server would give differently: this client may not in. */
const FATAL: ReadonlySet<FailureCode> = new Set([
  "unauthenticated",
  "unauthorized",
  "wrong_cluster",
  "unsupported",
]);

/** Finds the MDS that leads, and opens a session with it: follows hints, asks the others in turn, for ever. */
export class LeaderFinder {
  readonly #world: FinderWorld;
  readonly #candidates: MdsCandidates;

  constructor(world: FinderWorld, addresses: readonly string[]) {
    this.#world = world;
    this.#candidates = new MdsCandidates(addresses);
  }

  /**
   * Fails only by the signal, or, unless `isPatient`, when a whole round of servers ended with a refusal.
   */
  async find(hello: () => Hello, isPatient: boolean, signal: AbortSignal): Promise<LeaderConnection> {
    const { clock, log } = this.#world;
    for (let round = 1; ; round++) {
      const failure = await this.#tryEach(hello, signal);
      if ("welcome" in failure) return failure;
      if (!isPatient && FATAL.has(failure.code)) throw failure;
      log.debug("no metadata server leads yet", { round, code: failure.code });
      await clock.sleep("client.find-leader", pauseMs(round, this.#chance(), BACKOFF), signal);
      throwIfAborted(signal);
    }
  }

  /** The connection to this leader ended; `hint` names another one, if anybody said so. */
  leaderLost(address: string, hint: string | undefined): void {
    this.#candidates.failed(address);
    this.#candidates.hint(hint);
  }

  /** One round. Returns the last failure if nobody leads; a refusal counts more than not being there. */
  async #tryEach(hello: () => Hello, signal: AbortSignal): Promise<LeaderConnection | StorageError> {
    let last = storageError("unavailable", "no address of a metadata server is known");
    this.#candidates.beginRound((addresses) => this.#shuffle(addresses));
    for (let address = this.#candidates.next(); address !== undefined; address = this.#candidates.next()) {
      try {
        return await this.#greet(address, hello(), signal);
      } catch (error) {
        throwIfAborted(signal);
        const failure = failureOf(error);
        if (failure === undefined) throw error;
        this.#candidates.failed(address);
        if (failure.code === "not_leader") this.#candidates.hint(failure.leaderHint);
        if (!FATAL.has(last.code)) last = storageError(failure.code, failure.detail, error);
        this.#world.log.debug("metadata server does not lead", { address, code: failure.code });
      }
    }
    return last;
  }

  async #greet(address: string, hello: Hello, signal: AbortSignal): Promise<LeaderConnection> {
    const { rpc, clock } = this.#world;
    const calls: MdsCalls = new CallClient<MetadataRequest, MetadataReply, MetadataPush>(
      rpc.open(METADATA_SESSION, address),
      clock,
    );
    const early: MetadataPush[] = [];
    let deliver = (push: MetadataPush): void => void early.push(push);
    calls.onPush((push) => {
      if (push.type === "mdsServers") this.#candidates.learn(push.body.addresses);
      deliver(push);
    });
    const listen = (handler: typeof deliver): void => {
      deliver = handler;
      for (const push of early.splice(0)) handler(push);
    };
    const closed = new Promise<StorageError | undefined>((resolve) => calls.onClose(resolve));
    const sentAtMs = clock.monotonicMs();
    try {
      const reply = await calls.request({ type: "hello", body: hello }, { deadlineMs: HELLO_MS, signal });
      if (reply.type !== "welcome") throw storageError("malformed", "a hello was answered by something else");
      this.#candidates.leads(address);
      return { calls, welcome: reply.body, address, sentAtMs, listen, closed };
    } catch (error) {
      calls.close();
      throw error;
    }
  }

  #shuffle(addresses: readonly string[]): string[] {
    return addresses
      .map((address) => ({ address, order: this.#world.random.uint32() }))
      .sort((a, b) => a.order - b.order)
      .map(({ address }) => address);
  }

  #chance(): number {
    return this.#world.random.uint32() / 2 ** 32;
  }
}
