import { failureOf, StorageError, storageError } from "../base/index.js";
import type { ChunkId, ChunkVersion, CsId, NumberedCsCommand } from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import type { InodeNumber, MdsLoad, MetadataPush, RepairPreview, SessionId } from "../meta/index.js";
import type { CallServer } from "../rpc/index.js";
import type { Logger } from "../telemetry/index.js";
import { AttributeAsks } from "./attribute-asks.js";
import { ChunkInstaller } from "./chunk-installer.js";
import { CacheCoherence } from "./coherence.js";
import { clientAddress } from "./config.js";
import { configNumber } from "./core/cluster-config.js";
import type { Effect } from "./core/effects.js";
import { levelOf } from "./core/levels.js";
import { outstandingRecalls, outstandingWork } from "./core/outstanding-work.js";
import type { ChunkRecord } from "./core/records.js";
import type { Tables } from "./core/tables.js";
import { CsLinks } from "./cs-links.js";
import type { InventoryComparison } from "./inventory-service.js";
import { LevelWatch } from "./level-watch.js";
import { LockDesk } from "./lock-desk.js";
import { MdsLoads } from "./mds-loads.js";
import type { Propose } from "./proposals.js";
import type { RecoveredChunks } from "./recovered-chunks.js";
import type { Replica } from "./replica.js";
import { SessionHub } from "./session-hub.js";
import { ChunkCensus } from "./status-report.js";
import type { MetadataStore } from "./store/metadata-store.js";
import { Tickets } from "./tickets.js";
import { Upkeep } from "./upkeep.js";
import { Waiters } from "./waiters.js";

export interface LeadershipWorld {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: MetadataStore;
  readonly replica: Replica;
  readonly propose: Propose;
  readonly load: () => MdsLoad;
  /** The same of the MDS with that MDS-to-MDS address. */
  readonly loadOf: (address: string) => Promise<MdsLoad>;
}

/**
 * Everything that only the leader does, for one term: sessions, commands to chunk servers, installations, and the upkeep. Made when
 * this node becomes leader, closed when it ceases to be; nothing is carried over, because all unfinished work is found again in
 * the tables.
 */
export class Leadership {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: MetadataStore;
  readonly replica: Replica;
  readonly term: number;
  readonly beganMs: number;
  readonly sessions: SessionHub;
  readonly links: CsLinks;
  readonly waiters: Waiters;
  readonly coherence: CacheCoherence;
  readonly locks: LockDesk;
  readonly census: ChunkCensus;
  readonly tickets: Tickets;
  /** What this process costs, for `stat`. */
  readonly load: () => MdsLoad;
  /** What the others cost. */
  readonly loads: MdsLoads;
  readonly #propose: Propose;
  readonly #installer: ChunkInstaller;
  readonly #upkeep: Upkeep;
  readonly #asks: AttributeAsks;
  #isClosed = false;

  /** The node must have applied an entry of its own term: `Replica.readBarrier` resolved. */
  constructor(world: LeadershipWorld, term: number) {
    this.clock = world.clock;
    this.log = world.log;
    this.store = world.store;
    this.replica = world.replica;
    this.term = term;
    this.beganMs = this.clock.monotonicMs();
    this.#propose = world.propose;
    this.load = world.load;
    this.loads = new MdsLoads({ clock: world.clock, ask: world.loadOf });
    this.census = new ChunkCensus(this);
    this.tickets = new Tickets(this.store);
    const sessions = [...this.tables.sessions.values()].map(({ sessionId }) => sessionId);
    this.sessions = new SessionHub(this.clock, sessions);
    this.locks = new LockDesk(this.tables, (session, push) => this.sessions.push(session, push));
    this.links = new CsLinks(this.clock);
    this.waiters = new Waiters(this.clock);
    this.coherence = new CacheCoherence({
      clock: this.clock,
      tables: this.tables,
      sessions: this.sessions,
      observe: (touched) => world.store.observe(touched),
    });
    this.#asks = new AttributeAsks(this.clock, term);
    this.#installer = new ChunkInstaller(this);
    this.#upkeep = new Upkeep(this, new LevelWatch(this, world.loadOf));
    for (const effect of outstandingWork(this.tables)) this.carryOut(effect);
    this.#upkeep.start();
  }

  get tables(): Tables {
    return this.store.tables;
  }

  /** What servers and clients may ask of each other. */
  get level(): number {
    return levelOf(this.tables);
  }

  /** Who keeps it from being raised, for people. */
  get levelHeldBy(): readonly string[] {
    return this.#upkeep.levels.heldBy;
  }

  get sessionLeaseMs(): number {
    return configNumber(this.tables, "mds.session.lease_tout");
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  readonly propose: Propose = (change) => {
    this.requireLeading();
    return this.#propose(change);
  };

  /** For loops: a change that is refused now is found again by the next round, so its failure is no news. */
  async proposeQuietly(...[change]: Parameters<Propose>): Promise<boolean> {
    try {
      if (this.#isClosed) return false;
      await this.#propose(change);
      return true;
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      this.log.debug("a change was not made", {
        change: change.type,
        failure: failure.code,
        detail: failure.detail,
      });
      return false;
    }
  }

  readBarrier(): Promise<void> {
    this.requireLeading();
    return this.replica.readBarrier().catch((error: unknown) => {
      throw forClients(error);
    });
  }

  requireLeading(): void {
    if (this.#isClosed) throw storageError("not_leader", "another MDS leads now");
  }

  /** Does in the world what an applied command called for. */
  carryOut(effect: Effect): void {
    switch (effect.type) {
      case "wake":
        this.waiters.wake(effect.key);
        return;
      case "recallLease": {
        const { sessionId, ino, leaseSequence, to } = effect;
        this.sessions.push(sessionId, { type: "recallLease", body: { ino, leaseSequence, to } });
        // An installation under way began to wait for it when it still had the lease.
        if (this.tables.opens.get(ino, sessionId)?.lease === "none") this.sessions.leaseLost(sessionId, ino);
        return;
      }
      case "locksChanged":
        this.locks.changed(effect.ino);
        return;
      case "sessionEnded":
        this.locks.drop(effect.sessionId);
        this.sessions.end(effect.sessionId, effect.reason);
        this.coherence.ended(effect.sessionId);
        return;
      case "attributesReported":
        this.#asks.reported(effect.sessionId, effect.ino, effect.ask);
        return;
      case "install":
        this.#installer.install(effect.chunkId, effect.version);
        return;
      case "mdsServersChanged":
        this.sessions.pushAll(this.mdsServers());
        this.#upkeep.notice(effect);
        return;
      case "levelRaised":
        this.sessions.requireLevel(this.level);
        this.links.requireLevel(this.level);
        this.sessions.pushAll(this.mdsServers());
        return;
      default:
        this.#upkeep.notice(effect);
    }
  }

  /** What clients are told, so that they find the other metadata servers when this one is gone. */
  mdsServers(): MetadataPush {
    const addresses = Array.from(this.tables.mdsServers.values(), ({ address }) => clientAddress(address));
    return { type: "mdsServers", body: { addresses, level: this.level } };
  }

  /** A session connected again: what was pushed in between may have been lost. */
  repeatPushes(sessionId: SessionId): void {
    this.sessions.repeatDrops(sessionId);
    for (const effect of outstandingRecalls(this.tables, sessionId)) this.carryOut(effect);
  }

  /** Asks the holder of an exclusive lease what it knows. False if it did not say so in time. */
  askForAttributes(
    sessionId: SessionId,
    ino: InodeNumber,
    leaseSequence: number,
    maxMs: number,
  ): Promise<boolean> {
    return this.#asks.ask(sessionId, ino, maxMs, (ask) => {
      const body = { ino, leaseSequence, to: "exclusive", ask } as const;
      this.sessions.push(sessionId, { type: "recallLease", body });
    });
  }

  /** What is known of chunks in doubt after a recovery of the metadata. */
  get recovered(): RecoveredChunks {
    return this.#upkeep.repair.recovered;
  }

  /** A server that may be believed to have a chunk's data. */
  isSuspect(chunkId: ChunkId, csId: CsId): boolean {
    return this.#upkeep.repair.isSuspect(chunkId, csId);
  }

  /** A server cannot go on with a replica that should be complete. */
  refused(csId: CsId, record: ChunkRecord): void {
    this.#upkeep.repair.refused(csId, record);
  }

  /** What the repair loop would do now. */
  previewRepairs(): Promise<RepairPreview> {
    return this.#upkeep.repair.preview();
  }

  /** Everything is in that replica now, the server says. */
  async replicaSynced(csId: CsId, chunkId: ChunkId, version: ChunkVersion): Promise<void> {
    await this.propose({ type: "replicaSynced", body: { csId, chunkId, version } });
    this.#upkeep.repair.filled(csId, chunkId);
  }

  /** Takes a chunk server in, once it has said what it holds: from then on it is given commands. */
  async attach(
    csId: CsId,
    connection: CallServer<NumberedCsCommand>,
    inventory: InventoryComparison,
    level: number,
  ): Promise<void> {
    const { repair } = this.#upkeep;
    const verdicts = await inventory.verdicts();
    if (connection.isClosed) return;
    repair.note(csId, verdicts);
    this.links.connect(csId, connection, level);
    this.#upkeep.chunkServerChanged(csId);
    await repair.settle(csId, verdicts);
  }

  /** A chunk server's connection is gone. */
  detach(csId: CsId, connection: CallServer<NumberedCsCommand>): void {
    if (!this.links.disconnect(csId, connection)) return;
    this.#upkeep.repair.forget(csId);
    this.#upkeep.chunkServerChanged(csId);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#upkeep.close();
    this.#installer.close();
    this.coherence.close();
    this.sessions.close();
    this.links.close();
    this.waiters.wakeAll();
  }
}

/** The replica names the new leader by its address for metadata servers; whoever asks here wants the one for clients. */
function forClients(error: unknown): unknown {
  const failure = failureOf(error);
  if (failure?.leaderHint === undefined) return error;
  return new StorageError({ ...failure, leaderHint: clientAddress(failure.leaderHint) }, error);
}
