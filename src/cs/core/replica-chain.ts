import { assert, defined, type Failure, type FailureCode } from "../../base/index.js";
import type {
  ChainMember,
  ChunkVersion,
  CsId,
  ForwardHeld,
  ForwardWrite,
  WriteId,
} from "../../chunk/index.js";
import { ChainLink, type LinkVerdict } from "./chain-link.js";
import { ChainOutput } from "./chain-output.js";
import { ChainSyncs } from "./chain-syncs.js";
import type {
  ChainAnswer,
  ChainEffect,
  ChainInstall,
  ChainStart,
  Change,
  ForwardResult,
  Submission,
} from "./chain-types.js";
import { ChangeLog, newChange } from "./change-log.js";
import { Handover } from "./handover.js";
import { RangeGate } from "./range-gate.js";
import { WriteIds } from "./write-ids.js";

/** Changes of one chunk that are not acknowledged yet; more are refused with `busy`. */
const CHANGE_COUNT_MAX = 1024;
/** Sequence numbers are not counted for changes that the MDS asks for. */
const MDS_WRITE: WriteId = { sessionId: 0, sequence: 0, acknowledgedBelow: 0 };

/**
 * One replica of one chunk as a member of its chain. Keeps these true (the proof is in docs/protocol-chunk.md):
 *
 * - Changes are stored in the head's order where they overlap, each at most once.
 * - Nothing is forwarded before its regions are marked dirty here, nor out of order.
 * - A change is acknowledged upstream only when it is stored here and acknowledged from behind. So what a server
 *   acknowledged, all behind it have; and what a server has received, all before it have received.
 * - A read sees no change that is not acknowledged.
 * - After an install nothing of an older version is accepted; what was in order is passed down the new chain.
 *
 * Pure: methods take events, return effects in the order they must be carried out.
 */
export class ReplicaChain {
  readonly #selfId: CsId;
  readonly #incarnation: number;
  #version: ChunkVersion;
  #chain: readonly ChainMember[];
  #refusal: Failure | undefined;
  /** Set when the replica is gone for good from this process' view: nothing happens any more. */
  #isEnded = false;
  #link: ChainLink;

  readonly #gate = new RangeGate();
  /** Which writes of clients it has seen, and under which versions. */
  readonly writes = new WriteIds();
  /** Changes that the gate let pass before their regions were marked. */
  readonly #admitted = new Set<number>();
  /** Everything that is not released: waiting for its place, or in the log. */
  readonly #changes = new Map<number, Change>();
  readonly #log = new ChangeLog();
  #nextId = 1;
  /** The install that answers when everything up to `order` is acknowledged behind the new chain. */
  #handover: Handover | undefined;
  readonly #out = new ChainOutput();
  readonly #syncs = new ChainSyncs(this.#out);

  constructor(start: ChainStart) {
    const { selfId, version, chain } = start;
    this.#selfId = selfId;
    this.#incarnation = start.incarnation;
    this.#version = version;
    this.#chain = chain;
    this.#refusal = start.refusal;
    this.#link = new ChainLink(successorOf(selfId, chain), version, 1);
  }

  get version(): ChunkVersion {
    return this.#version;
  }

  get successor(): ChainMember | undefined {
    return this.#link.successor;
  }

  /** Servers behind this one. */
  get countBehind(): number {
    return this.#chain.length - 1 - this.#chain.findIndex(({ csId }) => csId === this.#selfId);
  }

  get isHead(): boolean {
    return this.#chain[0]?.csId === this.#selfId;
  }

  get isSyncing(): boolean {
    return this.#chain.some((member) => member.csId === this.#selfId && member.syncing);
  }

  /** Nothing is on its way. */
  get isIdle(): boolean {
    return this.#changes.size === 0 && this.#gate.size === 0 && this.#syncs.isEmpty;
  }

  /** Why a request of a client under that version cannot be served, or undefined if it can. */
  refusalOf(version: number): Failure | undefined {
    if (version !== this.#version) {
      return { code: "stale_map", detail: `version ${version}, installed is ${this.#version}` };
    }
    return this.#refusal;
  }

  /** Whether the change is kept here, and so its payload. */
  holds(changeId: number): boolean {
    return this.#changes.has(changeId);
  }

  /** A client's change arrives at the head. The id is a new one; `holds` says whether it became a change. */
  submit(changeId: number, submission: Submission, requestId: number): ChainEffect[] {
    const known = this.writes.find(submission.writeId);
    if (known !== undefined) return this.#repeat(known, requestId);
    if (this.#changes.size >= CHANGE_COUNT_MAX) {
      this.#out.fail(requestId, { code: "busy", detail: "too many writes of this chunk are on their way" });
      return this.#out.take();
    }
    this.writes.note(submission.writeId, changeId);
    this.#admit(changeId, submission, requestId);
    return this.#out.take();
  }

  /** At the head: the change is complete and its regions are marked. It gets its place in the order. */
  prepared(changeId: number, endBytes: number): ChainEffect[] {
    const change = this.#changes.get(changeId);
    if (change === undefined) return [];
    change.endBytes = endBytes;
    change.isMarked = true;
    this.#log.append(change, this.#version, this.#incarnation);
    this.#forwardMore();
    this.#out.push({ type: "store", change });
    return this.#out.take();
  }

  /** At the head: the change could not be prepared. It never happened. */
  abort(changeId: number, failure: Failure): ChainEffect[] {
    const change = this.#changes.get(changeId);
    if (change !== undefined) this.#drop(change, { type: "failed", failure });
    return this.#out.take();
  }

  /** A change arrives from the server before. The id is a new one; `holds` says whether it became a change. */
  receive(changeId: number, forward: ForwardWrite, requestId: number): ChainEffect[] {
    const place = this.#log.classify(forward);
    if (forward.version !== this.#version || place === "gap") {
      const body = { installedVersion: this.#version, successorFailed: false };
      this.#out.answer(requestId, { type: "held", body });
    } else if (this.#refusal !== undefined) this.#out.fail(requestId, this.#refusal);
    else if (this.isHead) this.#out.fail(requestId, { code: "invalid", detail: "nobody is before the head" });
    else if (place === "known") this.#receiveAgain(forward.order, requestId);
    else this.#receiveNew(changeId, forward, requestId);
    return this.#out.take();
  }

  /** Behind the head: the regions of the change are marked. */
  marked(changeId: number): ChainEffect[] {
    const change = this.#changes.get(changeId);
    if (change === undefined) return [];
    change.isMarked = true;
    this.#forwardMore();
    // The gate may have let it pass before the marks were durable.
    if (this.#admitted.delete(changeId)) this.#out.push({ type: "store", change });
    return this.#out.take();
  }

  stored(changeId: number): ChainEffect[] {
    const change = this.#changes.get(changeId);
    if (change === undefined) return [];
    change.isStored = true;
    this.#begin(this.#gate.stored(changeId));
    this.#settle(change);
    return this.#out.take();
  }

  /** How a forwarded change ended at the successor. */
  forwarded(changeId: number, attempt: number, result: ForwardResult): ChainEffect[] {
    if (this.#isEnded || !this.#link.isCurrent(attempt)) return [];
    if (result.type !== "done") {
      this.#obey(this.#link.judge(attempt, result));
      return this.#out.take();
    }
    this.#link.succeeded();
    const change = this.#changes.get(changeId);
    if (change !== undefined) {
      change.isPassed = true;
      this.#settle(change);
    }
    return this.#out.take();
  }

  /** The pause that `retryLater` asked for is over. */
  retryLink(attempt: number): ChainEffect[] {
    if (this.#isEnded || !this.#link.retry(attempt)) return [];
    this.#forwardAgain();
    this.#resumeSyncs();
    return this.#out.take();
  }

  /** A read (or a description) under the current version, or fetched contents want in. `begin` says when. */
  enter(operationId: number, use: "read" | "fill", offset: number, lengthBytes: number): ChainEffect[] {
    if (this.#gate.enter(operationId, use, { offset, lengthBytes })) this.#begin([operationId]);
    return this.#out.take();
  }

  /** A read or fill is over, or was given up. */
  leave(operationId: number): ChainEffect[] {
    this.#begin(this.#gate.leave(operationId));
    return this.#out.take();
  }

  /** A sync arrives, from a client or from the server before. */
  sync(requestId: number): ChainEffect[] {
    const held = this.#held;
    if (this.#refusal !== undefined) this.#out.fail(requestId, this.#refusal);
    else if (held !== undefined) this.#tellHeld(requestId, held);
    else this.#startSync(requestId);
    return this.#out.take();
  }

  syncedLocally(syncId: number): ChainEffect[] {
    this.#syncs.storedLocally(syncId);
    return this.#out.take();
  }

  syncForwarded(syncId: number, attempt: number, result: ForwardResult): ChainEffect[] {
    if (this.#isEnded || !this.#link.isCurrent(attempt)) return [];
    if (result.type === "done") this.#syncs.passed(syncId);
    else this.#obey(this.#link.judge(attempt, result));
    return this.#out.take();
  }

  /** Moves the replica to a newer version, keeping what it has. The answer comes when the handover is complete. */
  install(install: ChainInstall, requestId: number): ChainEffect[] {
    assert(install.version > this.#version, "versions only grow");
    const wasHead = this.isHead;
    this.#dropUnordered({ code: "stale_map", detail: `version ${install.version} was installed` });
    this.#endHandover();
    this.writes.close(this.#version);
    this.#version = install.version;
    this.#chain = install.chain;
    this.#refusal = undefined;
    this.#link = new ChainLink(
      successorOf(this.#selfId, install.chain),
      install.version,
      this.#link.attempt + 1,
    );
    this.#dismissWaiters(wasHead);
    this.#forwardAgain();
    this.#resumeSyncs();
    if (this.isHead) this.#handOver(install, requestId);
    else this.#out.done(requestId);
    return this.#out.take();
  }

  /** This replica cannot go on (its disk failed): everything waiting fails, the MDS is told. */
  fail(failure: Failure): ChainEffect[] {
    if (this.#isEnded) return [];
    this.#report(this.#selfId, failure.code);
    return this.end(failure);
  }

  /** This replica is deleted, replaced or shut down: everything waiting fails. */
  end(failure: Failure): ChainEffect[] {
    this.#isEnded = true;
    this.#refusal = failure;
    this.#admitted.clear();
    for (const requestId of this.#syncs.clear()) this.#out.fail(requestId, failure);
    for (const change of [...this.#changes.values()]) {
      this.#changes.delete(change.id);
      for (const requestId of change.waiters) this.#out.fail(requestId, failure);
      this.#out.push({ type: "release", change });
    }
    this.#log.clear();
    this.#endHandover({ type: "failed", failure });
    return this.#out.take();
  }

  newOperationId(): number {
    return this.#nextId++;
  }

  #repeat(known: number | "old", requestId: number): ChainEffect[] {
    const change = known === "old" ? undefined : this.#changes.get(known);
    if (change === undefined || change.isAcknowledged) this.#out.done(requestId);
    else this.#join(change, requestId);
    return this.#out.take();
  }

  #join(change: Change, requestId: number): void {
    const held = this.#held;
    if (held === undefined) change.waiters.push(requestId);
    else this.#tellHeld(requestId, held);
  }

  /** What those who wait must hear, if anything. Clients of a head that is only cut off wait for the next install. */
  get #held(): ForwardHeld | undefined {
    const held = this.#link.held;
    return this.isHead && held?.successorFailed === true ? undefined : held;
  }

  #admit(changeId: number, submission: Submission, requestId: number | undefined): void {
    const change = this.#newChange(changeId, submission);
    if (requestId !== undefined) this.#join(change, requestId);
    if (this.#gate.enter(change.id, "change", change)) this.#out.push({ type: "prepare", change });
  }

  #newChange(id: number, submission: Submission): Change {
    const change = newChange(id, submission, this.successor === undefined);
    this.#changes.set(id, change);
    return change;
  }

  #receiveAgain(order: number, requestId: number): void {
    const change = this.#log.find(order);
    if (change === undefined || (change.isStored && change.isPassed)) this.#out.done(requestId);
    else this.#join(change, requestId);
  }

  #receiveNew(changeId: number, forward: ForwardWrite, requestId: number): void {
    const { sessionId, sequence, acknowledgedBelow, kind, offset, lengthBytes, extents } = forward;
    const writeId = { sessionId, sequence, acknowledgedBelow };
    const change = this.#newChange(changeId, { writeId, kind, offset, lengthBytes, extents });
    change.endBytes = forward.endBytes;
    this.#log.receive(change, forward.epoch, forward.order);
    if (sessionId !== 0) this.writes.note(writeId, change.id);
    this.#join(change, requestId);
    this.#out.push({ type: "mark", change });
    if (this.#gate.enter(change.id, "change", change)) this.#admitted.add(change.id);
  }

  /** Operations that the gate lets pass. */
  #begin(ids: readonly number[]): void {
    for (const id of ids) {
      const change = this.#changes.get(id);
      if (change === undefined) this.#out.push({ type: "begin", operationId: id });
      else if (change.order === 0) this.#out.push({ type: "prepare", change });
      else if (change.isMarked) this.#out.push({ type: "store", change });
      else this.#admitted.add(id);
    }
  }

  /** Acknowledges the change if it is stored here and behind; lets go what nobody needs any more. */
  #settle(change: Change): void {
    if (!change.isStored || !change.isPassed) return;
    for (const requestId of change.waiters.splice(0)) this.#out.done(requestId);
    if (!change.isAcknowledged) {
      change.isAcknowledged = true;
      this.#begin(this.#gate.leave(change.id));
    }
    this.#release();
    this.#checkHandover();
  }

  #release(): void {
    for (const released of this.#log.release()) {
      this.#changes.delete(released.id);
      this.#out.push({ type: "release", change: released });
    }
  }

  #forwardMore(): void {
    if (this.successor === undefined || !this.#link.isUp) return;
    const floor = this.#log.oldest?.order ?? 0;
    for (;;) {
      const change = this.#log.takeNextToForward();
      if (change === undefined) return;
      const epoch = defined(this.#log.epoch, "a change in order belongs to an epoch");
      this.#out.push({ type: "forward", change, epoch, floor, attempt: this.#link.attempt });
    }
  }

  /** Everything in the log has to go down the (new) link, from the oldest on. */
  #forwardAgain(): void {
    const hasSuccessor = this.successor !== undefined;
    this.#log.rewind(hasSuccessor);
    if (hasSuccessor) this.#forwardMore();
    else for (const change of [...this.#changes.values()]) this.#settle(change);
  }

  #obey(verdict: LinkVerdict): void {
    if (verdict.type === "none") return;
    if (verdict.type === "retry") {
      this.#out.push({ type: "retryLater", delayMs: verdict.delayMs, attempt: this.#link.attempt });
      return;
    }
    if (verdict.type === "broken") {
      this.#report(defined(this.successor, "only a successor can break the link").csId, verdict.code);
    }
    this.#tellWaiters();
  }

  #report(csId: CsId, code: FailureCode): void {
    this.#out.push({ type: "report", csId, version: this.#version, code });
  }

  /** The link is down or deposed: whoever waits for it is told. */
  #tellWaiters(): void {
    const held = this.#held;
    if (held === undefined) return;
    for (const { waiters } of this.#changes.values()) {
      for (const requestId of waiters.splice(0)) this.#tellHeld(requestId, held);
    }
    for (const requestId of this.#syncs.takeUnpassed()) this.#tellHeld(requestId, held);
  }

  #tellHeld(requestId: number, held: ForwardHeld): void {
    const detail = `version ${held.installedVersion} was installed elsewhere`;
    if (this.isHead) this.#out.fail(requestId, { code: "stale_map", detail });
    else this.#out.answer(requestId, { type: "held", body: held });
  }

  /**
   * Who waits under the older version is sent away; the changes themselves stay. Servers before will send them again.
   * Clients must not hear of success yet: somebody with the older map might still read from a member that was left
   * out. They come back with the newer map, which the MDS gives when no older one is left, and are recognised.
   */
  #dismissWaiters(wasHead: boolean): void {
    const body = { installedVersion: this.#version, successorFailed: false };
    const failure: Failure = { code: "stale_map", detail: `version ${this.#version} was installed` };
    const answer: ChainAnswer = wasHead ? { type: "failed", failure } : { type: "held", body };
    for (const change of this.#changes.values()) {
      for (const requestId of change.waiters.splice(0)) this.#out.answer(requestId, answer);
    }
    if (wasHead) return;
    for (const requestId of this.#syncs.clear()) this.#out.answer(requestId, answer);
  }

  #dropUnordered(failure: Failure): void {
    for (const change of [...this.#changes.values()]) {
      if (change.order === 0) this.#drop(change, { type: "failed", failure });
    }
  }

  #drop(change: Change, answer: ChainAnswer): void {
    assert(change.order === 0, "what is in order cannot be dropped");
    this.#changes.delete(change.id);
    this.writes.forget(change.writeId);
    for (const requestId of change.waiters) this.#out.answer(requestId, answer);
    this.#out.push({ type: "release", change });
    this.#begin(this.#gate.leave(change.id));
    if (this.#handover?.truncateId === change.id) this.#endHandover(answer);
  }

  #handOver({ truncate }: ChainInstall, requestId: number): void {
    const truncateId =
      truncate === undefined || truncate.lengthBytes === 0 ? undefined : this.newOperationId();
    this.#handover = new Handover(requestId, this.#log.received, truncateId);
    if (truncate !== undefined && truncateId !== undefined) {
      this.#admit(truncateId, { ...truncate, writeId: MDS_WRITE, kind: "truncate" }, undefined);
    }
    this.#checkHandover();
  }

  #checkHandover(): void {
    const handover = this.#handover;
    if (handover?.isOver(this.#log.oldest?.order, (changeId) => this.holds(changeId)) !== true) return;
    this.#handover = undefined;
    this.#out.done(handover.requestId);
  }

  /** A newer install overtakes the one that waits. */
  #endHandover(answer?: ChainAnswer): void {
    if (this.#handover === undefined) return;
    const failure: Failure = { code: "stale_map", detail: "a newer version was installed meanwhile" };
    this.#out.answer(this.#handover.requestId, answer ?? { type: "failed", failure });
    this.#handover = undefined;
  }

  #resumeSyncs(): void {
    if (this.successor === undefined) {
      this.#syncs.passedAll();
      return;
    }
    for (const syncId of this.#syncs.unpassedIds()) {
      this.#out.push({ type: "forwardSync", syncId, attempt: this.#link.attempt });
    }
  }

  #startSync(requestId: number): void {
    const syncId = this.newOperationId();
    this.#syncs.add(syncId, requestId, this.successor !== undefined);
    this.#out.push({ type: "syncLocally", syncId });
    if (this.successor !== undefined && this.#link.isUp) {
      this.#out.push({ type: "forwardSync", syncId, attempt: this.#link.attempt });
    }
  }
}

function successorOf(selfId: CsId, chain: readonly ChainMember[]): ChainMember | undefined {
  const position = chain.findIndex((member) => member.csId === selfId);
  assert(position >= 0, "a replica is a member of its chain");
  return chain[position + 1];
}
