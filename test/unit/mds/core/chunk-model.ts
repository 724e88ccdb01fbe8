import { expect } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import type { ChunkId, CsId } from "../../../../src/chunk/index.js";
import type { Change, Outcome, ReconfigureChunk } from "../../../../src/mds/core/command.js";
import { type LostEvidence, planSuspects } from "../../../../src/mds/core/inventory.js";
import type { ChunkRecord, ReplicaRecord } from "../../../../src/mds/core/records.js";
import { planRepairs } from "../../../../src/mds/core/repair-plan.js";
import type { InodeNumber, SessionId } from "../../../../src/meta/index.js";
import {
  confirmAll,
  evidenceAt,
  forgetTruncated,
  hasStale,
  type OldMap,
  type Replica,
  register,
  type Server,
  type Write,
} from "./chunk-model-servers.js";
import { CoreWorld, codeOf } from "./core-world.js";
import { verifyConsistency } from "./verify-consistency.js";

const REPEATED: readonly string[] = ["reconfigureChunk", "chunkInstalled", "replicaSynced", "adoptReplicas"];
export const CHUNK_BYTES = 4096;
const FILE_COUNT = 3;

/**
 * Chunk servers, clients and the leader's loops around the state machine, all of them as adversarial as they may be:
 * servers die and return with their disks, or for good while others have everything; installations are delivered one
 * by one; clients write under every map they ever got. `check` holds the servers' contents against what was
 * acknowledged.
 */
export class ChunkModel {
  readonly world = new CoreWorld();
  readonly servers = new Map<CsId, Server>();
  readonly #prng: Prng;
  readonly #session: SessionId;
  readonly #files: InodeNumber[] = [];
  readonly #acknowledged = new Map<ChunkId, Map<number, Write>>();
  #maps: OldMap[] = [];
  /** What is to be gone from a chunk when its next version is installed. */
  readonly #cuts = new Map<ChunkId, { readonly offset: number; readonly lastWrite: number }[]>();
  readonly #past: Change[] = [];
  #nextWrite = 1;
  #backup: ReturnType<CoreWorld["tables"]["dump"]> = {};
  #backupServers: ReadonlySet<CsId> = new Set();
  #destroyedCount = 0;

  constructor(seed: number, serverCount: number, replicas: number) {
    this.#prng = new Prng(seed);
    for (let i = 1; i <= serverCount; i++) this.#addServer(i);
    this.#session = this.world.session();
    for (let i = 0; i < FILE_COUNT; i++) {
      const { ino } = this.world.create(this.#session, `file${i}`, { open: "write" }).attributes;
      const replicasMinimum = Math.max(1, replicas - 1);
      this.world.mutate(this.#session, "setStorage", {
        ino,
        replicas,
        replicasMinimum,
        chunkBytes: CHUNK_BYTES,
      });
      this.#files.push(ino);
    }
  }

  /** One random thing happens. */
  step(): void {
    const actions: readonly [weight: number, act: () => void][] = [
      [20, () => this.#allocate()],
      [30, () => this.#write()],
      [40, () => this.#deliverInstall()],
      [15, () => this.#reportDown()],
      [12, () => this.#copy()],
      [8, () => this.#repair()],
      [4, () => this.#crash()],
      [5, () => this.#return()],
      [1, () => this.#destroy()],
      [1, () => this.#truncate()],
      [3, () => this.#fence()],
      [6, () => this.#delete()],
      [1, () => this.#giveUp()],
      [6, () => this.#careless()],
      [6, () => this.#repeat()],
    ];
    let pick = this.#prng.below(actions.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, act] of actions) {
      pick -= weight;
      if (pick < 0) {
        act();
        return;
      }
    }
  }

  /** Everybody who is left comes back, and the loops run until nothing changes any more. */
  heal(): void {
    for (const server of this.servers.values()) this.#comeBack(server);
    for (let round = 0; round < 60; round++) {
      for (const { chunkId } of this.#chunks()) for (let i = 0; i < 8; i++) this.#deliverInstall(chunkId);
      for (let i = 0; i < 40; i++) this.#copy();
      for (let i = 0; i < 10; i++) this.#reportDown();
      this.world.stampMs += 20_000;
      this.#repair();
      this.#delete();
    }
  }

  /** A backup of the metadata. */
  backUp(): void {
    this.#backup = this.world.tables.dump();
    this.#backupServers = new Set(this.servers.keys());
  }

  /**
   * The metadata are lost, and the backup is all there is. Servers come back in any order, those that it does not know as well; those
   * that were destroyed are given up. What is confirmed before all are heard must be as true as what is confirmed then.
   */
  recover(epoch: number): { readonly early: number; readonly late: number } {
    const { tables } = this.world;
    const living = new Set(this.#chunks().map(({ chunkId }) => chunkId));
    tables.restore(this.#backup);
    this.#maps = [];
    this.#cuts.clear();
    const member = { mdsId: 1_000_000, address: "10.0.0.9:2510", hostId: "h9" };
    expect(codeOf(this.#apply({ type: "beginEpoch", body: { epoch, ...member, source: "a test" } }))).toBe(
      "done",
    );
    this.#apply({ type: "doubtChunks", body: { chunks: this.#chunks().map(({ chunkId }) => chunkId) } });
    verifyConsistency(tables.dump());
    forgetTruncated(this.#chunks(), this.#acknowledged);
    const heard = new Set<CsId>();
    let early = 0;
    for (const server of this.#prng.shuffle([...this.servers.values()])) {
      register(this.world, server);
      heard.add(server.csId);
      early += confirmAll(this.world, this.servers, heard, false);
    }
    for (const csId of this.#backupServers) {
      if (this.servers.has(csId)) continue;
      this.#apply({ type: "removeCs", body: { csId, force: true, cancel: false } });
    }
    const late = confirmAll(this.world, this.servers, heard, true);
    for (const { chunkId, doubt } of this.#chunks()) {
      const isLost = doubt !== undefined && living.has(chunkId);
      const count = this.#acknowledged.get(chunkId)?.size ?? 0;
      expect(isLost && count > 0, `chunk ${chunkId} with ${count} writes is not found`).toBe(false);
    }
    this.check();
    return { early, late };
  }

  /** How much there is to lose. */
  get acknowledgedCount(): number {
    return [...this.#acknowledged.values()].reduce((sum, writes) => sum + writes.size, 0);
  }

  check(): void {
    verifyConsistency(this.world.tables.dump());
    for (const record of this.#chunks()) {
      if (record.doubt !== undefined) continue;
      const active = record.chain.filter(({ syncing }) => !syncing);
      for (const { csId } of active)
        this.#checkComplete(record, csId, record.installed ? "member" : "next member");
      for (const { csId } of record.lost) this.#checkComplete(record, csId, "lost");
      const places = record.lost.map(({ position }) => position);
      expect(new Set(places).size, `every lost replica of chunk ${record.chunkId} has its own place`).toBe(
        places.length,
      );
    }
  }

  /** After `heal`: every chunk is usable and has the wanted number of complete replicas, and no more. */
  checkHealed(): void {
    this.check();
    for (const record of this.#chunks()) {
      // Deleted in the time that a recovery lost: nobody has it.
      if (record.doubt !== undefined) continue;
      expect(record.installed, `chunk ${record.chunkId} is usable`).toBe(true);
      const wanted = Math.min(record.policy.replicas, this.servers.size);
      expect(record.chain.filter(({ syncing }) => !syncing).length).toBe(wanted);
      for (const server of this.servers.values()) {
        const isMember = record.chain.some(({ csId }) => csId === server.csId);
        if (wanted < record.policy.replicas) continue;
        expect(server.replicas.has(record.chunkId), `CS#${server.csId} has chunk ${record.chunkId}`).toBe(
          isMember,
        );
      }
    }
  }

  #checkComplete(record: ChunkRecord, csId: CsId, what: string): void {
    const replica = this.servers.get(csId)?.replicas.get(record.chunkId);
    // Members of a version that is not installed may not have started; what a destroyed server had is gone.
    if (!this.servers.has(csId)) return;
    if (record.installedVersion === 0) return;
    expect(replica, `${what} CS#${csId} has chunk ${record.chunkId}`).toBeDefined();
    for (const id of this.#acknowledged.get(record.chunkId)?.keys() ?? []) {
      const has = replica?.writes.has(id) === true;
      expect(has, `${what} CS#${csId} of chunk ${record.chunkId} v${record.version} has write ${id}`).toBe(
        true,
      );
    }
  }

  #addServer(number: number): void {
    const csId = this.world.addServer(number);
    this.servers.set(csId, { csId, isUp: true, replicas: new Map() });
  }

  #apply(change: Change): Outcome {
    if (REPEATED.includes(change.type)) this.#past.push(change);
    return this.world.apply(change).outcome;
  }

  /** A command of an earlier leader arrives late, or twice. */
  #repeat(): void {
    if (this.#past.length > 0) this.#apply(this.#prng.pick(this.#past.slice(-20)));
  }

  /** A leader that has lost its wits: whatever it asks for, nothing that was acknowledged may go. */
  #careless(): void {
    const record = this.#pickChunk();
    if (record === undefined) return;
    const ids = [...this.servers.keys()];
    const some = (chance: number): CsId[] => ids.filter(() => this.#prng.chance(chance));
    this.#reconfigure({
      ...at(record),
      remove: some(0.4),
      areSurplus: this.#prng.chance(0.5),
      add: some(0.3).map((csId) => ({ csId, keepContents: this.#prng.chance(0.5) })),
      revive: this.#prng.chance(0.3) ? this.#prng.pick(ids) : undefined,
      reason: "careless",
    });
  }

  #chunks(): ChunkRecord[] {
    return [...this.world.tables.chunks.values()];
  }

  #pickChunk(): ChunkRecord | undefined {
    const chunks = this.#chunks();
    return chunks.length === 0 ? undefined : this.#prng.pick(chunks);
  }

  #allocate(): void {
    const ino = this.#prng.pick(this.#files);
    const leaseSequence = this.world.tables.opens.get(ino, this.#session)?.leaseSequence ?? 0;
    const index = this.#prng.below(2);
    const outcome = this.world.mutate(this.#session, "allocateChunk", { ino, leaseSequence, index });
    if (outcome.type !== "reply" || outcome.reply.type !== "chunkMaps") return;
    for (const { chunkId, version, chain } of outcome.reply.body.maps) {
      this.#maps.push({ chunkId, version, members: chain.map(({ csId }) => csId) });
    }
  }

  /** Under any map that was ever given out. Acknowledged if every server of that map takes it. */
  #write(): void {
    if (this.#maps.length === 0) return;
    const any = this.#prng.pick(this.#maps);
    const newest = this.#maps.findLast(({ chunkId }) => chunkId === any.chunkId) ?? any;
    const map = this.#prng.chance(0.3) ? any : newest;
    const write = { id: this.#nextWrite++, offset: this.#prng.below(CHUNK_BYTES) };
    let isEverywhere = true;
    for (const csId of this.#prng.shuffle(map.members)) {
      const server = this.servers.get(csId);
      const replica = server?.replicas.get(map.chunkId);
      if (server?.isUp !== true || replica?.version !== map.version) isEverywhere = false;
      // It may or may not get that far before somebody fails.
      else if (isEverywhere || this.#prng.chance(0.5)) replica.writes.set(write.id, write);
    }
    const record = this.world.tables.chunks.get(map.chunkId);
    if (!isEverywhere || record === undefined) return;
    const isFenced = record.installed && record.version > map.version;
    expect(isFenced, "nothing is acknowledged under an older map than the installed one").toBe(false);
    const known = this.#acknowledged.get(map.chunkId) ?? new Map<number, Write>();
    this.#acknowledged.set(map.chunkId, known.set(write.id, write));
  }

  /** One member, of one chunk, hears of its new version; when all have, the version is installed. */
  #deliverInstall(chunkId?: ChunkId): void {
    const id = chunkId ?? this.#pickInstalling();
    const record = id === undefined ? undefined : this.world.tables.chunks.get(id);
    if (record === undefined || record.installed || record.chain.length === 0) return;
    const member = this.#prng.pick(record.chain);
    const refused = this.#install(record, member) === "refused";
    if (refused) {
      this.#leaveOut(record, [member.csId]);
      return;
    }
    if (!record.chain.every(({ csId }) => this.#replicaAt(csId, record)?.version === record.version)) return;
    const { version } = record;
    const body = { chunkId: record.chunkId, version, highWaterBytes: 0 };
    expect(codeOf(this.#apply({ type: "chunkInstalled", body }))).toBe("done");
    this.#checkTruncated(record);
  }

  #pickInstalling(): ChunkId | undefined {
    const ids = [...this.world.tables.installing.values()];
    return ids.length === 0 ? undefined : this.#prng.pick(ids);
  }

  #install(
    record: ChunkRecord,
    { csId, create, syncing, isBehind }: ReplicaRecord,
  ): "done" | "down" | "refused" {
    const position = record.chain.findIndex((member) => member.csId === csId);
    const server = this.servers.get(csId);
    if (server?.isUp !== true) return "down";
    const replica = server.replicas.get(record.chunkId);
    if (replica?.version === record.version) return "done";
    if (create) {
      const empty = { writes: new Map(), isSuspect: false, isFilling: syncing, beganEmpty: syncing };
      server.replicas.set(record.chunkId, { ...empty, version: record.version, position });
      return "done";
    }
    if (replica === undefined) return "refused";
    expect(replica.version, "versions only grow").toBeLessThan(record.version);
    replica.version = record.version;
    replica.isSuspect = false;
    replica.isFilling = syncing;
    // One that goes on to be filled under a newer version began as it began.
    replica.beganEmpty = syncing && (replica.beganEmpty || isBehind === true);
    replica.position = position;
    const end = record.truncateBytes;
    if (end !== undefined) {
      for (const { id, offset } of replica.writes.values()) if (offset >= end) replica.writes.delete(id);
    }
    return "done";
  }

  #checkTruncated({ chunkId, chain }: ChunkRecord): void {
    const cuts = this.#cuts.get(chunkId) ?? [];
    this.#cuts.delete(chunkId);
    for (const { csId, syncing } of chain) {
      if (syncing) continue;
      const writes = [...(this.servers.get(csId)?.replicas.get(chunkId)?.writes.values() ?? [])];
      const left = writes.filter(({ id, offset }) =>
        cuts.some((cut) => offset >= cut.offset && id <= cut.lastWrite),
      );
      expect(left, `CS#${csId} has cut chunk ${chunkId}`).toEqual([]);
    }
  }

  #replicaAt(csId: CsId, { chunkId }: ChunkRecord): Replica | undefined {
    return this.servers.get(csId)?.replicas.get(chunkId);
  }

  /** Somebody noticed that members do not answer. The last complete one is left in peace, as the leader does. */
  #reportDown(): void {
    const record = this.#pickChunk();
    if (record === undefined) return;
    const down = record.chain
      .filter(({ csId }) => this.servers.get(csId)?.isUp !== true)
      .map(({ csId }) => csId);
    if (down.length > 0) this.#leaveOut(record, [this.#prng.pick(down)]);
  }

  #leaveOut(record: ChunkRecord, remove: readonly CsId[]): void {
    const stays = record.chain.some(({ csId, syncing }) => !syncing && !remove.includes(csId));
    // Now and then a careless leader does it all the same: nothing may be lost by that either.
    if (!stays && !this.#prng.chance(0.3)) return;
    this.#reconfigure({ ...at(record), remove, areSurplus: false, add: [], reason: "down" });
  }

  #reconfigure(body: ReconfigureChunk): void {
    this.#apply({ type: "reconfigureChunk", body });
  }

  /** A syncing member is filled from any complete one at the same version. */
  #copy(): void {
    const record = this.#pickChunk();
    const target = record?.chain.find(({ syncing }) => syncing);
    const sources = record?.chain.filter(({ syncing }) => !syncing) ?? [];
    if (record === undefined || target === undefined) return;
    const source = this.#replicaAt(this.#prng.pick(sources).csId, record);
    const replica = this.#replicaAt(target.csId, record);
    const isUp = this.servers.get(target.csId)?.isUp === true;
    if (!isUp || source?.version !== record.version || replica?.version !== record.version) return;
    for (const write of source.writes.values()) replica.writes.set(write.id, write);
    replica.isFilling = false;
    replica.beganEmpty = false;
    this.#apply({ type: "replicaSynced", body: { ...at(record), csId: target.csId } });
  }

  #repair(): void {
    const { tables, stampMs } = this.world;
    const evidenceOf = (csId: CsId, record: ChunkRecord): LostEvidence =>
      evidenceAt(this.servers.get(csId), record);
    const isStale = (csId: CsId, record: ChunkRecord): boolean => hasStale(this.servers.get(csId), record);
    const isAwaited = (): boolean => this.#prng.chance(0.5);
    const world = { tables, stampMs, isAwaited, evidenceOf, isStale, filling: [] };
    for (const step of planRepairs(world, this.#chunks()).steps) this.#reconfigure(step);
  }

  #crash(): void {
    const server = this.#prng.pick([...this.servers.values()]);
    if (!server.isUp) return;
    server.isUp = false;
    for (const replica of server.replicas.values()) replica.isSuspect = this.#prng.chance(0.5);
    this.#apply({ type: "setCsActivity", body: { csId: server.csId, activity: "inactive" } });
  }

  /** A server that is down for too long is offline. */
  #giveUp(): void {
    const down = [...this.servers.values()].find(({ isUp }) => !isUp);
    if (down !== undefined) {
      this.#apply({ type: "setCsActivity", body: { csId: down.csId, activity: "offline" } });
    }
  }

  #return(): void {
    const down = [...this.servers.values()].filter(({ isUp }) => !isUp);
    if (down.length > 0) this.#comeBack(this.#prng.pick(down));
  }

  #comeBack(server: Server): void {
    server.isUp = true;
    const { csId } = server;
    this.#apply({ type: "setCsActivity", body: { csId, activity: "active" } });
    for (const record of this.#chunks()) this.#planSuspects(record);
    const unknown = [...server.replicas]
      .filter(([chunkId]) => !this.#isHolder(csId, chunkId))
      .map(([chunkId, { version }]) => ({ chunkId, version }));
    this.#apply({ type: "adoptReplicas", body: { csId, unknown } });
  }

  #planSuspects(record: ChunkRecord): void {
    const suspects = new Map<CsId, { hostCrashed: boolean }>();
    for (const { csId, isUp, replicas } of this.servers.values()) {
      if (isUp && replicas.get(record.chunkId)?.isSuspect === true)
        suspects.set(csId, { hostCrashed: false });
    }
    const step = planSuspects(this.world.tables, record, suspects, (csId) =>
      evidenceAt(this.servers.get(csId), record),
    );
    if (step !== undefined) this.#reconfigure(step);
  }

  #isHolder(csId: CsId, chunkId: ChunkId): boolean {
    const record = this.world.tables.chunks.get(chunkId);
    return record !== undefined && [...record.chain, ...record.lost].some((holder) => holder.csId === csId);
  }

  /** For good, with its disk: only if every chunk has somebody else who counts as complete. */
  #destroy(): void {
    const server = this.#prng.pick([...this.servers.values()]);
    const mayGo = this.#chunks().every((record) => {
      if (record.installedVersion === 0) return true;
      const complete = [...record.chain.filter(({ syncing }) => !syncing), ...record.lost];
      return complete.some(({ csId }) => csId !== server.csId && this.servers.has(csId));
    });
    if (!mayGo || this.#destroyedCount > 2) return;
    this.#destroyedCount += 1;
    this.servers.delete(server.csId);
    this.#apply({ type: "removeCs", body: { csId: server.csId, force: true, cancel: false } });
    this.#addServer(100 + this.#destroyedCount);
  }

  #truncate(): void {
    const ino = this.#prng.pick(this.#files);
    const sizeBytes = this.#prng.below(2 * CHUNK_BYTES);
    // The client stops writing before it truncates, and forgets its maps after it.
    this.#maps = this.#maps.filter(({ chunkId }) => this.world.tables.chunks.get(chunkId)?.ino !== ino);
    this.world.mutate(this.#session, "truncate", { ino, sizeBytes });
    for (const { chunkId, index, ino: owner } of this.#chunks()) {
      const writes = this.#acknowledged.get(chunkId);
      if (owner !== ino) continue;
      const offset = Math.max(0, sizeBytes - index * CHUNK_BYTES);
      const cut = { offset, lastWrite: this.#nextWrite - 1 };
      if (offset < CHUNK_BYTES) this.#cuts.set(chunkId, [...(this.#cuts.get(chunkId) ?? []), cut]);
      if (writes === undefined) continue;
      for (const { id, offset } of writes.values()) {
        if (index * CHUNK_BYTES + offset >= sizeBytes) writes.delete(id);
      }
    }
  }

  #fence(): void {
    const record = this.#pickChunk();
    if (record === undefined || record.chain.length === 0) return;
    this.#reconfigure({ ...at(record), remove: [], areSurplus: false, add: [], reason: "fence" });
  }

  /** Servers carry out some of the deletions they were asked for. */
  #delete(): void {
    for (const [[csId, chunkId], version] of this.world.tables.deletions.entries()) {
      const server = this.servers.get(csId as CsId);
      if (server?.isUp !== true) continue;
      const replica = server.replicas.get(chunkId as ChunkId);
      if (replica !== undefined && replica.version <= version) server.replicas.delete(chunkId as ChunkId);
      const replicas = [{ chunkId: chunkId as ChunkId, version }];
      this.#apply({ type: "replicasDeleted", body: { csId: csId as CsId, replicas } });
    }
  }
}

const at = ({ chunkId, version }: ChunkRecord): Pick<ReconfigureChunk, "chunkId" | "version"> => ({
  chunkId,
  version,
});
