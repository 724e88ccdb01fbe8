import { failureOf, storageError } from "../base/index.js";
import type { Attributes, LeaseGrant, LeaseKind, RecallLease } from "../meta/index.js";
import { leaseAllows, lower, mustStopWrites, type Use } from "./core/lease-rules.js";
import { abortable, Turn, throwIfAborted, Wakeup } from "./waiting.js";

/** What the lease needs of its file. */
export interface LeaseOwner {
  /** Whether the session's leases may be used at this moment; if not, `whenUsable` resolves when they may. */
  readonly isUsable: () => boolean;
  readonly whenUsable: (signal?: AbortSignal) => Promise<void>;
  /** Opens the file once more, so that the MDS grants what its opens need; calls `granted`. */
  readonly reacquire: () => Promise<void>;
  /** Resolves when no write that was accepted here is still on its way; no new one comes meanwhile. */
  readonly drain: () => Promise<void>;
  /** The lease is about to come down: who keeps copies of the file elsewhere (a kernel) hands its writes over first. */
  readonly comesDown: (from: LeaseKind, to: LeaseKind) => Promise<void>;
  /** Tells the MDS size and times, and that the lease comes down as it was recalled. Returns what the MDS then says. */
  readonly report: (recall: RecallLease) => Promise<Attributes>;
  /** The lease is of another kind, or new. `attributes` are those that came with it. */
  readonly changed: (from: LeaseGrant, to: LeaseGrant, attributes: Attributes) => void;
  /** The lease is gone. True if only readers have the file open: they may go on under a new one. */
  readonly lost: () => boolean;
}

/**
 * The lease of one open file, and who goes on under it. Nothing is done to the file's contents except between
 * `enter` and `leave`; a recall waits until writes are over, and holds new ones back.
 */
export class FileLease {
  readonly #owner: LeaseOwner;
  readonly #changed = new Wakeup();
  readonly #recalls = new Turn();
  #grant: LeaseGrant = { kind: "none", sequence: 0 };
  /** A recall of a lease whose grant is still on its way. */
  #earlyRecall: RecallLease | undefined;
  #recallsUnderWay = 0;
  #givingUpCount = 0;
  #writeCount = 0;
  #isLost = false;
  #reacquiring: Promise<void> | undefined;

  constructor(owner: LeaseOwner) {
    this.#owner = owner;
  }

  get grant(): LeaseGrant {
    return this.#grant;
  }

  get kind(): LeaseKind {
    return this.#grant.kind;
  }

  /** What was written under it and not reported is lost, and so is the right to go on. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** Whether the session's term is not over by this machine's clock. */
  get isInForce(): boolean {
    return this.#owner.isUsable();
  }

  /** It goes altogether, because nobody needed it when it was recalled: no handle may rely on it any more. */
  get isBeingGivenUp(): boolean {
    return this.#givingUpCount > 0;
  }

  /** The MDS does not know the lease of that sequence any more. */
  refused(sequence: number): void {
    if (sequence === this.#grant.sequence && this.kind !== "none") this.lose();
  }

  /** The open was answered. */
  granted(grant: LeaseGrant, attributes: Attributes): void {
    if (grant.sequence >= this.#grant.sequence) {
      const isSame = grant.sequence === this.#grant.sequence;
      this.#set({ ...grant, kind: isSame ? lower(grant.kind, this.#grant.kind) : grant.kind }, attributes);
    }
    const early = this.#earlyRecall;
    if (early !== undefined && early.leaseSequence <= this.#grant.sequence) {
      this.#earlyRecall = undefined;
      this.recall(early);
    }
  }

  /** Resolves when the lease allows the use. Fails with `lease_lost` if it never will. */
  async ready(use: Use, signal?: AbortSignal): Promise<void> {
    while (!this.#allows(use)) {
      throwIfAborted(signal);
      if (this.#isLost) throw leaseLost();
      if (!this.#owner.isUsable()) await this.#owner.whenUsable(signal);
      else if (this.#isHeldBack(use)) await this.#changed.next(signal);
      else await this.lift(signal);
    }
  }

  /** Whether it is so at this very moment: `ready` may be out of date when its promise has resolved. */
  isReady(use: Use): boolean {
    return this.#allows(use);
  }

  /** True: a write may be under way until `leaveWrite`. To be asked right before sending, after `ready`. */
  tryEnterWrite(use: "write" | "writeBack"): boolean {
    if (!this.#allows(use)) return false;
    this.#writeCount++;
    return true;
  }

  leaveWrite(): void {
    this.#writeCount--;
    if (this.#writeCount === 0) this.#changed.all();
  }

  /** The MDS wants the lease to come down. `giveUp`: nobody here needs it any more, it goes altogether. */
  recall(recall: RecallLease, giveUp = false): void {
    const { to, leaseSequence: sequence } = recall;
    if (sequence > this.#grant.sequence) {
      this.#earlyRecall = recall;
      return;
    }
    if (sequence < this.#grant.sequence || this.kind === "none") return;
    if (to === "none") {
      // Revoked: it is gone already, and nobody waits for an answer.
      this.lose();
      return;
    }
    const isAsk = to === this.kind;
    if (giveUp && !isAsk) void this.#giveUp(recall);
    else void this.#recalls.take(() => this.#comeDown(recall));
  }

  async #giveUp(recall: RecallLease): Promise<void> {
    this.#givingUpCount++;
    try {
      await this.#recalls.take(() => this.#comeDown({ ...recall, to: "none" }));
    } finally {
      this.#givingUpCount--;
    }
  }

  /** The session ended, or the MDS does not know this lease any more. */
  lose(): void {
    this.#earlyRecall = undefined;
    this.#grant = { kind: "none", sequence: this.#grant.sequence };
    if (!this.#owner.lost()) this.#isLost = true;
    this.#changed.all();
  }

  /** A new session counts its leases from the cluster's counter on, so that their numbers are greater still. */
  #set(grant: LeaseGrant, attributes: Attributes): void {
    const from = this.#grant;
    this.#grant = grant;
    this.#owner.changed(from, grant, attributes);
    this.#changed.all();
  }

  #allows(use: Use): boolean {
    return !this.#isLost && this.#owner.isUsable() && leaseAllows(this.kind, use) && !this.#isHeldBack(use);
  }

  #isHeldBack(use: Use): boolean {
    return use === "write" && this.#recallsUnderWay > 0;
  }

  async #comeDown(recall: RecallLease): Promise<void> {
    const { to, leaseSequence: sequence } = recall;
    // An ask that was overtaken by a recall to less is not answered: there is nothing to be told any more.
    if (sequence !== this.#grant.sequence || lower(to, this.kind) !== to) return;
    if (to !== this.kind) await this.#owner.comesDown(this.kind, to);
    if (sequence !== this.#grant.sequence) return;
    const mustStop = mustStopWrites(this.kind, to);
    if (mustStop) this.#recallsUnderWay++;
    try {
      if (mustStop) await this.#owner.drain();
      while (mustStop && this.#writeCount > 0) await this.#changed.next();
      if (sequence !== this.#grant.sequence) return;
      const attributes = await this.#owner.report(recall);
      if (sequence !== this.#grant.sequence) return;
      this.#set({ kind: lower(to, this.kind), sequence }, attributes);
    } catch (error) {
      const code = failureOf(error)?.code;
      if (code === undefined) throw error;
      if (code === "lease_lost") this.refused(sequence);
    } finally {
      if (mustStop) this.#recallsUnderWay--;
      this.#changed.all();
    }
  }

  /** Asks for as much as the MDS gives now. */
  async lift(signal?: AbortSignal): Promise<void> {
    this.#reacquiring ??= this.#owner.reacquire().finally(() => {
      this.#reacquiring = undefined;
    });
    try {
      await abortable(this.#reacquiring, signal);
    } catch (error) {
      const code = failureOf(error)?.code;
      // The session was lost on the way: whether the file may be opened again is decided anew.
      if (code === "session_lost") return;
      if (code === "not_found") throw storageError("lease_lost", "the file is gone", error);
      throw error;
    }
  }
}

function leaseLost(): Error {
  return storageError("lease_lost", "the lease of this file was lost; open it again");
}
