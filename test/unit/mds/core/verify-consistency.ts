import { expect } from "vitest";
import type { ChunkRecord, CsCountRecord, InodeRecord } from "../../../../src/mds/core/records.js";

type Dump = Record<string, [key: readonly unknown[], value: unknown][]>;

/** Fails unless everything that is derived from chunk records is in step with them, and each record is sane. */
export function verifyConsistency(dump: Dump): void {
  const chunks = rowsOf<ChunkRecord>(dump, "chunks").map(([, record]) => record);
  for (const record of chunks) verifyChunk(record);
  const holders = chunks.flatMap((record) =>
    [...new Set([...record.chain, ...record.lost].map(({ csId }) => csId))].map((csId) => [
      csId,
      record.chunkId,
    ]),
  );
  expect(keysOf(dump, "csChunks"), "csChunks").toEqual(sorted(holders));
  const counts = new Map<unknown, number>();
  for (const [csId] of holders) counts.set(csId, (counts.get(csId) ?? 0) + 1);
  const stored = rowsOf<CsCountRecord>(dump, "csCounts").filter(([, { chunkCount }]) => chunkCount > 0);
  expect(new Map(stored.map(([, { csId, chunkCount }]) => [csId, chunkCount])), "csCounts").toEqual(counts);
  const thin = chunks.filter((record) => activeOf(record) < record.policy.replicas);
  expect(keysOf(dump, "degraded"), "degraded").toEqual(sorted(thin.map(({ chunkId }) => [chunkId])));
  const moving = chunks.filter(({ installed, chain }) => !installed && chain.length > 0);
  expect(keysOf(dump, "installing"), "installing").toEqual(sorted(moving.map(({ chunkId }) => [chunkId])));
  verifyMinimums(dump, chunks);
  verifyFiles(dump, chunks);
  verifyDeletions(dump, chunks);
}

function verifyChunk(record: ChunkRecord): void {
  const chain = record.chain.map(({ csId }) => csId);
  const lost = record.lost.map(({ csId }) => csId);
  expect(new Set(chain).size, "each member once").toBe(chain.length);
  expect(new Set(lost).size, "each lost replica once").toBe(lost.length);
  expect(record.installedVersion).toBeLessThanOrEqual(record.version);
  expect(record.installed).toBe(record.installedVersion === record.version);
  for (const csId of record.leftovers)
    expect([...chain, ...lost], "leftovers are of no use").not.toContain(csId);
  for (const { version } of record.lost) expect(version).toBe(record.installedVersion);
  for (const { syncing, create, keepContents } of record.chain) {
    if (create && record.installedVersion > 0) expect(syncing, "only the empty start empty").toBe(true);
    if (keepContents) expect(create, "what is kept is not created").toBe(false);
  }
  if (chain.length > 0)
    expect(activeOf(record), "a chain has somebody who has everything").toBeGreaterThan(0);
  if (!record.installed) return;
  expect(chain.length, "nothing is installed on nobody").toBeGreaterThan(0);
  expect(record.lost, "nobody is lost while a version is installed").toEqual([]);
  expect(record.truncateBytes).toBeUndefined();
  expect(record.chain.every(({ create }) => !create)).toBe(true);
}

function verifyMinimums(dump: Dump, chunks: readonly ChunkRecord[]): void {
  const minimums = new Map<number, number>();
  for (const { policy } of chunks) {
    minimums.set(policy.replicasMinimum, (minimums.get(policy.replicasMinimum) ?? 0) + 1);
  }
  const rows = rowsOf<{ replicasMinimum: number; chunkCount: number }>(dump, "minimumCounts");
  expect(new Map(rows.map(([, row]) => [row.replicasMinimum, row.chunkCount]))).toEqual(minimums);
}

function verifyFiles(dump: Dump, chunks: readonly ChunkRecord[]): void {
  const byFile = chunks.map(({ ino, index, chunkId }) => ({ key: [ino, index], chunkId }));
  const expected = new Map(byFile.map(({ key, chunkId }) => [JSON.stringify(key), chunkId]));
  const stored = new Map(rowsOf<number>(dump, "fileChunks").map(([key, id]) => [JSON.stringify(key), id]));
  expect(stored, "fileChunks").toEqual(expected);
  for (const [, inode] of rowsOf<InodeRecord>(dump, "inodes")) {
    const count = chunks.filter(({ ino }) => ino === inode.ino).length;
    expect(inode.chunkCount, `chunkCount of ${inode.ino}`).toBe(count);
  }
  verifyInlines(dump, chunks);
}

/** Contents in the metadata belong to an inode, and to a file none of whose chunks anybody has a map of. */
function verifyInlines(dump: Dump, chunks: readonly ChunkRecord[]): void {
  const small = rowsOf<InodeRecord>(dump, "inodes").filter(([, inode]) => inode.inlineBytes !== undefined);
  const rows = rowsOf<Uint8Array>(dump, "inlines");
  expect(
    rows.map(([[ino], bytes]) => [ino, bytes.length]),
    "inlines",
  ).toEqual(small.map(([, { ino, inlineBytes }]) => [ino, inlineBytes]));
  for (const [, { ino }] of small) {
    const own = chunks.filter((chunk) => chunk.ino === ino);
    expect(own.length, `chunks of small file ${ino}`).toBeLessThanOrEqual(1);
    for (const { index, installedVersion } of own) expect([index, installedVersion]).toEqual([0, 0]);
  }
}

function verifyDeletions(dump: Dump, chunks: readonly ChunkRecord[]): void {
  for (const [[csId, chunkId], version] of rowsOf<number>(dump, "deletions")) {
    const record = chunks.find((other) => other.chunkId === chunkId);
    if (record === undefined) continue;
    expect(version).toBeLessThanOrEqual(record.version);
    const isNeeded = [...record.chain, ...record.lost].some((holder) => holder.csId === csId);
    expect(isNeeded, `chunk ${chunkId} is deleted from CS#${csId}, which holds it`).toBe(false);
  }
}

const activeOf = (record: ChunkRecord): number => record.chain.filter(({ syncing }) => !syncing).length;

function rowsOf<Value>(dump: Dump, table: string): [readonly unknown[], Value][] {
  return (dump[table] ?? []) as [readonly unknown[], Value][];
}

function keysOf(dump: Dump, table: string): unknown[][] {
  return sorted((dump[table] ?? []).map(([key]) => [...key]));
}

function sorted(keys: unknown[][]): unknown[][] {
  return keys.sort((a, b) => {
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return Number(a[i]) - Number(b[i]);
    return 0;
  });
}
