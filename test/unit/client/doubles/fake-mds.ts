import { failureOf, StorageError, storageError } from "../../../../src/base/index.js";
import {
  type ChunkId,
  type ChunkVersion,
  type CsId,
  csId,
  type InstallChunk,
  LEVEL,
} from "../../../../src/chunk/index.js";
import { chunkAt, chunkMapOf } from "../../../../src/mds/core/chunks.js";
import type { Change, Outcome } from "../../../../src/mds/core/command.js";
import type { Effect } from "../../../../src/mds/core/effects.js";
import { contentsToInstall, withInline, withInlineOfCut } from "../../../../src/mds/core/inline-contents.js";
import { outstandingRecalls, outstandingWork } from "../../../../src/mds/core/outstanding-work.js";
import { answerQuery, entriesOf, heldAttributes, listingOf } from "../../../../src/mds/core/queries.js";
import type { ChunkRecord } from "../../../../src/mds/core/records.js";
import { apply } from "../../../../src/mds/core/state-machine.js";
import { LockDesk } from "../../../../src/mds/lock-desk.js";
import { SessionHub } from "../../../../src/mds/session-hub.js";
import {
  type GetChunkMaps,
  type InodeNumber,
  isFile,
  type MetadataMutation,
  type MetadataPush,
  type MetadataQuery,
  type MetadataReply,
  type MetadataRequest,
  type ReadDirectory,
  type ReportChunk,
  type SessionId,
  sessionId,
} from "../../../../src/meta/index.js";
import { type CallServer, METADATA_SESSION, serveCalls } from "../../../../src/rpc/index.js";
import { NetRpc } from "../../../../src/rpc/inproc/index.js";
import type { SimHost } from "../../../sim/world/index.js";
import { MemoryTables } from "../../mds/core/memory-tables.js";
import type { FakeChunkServer } from "./fake-chunk-server.js";

export const CLUSTER_ID = "6b1f0a52-4f4e-4f43-9d2b-3f0c6d6f1c11";
export const LEASE_MS = 15_000;
/** Time of one commit, ms. */
const COMMIT_MS = 1;
const WAIT_MS = 5;

type Connection = CallServer<MetadataPush>;

/**
 * Metadata servers that agree by magic: the production state machine over one set of tables, spoken to through whoever
 * leads. Waiting is polling. A leader that dies takes its connections along; the tables stay.
 */
export class FakeMds {
  readonly tables = new MemoryTables();
  readonly hosts: readonly SimHost[];
  readonly servers = new Map<CsId, FakeChunkServer>();
  /** Answers to mutations of this type are lost, with their connection, so many times. */
  readonly answersToLose = new Map<string, number>();
  /** Mutations carried out, by type. */
  readonly applied = new Map<string, number>();
  /** Of the cluster, as clients are told in welcomes. */
  level: number = LEVEL;
  #leader = 0;
  #term = 0;
  #hub: SessionHub;
  /** Of the present leader. */
  locks: LockDesk;
  readonly #answeredAsks = new Set<number>();
  #lastAsk = 0;

  constructor(hosts: readonly SimHost[]) {
    this.hosts = hosts;
    this.#hub = new SessionHub(this.#host.clock, []);
    this.locks = this.#newLockDesk();
    this.apply({
      type: "genesis",
      body: {
        clusterId: CLUSTER_ID,
        name: "test",
        secrets: new Uint8Array([1]),
        address: "m",
        hostId: "m",
        level: LEVEL,
      },
    });
    // Most tests are about chunks; those about small files turn this on.
    this.keepSmallFiles(0);
  }

  /** From now on the cluster is at that level, and all clients are told. */
  raiseLevel(level: number): void {
    this.level = level;
    this.#hub.pushAll({ type: "mdsServers", body: { addresses: this.addresses, level } });
  }

  #newLockDesk(): LockDesk {
    return new LockDesk(this.tables, (session, push) => this.#hub.push(session, push));
  }

  get addresses(): string[] {
    return this.hosts.map(({ ip }) => `${ip}:2511`);
  }

  get #host(): SimHost {
    const host = this.hosts[this.#leader];
    if (host === undefined) throw new Error("somebody leads");
    return host;
  }

  async start(index: number): Promise<void> {
    const host = this.hosts[index];
    if (host === undefined) throw new Error("no such host");
    const identity = { clusterId: CLUSTER_ID, hostId: host.name, roles: ["mds" as const] };
    const rpc = new NetRpc(host.net, host.clock, { identity });
    await rpc.serve(`${host.ip}:2511`, (service) => {
      service.stream(METADATA_SESSION, (channel) => {
        let session: SessionId | undefined;
        const term = this.#term;
        const connection: Connection = serveCalls<MetadataRequest, MetadataReply, MetadataPush>(
          channel,
          async (request) => {
            await host.clock.sleep("fake.mds", COMMIT_MS / 2);
            if (index !== this.#leader) {
              throw new StorageError({
                code: "not_leader",
                detail: "",
                leaderHint: this.addresses[this.#leader],
              });
            }
            if (request.type === "hello") {
              const reply = await this.#hello(request.body.sessionId, connection);
              session = reply.type === "welcome" ? reply.body.sessionId : undefined;
              return reply;
            }
            if (session === undefined || this.tables.sessions.get(session) === undefined || term > this.#term)
              throw storageError("session_lost");
            return await this.#serve(session, request, connection);
          },
        );
        connection.onClose(() => {
          if (session === undefined) return;
          this.#hub.disconnect(session, connection);
          this.locks.drop(session, connection);
        });
      });
    });
  }

  /** Files up to that size are kept in the metadata. */
  keepSmallFiles(sizeBytes: number): void {
    this.apply({ type: "setConfig", body: { name: "mds.inline.size", value: String(sizeBytes) } });
  }

  /** Another one leads from now on. The old one's connections close unless it is dead or cut off. */
  lead(index: number): void {
    this.#hub.close();
    this.#leader = index;
    this.#term++;
    const sessions = [...this.tables.sessions.values()].map((record) => record.sessionId);
    this.#hub = new SessionHub(this.#host.clock, sessions);
    this.locks = this.#newLockDesk();
    this.#carryOut(outstandingWork(this.tables));
  }

  get leader(): number {
    return this.#leader;
  }

  /** What the leader does in its loop: ends sessions that were silent for too long. */
  expireSessions(): SessionId[] {
    const silent = this.#hub.silentLongerThan(LEASE_MS);
    for (const silentId of silent) this.endSession(silentId);
    return silent;
  }

  endSession(silentId: SessionId): void {
    this.apply({ type: "endSession", body: { sessionId: silentId, reason: "expired" } });
  }

  addServer(server: FakeChunkServer): void {
    this.servers.set(server.csId, server);
    const { csId: id, address } = server;
    const body = {
      csId: id,
      address,
      hostId: server.host.name,
      location: "0.0.0",
      tier: 0,
      incarnation: 1,
      runs: ["run"],
      space: { totalBytes: 2 ** 40, freeBytes: 2 ** 40 },
    };
    this.apply({ type: "registerCs", body });
    this.apply({ type: "setCsActivity", body: { csId: id, activity: "active" } });
    server.onMemberFailed = (chunkId, version, failed) => this.leaveOut(chunkId, version, failed);
  }

  /** The id that the next chunk server is to have. */
  newServerId(hostId: string): CsId {
    const outcome = this.apply({ type: "addCs", body: { hostId, location: "0.0.0", tier: 0 } });
    return csId(outcome.type === "done" ? outcome.value : 0);
  }

  leaveOut(chunkId: ChunkId, version: ChunkVersion, failed: CsId): void {
    const record = this.tables.chunks.get(chunkId);
    if (record?.version !== version || !record.installed) return;
    if (!record.chain.some((member) => member.csId !== failed && !member.syncing)) return;
    this.apply({
      type: "reconfigureChunk",
      body: { chunkId, version, remove: [failed], areSurplus: false, add: [], reason: "reported" },
    });
  }

  apply(change: Change): Outcome {
    const { outcome, effects } = apply(this.tables, { stampMs: this.#host.clock.wallMs(), change });
    this.#carryOut(effects);
    return outcome;
  }

  #carryOut(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === "recallLease") {
        const { ino, leaseSequence, to } = effect;
        this.#hub.push(effect.sessionId, { type: "recallLease", body: { ino, leaseSequence, to } });
      } else if (effect.type === "sessionEnded") this.#hub.end(effect.sessionId, effect.reason);
      else if (effect.type === "locksChanged") this.locks.changed(effect.ino);
      else if (effect.type === "install") void this.#install(effect.chunkId, effect.version, this.#term);
      else if (effect.type === "attributesReported") this.#answeredAsks.add(effect.ask);
    }
  }

  async #install(chunkId: ChunkId, version: ChunkVersion, term: number): Promise<void> {
    const record = this.tables.chunks.get(chunkId);
    if (record === undefined || record.version !== version || record.installed) return;
    const holders = [...this.tables.opens.valuesOf(record.ino)];
    if (version > 1) {
      await Promise.all(
        holders.map((open) => this.#hub.dropMap(open.sessionId, record.ino, chunkId, version)),
      );
    }
    await this.#host.clock.sleep("fake.install", COMMIT_MS);
    if (term !== this.#term) return;
    const refused = record.chain.filter((member) => !this.#installOn(record, member.csId));
    if (refused.length > 0) {
      const remove = refused.map((member) => member.csId);
      this.apply({
        type: "reconfigureChunk",
        body: { chunkId, version, remove, areSurplus: false, add: [], reason: "refused" },
      });
      return;
    }
    const marks = record.chain.map(
      (member) => this.servers.get(member.csId)?.replicas.get(chunkId)?.highWaterBytes,
    );
    const highWaterBytes = Math.max(0, ...marks.map((mark) => mark ?? 0));
    this.apply({ type: "chunkInstalled", body: { chunkId, version, highWaterBytes } });
  }

  #installOn(record: ChunkRecord, id: CsId): boolean {
    const { chain } = chunkMapOf(this.tables, record);
    const body: InstallChunk = {
      chunkId: record.chunkId,
      version: record.version,
      chunkBytes: 0,
      chain,
      create: record.version === 1,
      truncateBytes: record.truncateBytes,
      sources: [],
      keepContents: false,
      contents: record.version === 1 ? contentsToInstall(this.tables, record) : undefined,
    };
    return this.servers.get(id)?.install(body) ?? false;
  }

  async #hello(wanted: number, connection: Connection): Promise<MetadataReply> {
    let id = sessionId(wanted);
    const resumed = wanted !== 0 && this.tables.sessions.get(id) !== undefined;
    if (!resumed) {
      const outcome = this.apply({
        type: "beginSession",
        body: { hostname: "host", hostId: "h", program: "library" },
      });
      id = sessionId(outcome.type === "done" ? outcome.value : 0);
    }
    this.#hub.connect(id, connection, LEVEL);
    if (resumed) {
      this.#hub.repeatDrops(id);
      this.#carryOut(outstandingRecalls(this.tables, id));
    }
    const named = { leaseMs: LEASE_MS, mdsId: this.#leader + 1, clusterName: "test", level: this.level };
    const body = { ...named, sessionId: id, resumed };
    return { type: "welcome", body };
  }

  async #serve(session: SessionId, request: MetadataRequest, connection: Connection): Promise<MetadataReply> {
    const term = this.#term;
    this.#hub.heard(session);
    switch (request.type) {
      case "hello":
        throw storageError("malformed");
      case "keepAlive":
        return OK;
      case "goodbye":
        this.endSession(session);
        return OK;
      case "invalidated":
        return OK;
      case "mapDropped":
        this.#hub.mapDropped(session, request.body.chunkId, request.body.version);
        return OK;
      case "awaitLock":
        this.locks.await(session, request.body, connection);
        return OK;
      case "forgetLockWait":
        this.locks.forget(session, request.body.waitId);
        return OK;
      case "reportChunk":
        return await this.#reported(request.body, connection);
      case "lookup":
      case "getAttributes":
      case "resolvePath":
      case "readSymlink":
      case "getXattr":
      case "listXattrs":
      case "readDirectory":
      case "statFilesystem":
      case "getChunkMaps":
      case "testLock":
        return await this.#query(session, request, connection);
      default:
        return await this.#mutate(session, request, connection, term);
    }
  }

  async #mutate(
    session: SessionId,
    mutation: MetadataMutation,
    connection: Connection,
    term: number,
  ): Promise<MetadataReply> {
    for (;;) {
      await this.#pause(COMMIT_MS / 2, connection);
      if (term !== this.#term) throw storageError("not_leader");
      const outcome = this.apply({ type: "mutate", body: { sessionId: session, mutation } });
      if (outcome.type === "failure") throw storageError(outcome.failure.code, outcome.failure.detail);
      if (outcome.type === "wait") {
        await this.#pause(WAIT_MS, connection);
        continue;
      }
      this.applied.set(mutation.type, (this.applied.get(mutation.type) ?? 0) + 1);
      const toLose = this.answersToLose.get(mutation.type) ?? 0;
      if (toLose > 0) {
        this.answersToLose.set(mutation.type, toLose - 1);
        connection.close();
        throw storageError("unavailable");
      }
      if (outcome.type !== "reply") return OK;
      const inlineOf = mutation.type === "truncate" ? withInlineOfCut : withInline;
      return inlineOf(this.tables, session, outcome.reply);
    }
  }

  async #query(session: SessionId, query: MetadataQuery, connection: Connection): Promise<MetadataReply> {
    switch (query.type) {
      case "readDirectory":
        return this.#list(query.body);
      case "getChunkMaps":
        return await this.#maps(query.body, connection);
      case "statFilesystem":
        return { type: "filesystem", body: { totalBytes: 1, freeBytes: 1, fileCount: 0, inodesFree: 1 } };
      default: {
        const reply = answerQuery(this.tables, session, query);
        if (reply.type !== "entry" || !isFile(reply.body.attributes.mode)) return reply;
        await this.#freshen(reply.body.attributes.ino, session, connection);
        return answerQuery(this.tables, session, query);
      }
    }
  }

  async #freshen(ino: InodeNumber, session: SessionId, connection: Connection): Promise<void> {
    for (;;) {
      const held = heldAttributes(this.tables, ino, session);
      if (held === undefined) return;
      if (held.type === "ask") {
        const ask = ++this.#lastAsk;
        const { leaseSequence } = held;
        this.#hub.push(held.sessionId, {
          type: "recallLease",
          body: { ino, leaseSequence, to: "exclusive", ask },
        });
        for (let i = 0; i < 100 && !this.#answeredAsks.has(ask); i++) await this.#pause(WAIT_MS, connection);
        if (this.#answeredAsks.has(ask)) return;
      } else await this.#pause(WAIT_MS, connection);
    }
  }

  #list(body: ReadDirectory): MetadataReply {
    const { ino, after, limit } = listingOf(this.tables, body);
    const all = this.tables.dentries
      .entries()
      .map(([[parent, name], dentry]) => ({ parent, name: String(name), dentry }))
      .filter(({ parent, name }) => parent === ino && name > after);
    const page = all.slice(0, limit).map(({ name, dentry }) => [name, dentry] as const);
    return entriesOf(this.tables, page, body.withAttributes, page.length === all.length);
  }

  async #maps({ ino, firstIndex, count }: GetChunkMaps, connection: Connection): Promise<MetadataReply> {
    const inline = this.tables.inlines.get(ino);
    if (inline !== undefined) return { type: "chunkMaps", body: { maps: [], inline } };
    const maps = [];
    for (let index = firstIndex; index < firstIndex + count; index++) {
      for (;;) {
        const record = chunkAt(this.tables, ino, index);
        if (record?.installed === true) maps.push(chunkMapOf(this.tables, record));
        if (record === undefined || record.installed) break;
        await this.#pause(WAIT_MS, connection);
      }
    }
    return { type: "chunkMaps", body: { maps } };
  }

  async #reported(report: ReportChunk, connection: Connection): Promise<MetadataReply> {
    if (report.csId !== 0) this.leaveOut(report.chunkId, report.version, report.csId);
    for (let i = 0; ; i++) {
      const record = this.tables.chunks.get(report.chunkId);
      if (record === undefined) throw storageError("not_found");
      const isNews = record.version > report.version || report.csId !== 0 || i > 50;
      if (record.installed && isNews)
        return { type: "chunkMaps", body: { maps: [chunkMapOf(this.tables, record)] } };
      await this.#pause(WAIT_MS, connection);
    }
  }

  async #pause(ms: number, connection: Connection): Promise<void> {
    await this.#host.clock.sleep("fake.mds", ms);
    if (connection.isClosed) throw storageError("cancelled");
  }
}

const OK: MetadataReply = { type: "ok", body: {} };

/** The code of a failure, for expectations. */
export async function codeOfFailure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "ok";
  } catch (error) {
    return failureOf(error)?.code ?? String(error);
  }
}
