import { assert, failureOf, type StorageError, storageError } from "../base/index.js";
import type { Clock } from "../io/index.js";
import type { Entry, Member, RaftId, RaftMessage, Snapshot } from "../raft/index.js";
import { ByteQueue, type Channel, type Rpc, type Service, type wire } from "../rpc/index.js";
import type { Logger } from "../telemetry/index.js";
import { RAFT_PEER, raftMessageFromWire, raftMessageToWire } from "./raft-wire.js";
import type { RaftTransport } from "./replica-api.js";

type PeerChannel = Channel<wire.RaftEnvelope, wire.RaftEnvelope>;

/** A broken stream is opened again no sooner than this. */
const REOPEN_DELAY_MS = 100;
/** A snapshot's receiver that says nothing for that long after the last part has failed. */
const SNAPSHOT_RESULT_MS = 120_000;
const SNAPSHOT_PART_BYTES = 256 * 1024;
/** Entries in one envelope, unless the first message alone has more. An envelope may have four times that. */
const PART_BYTES_MAX = 4 << 20;
/** Of an entry besides its data, at most. */
const ENTRY_HEAD_BYTES = 32;
/** What a person should know of. */
const REFUSALS: readonly string[] = ["wrong_cluster", "unauthorized", "refused"];

interface PeerState {
  readonly address: string;
  channel: PeerChannel | undefined;
  notBeforeMs: number;
  isClogged: boolean;
}

/** What a link must know of this node. */
export interface RaftLinkOptions {
  readonly clusterId: string;
  readonly id: RaftId;
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly log: Logger;
  /** The host on which that member was set up, if known: its certificate must be of that host. */
  readonly hostOf: (id: number) => string | undefined;
  /** Of this node's metadata: nobody of another epoch is a member of its group. */
  readonly epoch: () => number;
  /** The group was recovered without this node, as a peer of a higher epoch says. */
  readonly onSuperseded: (epoch: number) => void;
}

/**
 * Messages between the members of the Raft group: one stream to each, opened when there is something to say.
 * What cannot be sent at once is dropped: consensus repeats what matters.
 */
export class RaftLink implements RaftTransport {
  readonly #options: RaftLinkOptions;
  readonly #peers = new Map<RaftId, PeerState>();
  /** By whom this node is sent messages, and over which stream. */
  readonly #callers = new Map<number, PeerChannel>();
  #onMessage: ((message: RaftMessage) => void) | undefined;
  #onSnapshot: ((message: Snapshot, bytes: AsyncIterable<Uint8Array>) => Promise<void>) | undefined;
  #nextTransfer = 1;
  #isClosed = false;

  constructor(options: RaftLinkOptions) {
    this.#options = options;
  }

  /** Registers the service that peers send to. */
  define(service: Service): void {
    service.stream(RAFT_PEER, (channel) => this.#accept(channel));
  }

  onMessage(handler: (message: RaftMessage) => void): void {
    this.#onMessage = handler;
  }

  onSnapshot(handler: (message: Snapshot, bytes: AsyncIterable<Uint8Array>) => Promise<void>): void {
    this.#onSnapshot = handler;
  }

  setMembers(members: readonly Member[]): void {
    const known = new Map(members.map((member) => [member.id, member.address]));
    for (const [id, peer] of this.#peers) {
      if (known.get(id) === peer.address) continue;
      peer.channel?.close();
      this.#peers.delete(id);
    }
    for (const [id, address] of known) {
      if (id === this.#options.id || this.#peers.has(id)) continue;
      this.#peers.set(id, { address, channel: undefined, notBeforeMs: 0, isClogged: false });
    }
  }

  send(to: RaftId, messages: readonly RaftMessage[]): void {
    const peer = this.#peers.get(to);
    if (this.#isClosed || peer?.isClogged === true) return;
    // A leader that became a member while this node was away: of its address this node hears from nobody else.
    const channel = peer === undefined ? this.#callers.get(to) : this.#channelTo(to, peer);
    if (channel === undefined) return;
    let goesOn = true;
    for (const part of inParts(messages)) {
      const body = { messages: part.map(raftMessageToWire) };
      goesOn = channel.send(this.#envelope({ type: "messages", body }));
    }
    if (goesOn || peer === undefined) return;
    peer.isClogged = true;
    void channel.drained().then(() => {
      peer.isClogged = false;
    });
  }

  /** On a stream of its own, so that heartbeats never wait behind it. */
  async sendSnapshot(to: RaftId, message: Snapshot, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const peer = this.#peers.get(to);
    if (peer === undefined) throw storageError("unavailable", `MDS#${to} is no member`);
    const transfer = this.#nextTransfer++;
    const channel = this.#options.rpc.open(RAFT_PEER, peer.address);
    const result = this.#resultOf(channel, transfer);
    try {
      channel.send(
        this.#envelope({ type: "snapshotBegin", body: { transfer, message: raftMessageToWire(message) } }),
      );
      for await (const part of bytes) {
        for (let offset = 0; offset < part.length; offset += SNAPSHOT_PART_BYTES) {
          const data = part.subarray(offset, offset + SNAPSHOT_PART_BYTES);
          if (channel.isClosed) return await result;
          const goesOn = channel.send(this.#envelope({ type: "snapshotPart", body: { transfer, data } }));
          if (!goesOn) await Promise.race([channel.drained(), result]);
        }
      }
      channel.send(this.#envelope({ type: "snapshotEnd", body: { transfer, complete: true } }));
      await result;
    } finally {
      channel.close();
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const peer of this.#peers.values()) peer.channel?.close();
    this.#peers.clear();
    this.#callers.clear();
  }

  #envelope(content: wire.RaftEnvelope["content"]): wire.RaftEnvelope {
    const { clusterId, id, epoch } = this.#options;
    return { clusterId, from: id, content, epoch: epoch() };
  }

  #channelTo(to: RaftId, peer: PeerState): PeerChannel | undefined {
    if (peer.channel !== undefined) return peer.channel;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < peer.notBeforeMs) return undefined;
    peer.notBeforeMs = nowMs + REOPEN_DELAY_MS;
    const channel = this.#options.rpc.open(RAFT_PEER, peer.address);
    peer.channel = channel;
    peer.isClogged = false;
    channel.onMessage((envelope) => {
      this.#noteEpoch(envelope.epoch);
      const { from, content } = envelope;
      if (from !== to || content.type !== "messages" || this.#refusalOf(channel, envelope) !== undefined)
        return;
      this.#take(from, content.body.messages);
    });
    channel.onClose((failure) => {
      if (failure !== undefined && REFUSALS.includes(failure.code)) {
        this.#options.log.warn("a member refuses this one", {
          address: peer.address,
          failure: failure.message,
        });
      }
      if (peer.channel !== channel) return;
      peer.channel = undefined;
      // What it could not take goes nowhere.
      peer.isClogged = false;
    });
    return channel;
  }

  #resultOf(channel: PeerChannel, transfer: number): Promise<void> {
    const { clock } = this.#options;
    const result = new Promise<void>((resolve, reject) => {
      const timer = clock.after("mds.snapshot.result", SNAPSHOT_RESULT_MS, () =>
        reject(storageError("timed_out", "the receiver of a snapshot does not answer")),
      );
      channel.onMessage(({ content, epoch }) => {
        this.#noteEpoch(epoch);
        if (content.type !== "snapshotResult" || content.body.transfer !== transfer) return;
        timer.cancel();
        if (content.body.ok) resolve();
        else reject(storageError("unavailable", content.body.detail));
      });
      channel.onClose((failure) => {
        timer.cancel();
        reject(failure ?? storageError("unavailable", "the receiver of a snapshot went away"));
      });
    });
    // It may fail while nobody looks yet.
    result.catch(() => undefined);
    return result;
  }

  #accept(channel: PeerChannel): void {
    const transfers = new Map<number, ByteQueue>();
    channel.onClose((failure) => {
      for (const [from, caller] of this.#callers) if (caller === channel) this.#callers.delete(from);
      for (const queue of transfers.values())
        queue.fail(failure ?? storageError("unavailable", "the sender went away"));
      transfers.clear();
    });
    channel.onMessage((envelope) => {
      const refusal = this.#refusalOf(channel, envelope);
      if (refusal !== undefined) {
        this.#options.log.warn("a stream between metadata servers was refused", {
          address: channel.peer.address,
          failure: refusal.message,
        });
        // Anything that bears our epoch says why.
        if (envelope.clusterId === this.#options.clusterId)
          channel.send(this.#envelope({ type: "messages", body: { messages: [] } }));
        channel.close(refusal);
        return;
      }
      this.#callers.set(envelope.from, channel);
      this.#receive(channel, transfers, envelope);
    });
  }

  #take(from: number, messages: readonly wire.RaftMessage[]): void {
    for (const message of messages) {
      if (message.from === from && message.to === this.#options.id)
        this.#onMessage?.(raftMessageFromWire(message));
    }
  }

  #noteEpoch(epoch: number): void {
    if (epoch > this.#options.epoch() && !this.#isClosed) this.#options.onSuperseded(epoch);
  }

  #refusalOf(channel: PeerChannel, { clusterId, from, epoch }: wire.RaftEnvelope): StorageError | undefined {
    if (clusterId !== this.#options.clusterId)
      return storageError("wrong_cluster", "a metadata server of another cluster");
    const host = this.#options.hostOf(from);
    if (host !== undefined && host !== channel.peer.hostId) {
      return storageError("unauthorized", `the certificate is not of the host of MDS#${from}`);
    }
    const own = this.#options.epoch();
    if (epoch === own) return undefined;
    this.#noteEpoch(epoch);
    return storageError(
      "refused",
      `MDS#${from} is of epoch ${epoch} and MDS#${this.#options.id} of epoch ${own}: the group was recovered in between, and who was a member before is none any more`,
    );
  }

  #receive(
    channel: PeerChannel,
    transfers: Map<number, ByteQueue>,
    { from, content }: wire.RaftEnvelope,
  ): void {
    switch (content.type) {
      case "messages":
        this.#take(from, content.body.messages);
        return;
      case "snapshotBegin":
        this.#beginSnapshot(channel, transfers, content.body);
        return;
      case "snapshotPart": {
        const queue = transfers.get(content.body.transfer);
        queue?.push(content.body.data.slice());
        return;
      }
      case "snapshotEnd": {
        const queue = transfers.get(content.body.transfer);
        transfers.delete(content.body.transfer);
        if (content.body.complete) queue?.end();
        else queue?.fail(storageError("unavailable", "the sender gave up"));
        return;
      }
      case "snapshotResult":
        return;
    }
  }

  #beginSnapshot(channel: PeerChannel, transfers: Map<number, ByteQueue>, begin: wire.SnapshotBegin): void {
    const message = raftMessageFromWire(begin.message);
    if (message.type !== "snapshot" || transfers.size > 0) {
      channel.close(storageError("malformed", "no snapshot, or two at a time"));
      return;
    }
    assert(this.#onSnapshot !== undefined, "the replica listens before peers are let in");
    const { transfer } = begin;
    const queue = new ByteQueue(channel);
    transfers.set(transfer, queue);
    const answer = (ok: boolean, detail: string): void => {
      channel.send(this.#envelope({ type: "snapshotResult", body: { transfer, ok, detail } }));
    };
    this.#onSnapshot(message, queue).then(
      () => answer(true, ""),
      (error: unknown) => answer(false, failureOf(error)?.detail ?? "the snapshot could not be restored"),
    );
  }
}

/** As many of the messages together as one envelope takes: to a member that was away the whole window goes at once. */
function inParts(messages: readonly RaftMessage[]): readonly (readonly RaftMessage[])[] {
  const parts: RaftMessage[][] = [];
  let last: RaftMessage[] | undefined;
  let lastBytes = 0;
  for (const message of messages) {
    const bytes = message.type === "append" ? entryBytes(message.entries) : 0;
    if (last === undefined || lastBytes + bytes > PART_BYTES_MAX) {
      last = [];
      lastBytes = 0;
      parts.push(last);
    }
    last.push(message);
    lastBytes += bytes;
  }
  return parts;
}

const entryBytes = (entries: readonly Entry[]): number =>
  entries.reduce((sum, { data }) => sum + data.length + ENTRY_HEAD_BYTES, 0);
