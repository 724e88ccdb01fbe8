import { storageError } from "../base/index.js";
import { type CsId, chunkId, csId } from "../chunk/index.js";
import {
  type BeginScrub,
  type ChunkInfo,
  type ChunkInfos,
  type FileLeases,
  type GetChunk,
  type GetFileChunks,
  type GetFileLeases,
  inodeNumber,
  type ReplicaInfo,
  type ScrubBegun,
  type ScrubStatus,
} from "../meta/index.js";
import { ADMIN, type Service } from "../rpc/index.js";
import { chunkState } from "./core/chunk-states.js";
import type { ChunkRecord } from "./core/records.js";
import { csStatusWord } from "./core/statistics.js";
import type { Leadership } from "./leadership.js";

/** Chunks in one answer. */
const PAGE = 500;
const SCRUB_TIMEOUT_MS = 5_000;

/** Answers what operators ask about single files and chunks, and about reading everything again. */
export function defineChunkDetails(service: Service, current: () => Promise<Leadership>): void {
  service.unary(ADMIN.getChunk, async (request) => chunkOf(await current(), request));
  service.unary(ADMIN.getFileChunks, async (request) => await chunksOfFile(await current(), request));
  service.unary(ADMIN.getFileLeases, async (request) => leasesOfFile(await current(), request));
  service.unary(ADMIN.previewRepairs, async () => await (await current()).previewRepairs());
  service.unary(ADMIN.beginScrub, async (request) => await beginScrub(await current(), request));
  service.unary(ADMIN.getScrubStatus, async () => scrubStatus(await current()));
}

function chunkOf(leadership: Leadership, { chunkId: id }: GetChunk): ChunkInfo {
  const record = Number.isSafeInteger(id) && id > 0 ? leadership.tables.chunks.get(chunkId(id)) : undefined;
  if (record === undefined) throw storageError("not_found", `there is no chunk ${id}`);
  return chunkInfo(leadership, record);
}

async function chunksOfFile(
  leadership: Leadership,
  { ino, firstIndex, limit }: GetFileChunks,
): Promise<ChunkInfos> {
  const { store, tables } = leadership;
  const count = Math.min(Math.max(1, limit), PAGE);
  const page = await store.fileChunksPage(inodeNumber(ino), firstIndex, count);
  const records = page.flatMap(({ chunkId: id }) => tables.chunks.get(id) ?? []);
  const last = page.at(-1)?.index;
  return {
    chunks: records.map((record) => chunkInfo(leadership, record)),
    nextIndex: page.length < count || last === undefined ? undefined : last + 1,
  };
}

function leasesOfFile({ tables, sessions }: Leadership, { ino }: GetFileLeases): FileLeases {
  const opens = [...tables.opens.valuesOf(inodeNumber(ino))];
  return {
    leases: opens.map(({ sessionId, lease, counts, revoked, recallTo }) => {
      const session = tables.sessions.get(sessionId);
      // A revoked lease has no counts any more, but the programs still have the file open.
      const { read, write, exclusive } = lease === "none" ? (revoked ?? counts) : counts;
      return {
        sessionId,
        hostname: session?.hostname ?? "",
        program: session?.program ?? "",
        address: sessions.addressOf(sessionId),
        lease,
        readCount: read,
        writeCount: write + exclusive,
        recallTo,
      };
    }),
  };
}

function chunkInfo(leadership: Leadership, record: ChunkRecord): ChunkInfo {
  const { tables, waiters } = leadership;
  const { chunkId: id, ino, index, version, installed, policy } = record;
  const { replicas, replicasMinimum, chunkBytes } = policy;
  const state = chunkState(tables, record, waiters.isWaitedFor({ type: "chunk", chunkId: id }));
  const of = (csId: CsId, role: string): ReplicaInfo => replicaInfo(leadership, csId, role);
  const members = [
    ...record.chain.map((member) => of(member.csId, member.syncing ? "syncing" : "complete")),
    ...record.lost.map((lost) => of(lost.csId, "lost")),
    ...record.leftovers.map((leftover) => of(leftover, "leftover")),
  ];
  return {
    ...{ chunkId: id, ino, index, version, installed, state },
    ...{ replicas, replicasMinimum, chunkBytes, members },
  };
}

function replicaInfo({ tables }: Leadership, id: CsId, role: string): ReplicaInfo {
  const server = tables.chunkServers.get(id);
  const status = server === undefined ? "dropped" : csStatusWord(server);
  return { csId: id, address: server?.address ?? "", hostId: server?.hostId ?? "", role, status };
}

async function beginScrub({ tables, links }: Leadership, { csId: one }: BeginScrub): Promise<ScrubBegun> {
  if (one !== 0 && tables.chunkServers.get(csId(one)) === undefined) {
    throw storageError("not_found", `there is no CS#${one}`);
  }
  const all = [...tables.chunkServers.values()].filter(
    (server) => server.administration !== "dropped" && (one === 0 || server.csId === one),
  );
  const csIds: number[] = [];
  const silentCsIds: number[] = [];
  await Promise.all(
    all.map(async (server) => {
      const begun = await links.command(server.csId, { type: "startScrub", body: {} }, SCRUB_TIMEOUT_MS).then(
        () => csIds,
        () => silentCsIds,
      );
      begun.push(server.csId);
    }),
  );
  return { csIds: csIds.sort((a, b) => a - b), silentCsIds: silentCsIds.sort((a, b) => a - b) };
}

function scrubStatus({ tables, links }: Leadership): ScrubStatus {
  const servers = [...tables.chunkServers.values()].filter(
    ({ administration }) => administration !== "dropped",
  );
  const unknown = {
    ...{ isRunning: false, beganMs: 0, endedMs: 0, checkedBytes: 0, totalBytes: 0 },
    ...{ damagedCount: 0, quarantinedCount: 0 },
  };
  return {
    chunkServers: servers.map((server) => {
      const report = links.lastHeartbeat(server.csId)?.scrub;
      const isKnown = report !== undefined;
      return { csId: server.csId, status: csStatusWord(server), isKnown, ...unknown, ...report };
    }),
  };
}
