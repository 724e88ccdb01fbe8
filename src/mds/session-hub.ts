import { storageError } from "../base/index.js";
import { type ChunkId, type ChunkVersion, levelRefusal } from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import type { ClientLoad, InodeNumber, MetadataPush, SessionId } from "../meta/index.js";
import type { CallServer } from "../rpc/index.js";
import { type ClientLoadSummary, ClientLoadWindow } from "./load-window.js";

/** A session as the present leader knows it. */
interface Presence {
  /** The highest level of a cluster that it knows, while it is connected. */
  level: number | undefined;
  connection: CallServer<MetadataPush> | undefined;
  heardMs: number;
  readonly loads: ClientLoadWindow;
}

/** A map that a session was told to drop. */
interface PendingDrop {
  readonly sessionId: SessionId;
  readonly ino: InodeNumber;
  readonly push: MetadataPush;
  readonly resolve: () => void;
}

/**
 * Which sessions are connected to this leader, and when each was last heard of. Lives as long as one leadership:
 * a new leader gives every session of the replicated state a full term.
 */
export class SessionHub {
  readonly #clock: Clock;
  readonly #presences = new Map<SessionId, Presence>();
  /** By `CHUNK VERSION SESSION`. */
  readonly #drops = new Map<string, PendingDrop>();

  constructor(clock: Clock, sessions: Iterable<SessionId>) {
    this.#clock = clock;
    for (const sessionId of sessions) this.#presence(sessionId);
  }

  /** The session speaks over this connection from now on; an older one is closed. */
  connect(sessionId: SessionId, connection: CallServer<MetadataPush>, level: number): void {
    const presence = this.#presence(sessionId);
    const older = presence.connection;
    presence.connection = connection;
    presence.level = level;
    presence.heardMs = this.#clock.monotonicMs();
    if (older !== undefined && older !== connection)
      older.close(storageError("closed", "the session connected again"));
  }

  disconnect(sessionId: SessionId, connection: CallServer<MetadataPush>): void {
    const presence = this.#presences.get(sessionId);
    if (presence?.connection !== connection) return;
    presence.connection = undefined;
    presence.level = undefined;
  }

  heard(sessionId: SessionId): void {
    this.#presence(sessionId).heardMs = this.#clock.monotonicMs();
  }

  /** The highest level that the session knows; undefined while it is not connected. */
  levelOf(sessionId: SessionId): number | undefined {
    return this.#presences.get(sessionId)?.level;
  }

  /** Who does not know that level may not stay: it is told why. */
  requireLevel(level: number): void {
    for (const { connection, level: known } of this.#presences.values()) {
      if (known !== undefined && known < level)
        connection?.close(storageError("unsupported", levelRefusal(level, known)));
    }
  }

  /** What the client says that it has done. */
  told(sessionId: SessionId, load: ClientLoad): void {
    this.#presence(sessionId).loads.add(load, this.#clock.monotonicMs());
  }

  /** What the client did lately; all 0 if it has not said so. */
  loadOf(sessionId: SessionId): ClientLoadSummary {
    return (this.#presences.get(sessionId)?.loads ?? new ClientLoadWindow()).summary();
  }

  /** Sessions not heard of for longer than that. */
  silentLongerThan(leaseMs: number): SessionId[] {
    const limitMs = this.#clock.monotonicMs() - leaseMs;
    const silent: SessionId[] = [];
    for (const [sessionId, { heardMs }] of this.#presences) if (heardMs < limitMs) silent.push(sessionId);
    return silent;
  }

  /** This process stood still: the silence was ours, everybody gets a full term. */
  forgiveSilence(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const presence of this.#presences.values()) presence.heardMs = nowMs;
  }

  /** The session is over: it is told, and nobody waits for its answers any more. */
  end(sessionId: SessionId, reason: string): void {
    const presence = this.#presences.get(sessionId);
    this.#presences.delete(sessionId);
    presence?.connection?.push({ type: "sessionEnded", body: { reason } });
    this.#endDrops((drop) => drop.sessionId === sessionId);
  }

  /** The session lost its lease on the file: it may use no map of it any more, and is not waited for. */
  leaseLost(sessionId: SessionId, ino: InodeNumber): void {
    this.#endDrops((drop) => drop.sessionId === sessionId && drop.ino === ino);
  }

  #endDrops(isOver: (drop: PendingDrop) => boolean): void {
    for (const [key, drop] of this.#drops) {
      if (!isOver(drop)) continue;
      this.#drops.delete(key);
      drop.resolve();
    }
  }

  /** Says something to a session; one that is not connected hears it when it asks again. */
  push(sessionId: SessionId, push: MetadataPush): void {
    this.#presences.get(sessionId)?.connection?.push(push);
  }

  /** Says something to every session that is connected. */
  pushAll(push: MetadataPush): void {
    for (const { connection } of this.#presences.values()) connection?.push(push);
  }

  /**
   * Has a session drop its older maps of a chunk. Resolves when it has answered, has lost its lease, or is over. It is told again
   * when it reconnects in between (`repeatDrops`).
   */
  dropMap(sessionId: SessionId, ino: InodeNumber, chunkId: ChunkId, version: ChunkVersion): Promise<void> {
    if (!this.#presences.has(sessionId)) return Promise.resolve();
    return new Promise((resolve) => {
      const push: MetadataPush = { type: "chunkMapChanged", body: { ino, chunkId, version } };
      this.#drops.set(dropKey(sessionId, chunkId, version), { sessionId, ino, push, resolve });
      this.push(sessionId, push);
    });
  }

  /** After a reconnection: what it may have missed. */
  repeatDrops(sessionId: SessionId): void {
    for (const drop of this.#drops.values())
      if (drop.sessionId === sessionId) this.push(sessionId, drop.push);
  }

  mapDropped(sessionId: SessionId, chunkId: ChunkId, version: ChunkVersion): void {
    const key = dropKey(sessionId, chunkId, version);
    const drop = this.#drops.get(key);
    this.#drops.delete(key);
    drop?.resolve();
  }

  /** This node leads no more: connections are closed so that clients look for the new leader. */
  close(): void {
    for (const { connection } of this.#presences.values()) {
      connection?.close(storageError("not_leader", "another MDS leads now"));
    }
    this.#presences.clear();
    for (const { resolve } of this.#drops.values()) resolve();
    this.#drops.clear();
  }

  get connectedCount(): number {
    let count = 0;
    for (const { connection } of this.#presences.values()) if (connection !== undefined) count++;
    return count;
  }

  addressOf(sessionId: SessionId): string {
    return this.#presences.get(sessionId)?.connection?.peer.address ?? "";
  }

  #presence(sessionId: SessionId): Presence {
    let presence = this.#presences.get(sessionId);
    if (presence === undefined) {
      presence = {
        connection: undefined,
        level: undefined,
        heardMs: this.#clock.monotonicMs(),
        loads: new ClientLoadWindow(),
      };
      this.#presences.set(sessionId, presence);
    }
    return presence;
  }
}

function dropKey(sessionId: SessionId, chunkId: ChunkId, version: ChunkVersion): string {
  return `${chunkId} ${version} ${sessionId}`;
}
