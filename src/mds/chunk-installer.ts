import { type Failure, failureOf } from "../base/index.js";
import type { ChainMember, ChunkId, ChunkVersion, CsId, InstallChunk } from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import type { Logger } from "../telemetry/index.js";
import type { Change } from "./core/command.js";
import { contentsToInstall } from "./core/inline-contents.js";
import type { ChunkRecord } from "./core/records.js";
import type { Tables } from "./core/tables.js";
import type { CsLinks } from "./cs-links.js";
import type { Propose } from "./proposals.js";
import type { SessionHub } from "./session-hub.js";

/** A server that does not accept a new version within that time is left out of the chain. */
const INSTALL_TIMEOUT_MS = 10_000;
/**
 * A new leader waits so long for servers that were there under the old one: they look for it, and are not gone. Without
 * them a member that comes first would wait for those behind it, and the installation for that member.
 */
const ARRIVAL_MS = 3000;
const ARRIVAL_POLL_MS = 20;
/** When no member can be reached at all there is nobody to go on with: tried again after this. */
const RETRY_MS = 500;
/** What a server says that cannot use its replica, and will not be able to before it starts again. */
const HOPELESS: readonly Failure["code"][] = ["io_error", "chunk_corrupt", "not_found"];

export interface InstallerWorld {
  readonly clock: Clock;
  readonly log: Logger;
  readonly tables: Tables;
  readonly links: CsLinks;
  readonly sessions: SessionHub;
  readonly propose: Propose;
  /** The replica there may differ from its peers: it must not be installed as if it did not. */
  readonly isSuspect: (chunkId: ChunkId, csId: CsId) => boolean;
  /** A member that was to go on with what it has cannot. */
  readonly refused: (csId: CsId, record: ChunkRecord) => void;
}

interface MemberAnswer {
  readonly csId: CsId;
  readonly highWaterBytes: number;
  readonly failure: string | undefined;
}

/**
 * Brings chunks to the version that the state demands: every member of the chain accepts it, every lease holder
 * drops its older map, and only then is the version declared installed. Members that do not accept are left out
 * by a further version. Repeating any of it is harmless, so a new leader just begins again.
 */
export class ChunkInstaller {
  readonly #world: InstallerWorld;
  /** Chunk to the version whose installation is under way here. */
  readonly #running = new Map<ChunkId, ChunkVersion>();
  readonly #arrivalEndMs: number;
  #isClosed = false;

  constructor(world: InstallerWorld) {
    this.#world = world;
    this.#arrivalEndMs = world.clock.monotonicMs() + ARRIVAL_MS;
  }

  install(chunkId: ChunkId, version: ChunkVersion): void {
    if (this.#isClosed || (this.#running.get(chunkId) ?? 0) >= version) return;
    this.#running.set(chunkId, version);
    void this.#drive(chunkId, version).finally(() => {
      if (this.#running.get(chunkId) === version) this.#running.delete(chunkId);
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  async #drive(chunkId: ChunkId, version: ChunkVersion): Promise<void> {
    for (;;) {
      const record = this.#world.tables.chunks.get(chunkId);
      if (this.#isClosed || record === undefined || record.installed || record.version !== version) return;
      const change = await this.#attempt(record);
      if (this.#isClosed) return;
      if (change === undefined) {
        await this.#world.clock.sleep("mds.install.retry", RETRY_MS);
        continue;
      }
      try {
        // A conflict means that the chunk moved on, and that its new version has an effect of its own.
        await this.#world.propose(change);
        return;
      } catch (error) {
        if (failureOf(error) === undefined) throw error;
        await this.#world.clock.sleep("mds.install.retry", RETRY_MS);
      }
    }
  }

  /** One round: what is to be proposed after it, or undefined if it has to be tried again. */
  async #attempt(record: ChunkRecord): Promise<Change | undefined> {
    const { chunkId, version } = record;
    const dropped = this.#dropOlderMaps(record);
    const answers = await Promise.all(record.chain.map(({ csId }) => this.#installOn(record, csId)));
    await dropped;
    const failed = answers.filter(({ failure }) => failure !== undefined);
    if (failed.length === 0 && answers.length > 0) {
      // One that is being filled may end where nobody ends any more, and has nothing acknowledged that the others lack.
      const complete = answers.filter(({ csId }) => isComplete(record, csId));
      const highWaterBytes = Math.max(0, ...complete.map((answer) => answer.highWaterBytes));
      return { type: "chunkInstalled", body: { chunkId, version, highWaterBytes } };
    }
    const leaving = leavers(record, failed);
    if (leaving.length === 0) return undefined;
    const reason = leaving.map(({ csId, failure }) => `CS#${csId}: ${failure}`).join(", ");
    const remove = leaving.map(({ csId }) => csId);
    return {
      type: "reconfigureChunk",
      body: { chunkId, version, remove, areSurplus: false, add: [], reason },
    };
  }

  /** Resolves when the server is connected, or has had time enough for it. */
  async #arrival(csId: CsId): Promise<void> {
    const { clock, links, tables } = this.#world;
    const registeredEndMs = clock.monotonicMs() + INSTALL_TIMEOUT_MS;
    const isComing = (): boolean => {
      if (links.isExpected(csId)) return clock.monotonicMs() < registeredEndMs;
      const isThere = tables.chunkServers.get(csId)?.activity === "active";
      return isThere && clock.monotonicMs() < this.#arrivalEndMs;
    };
    while (!this.#isClosed && !links.isConnected(csId) && isComing()) {
      await clock.sleep("mds.install.arrival", ARRIVAL_POLL_MS);
    }
  }

  async #dropOlderMaps({ ino, chunkId, version }: ChunkRecord): Promise<void> {
    if (version === 1) return;
    // Whoever lost its lease, by revocation, may use no map: it is fenced by the version, and not waited for.
    const holders = [...this.#world.tables.opens.valuesOf(ino)].filter(({ lease }) => lease !== "none");
    await Promise.all(
      holders.map(({ sessionId }) => this.#world.sessions.dropMap(sessionId, ino, chunkId, version)),
    );
  }

  async #installOn(record: ChunkRecord, csId: CsId): Promise<MemberAnswer> {
    // First: only when it is here it is known whether its replica is in doubt, and where it is now.
    await this.#arrival(csId);
    const body = installCommand(this.#world.tables, record, csId);
    if (body === undefined) return { csId, highWaterBytes: 0, failure: "not registered" };
    if (isComplete(record, csId) && this.#world.isSuspect(record.chunkId, csId)) {
      return { csId, highWaterBytes: 0, failure: "suspect after an unclean stop" };
    }
    try {
      const done = await this.#world.links.command(csId, { type: "install", body }, INSTALL_TIMEOUT_MS);
      return { csId, highWaterBytes: done.highWaterBytes, failure: undefined };
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      this.#world.log.info("a chunk server did not accept a chunk version", {
        csId,
        chunkId: record.chunkId,
        version: record.version,
        failure: failure.code,
        detail: failure.detail,
      });
      if (!body.create && HOPELESS.includes(failure.code)) this.#world.refused(csId, record);
      return { csId, highWaterBytes: 0, failure: failure.code };
    }
  }
}

function isComplete({ chain }: ChunkRecord, csId: CsId): boolean {
  return chain.some((member) => member.csId === csId && !member.syncing);
}

/**
 * Who is left out of the chain. Somebody who has the data must stay; a chunk that nobody ever had a map of may as well
 * go, and be made anew. If all that have the data failed, those that are there but did not answer in time stay: what
 * they wait for may be a member behind them that is gone.
 */
function leavers(record: ChunkRecord, failed: readonly MemberAnswer[]): readonly MemberAnswer[] {
  const keepData = (gone: readonly MemberAnswer[]): boolean =>
    record.chain.some(({ csId }) => isComplete(record, csId) && !gone.some((other) => other.csId === csId));
  if (record.installedVersion === 0 || keepData(failed)) return failed;
  const absent = failed.filter(({ csId, failure }) => failure !== "timed_out" || !isComplete(record, csId));
  return keepData(absent) ? absent : [];
}

/** What one member is told. Undefined if a member is not known to the registry. */
function installCommand(tables: Tables, record: ChunkRecord, csId: CsId): InstallChunk | undefined {
  const inode = tables.inodes.get(record.ino);
  const chain: ChainMember[] = [];
  for (const replica of record.chain) {
    const server = tables.chunkServers.get(replica.csId);
    if (server === undefined) return undefined;
    const { address, hostId } = server;
    chain.push({ csId: replica.csId, address, hostId, syncing: replica.syncing });
  }
  const own = record.chain.find((replica) => replica.csId === csId);
  if (own === undefined) return undefined;
  return {
    chunkId: record.chunkId,
    version: record.version,
    chunkBytes: inode?.storage.chunkBytes ?? 0,
    chain,
    create: own.create,
    truncateBytes: record.truncateBytes,
    sources: record.chain.filter(({ syncing }) => !syncing).map((replica) => replica.csId),
    keepContents: own.keepContents,
    contents: own.create ? contentsToInstall(tables, record) : undefined,
    isBehind: own.isBehind,
  };
}
