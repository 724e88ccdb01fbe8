import { expect, test } from "vitest";
import { type ChunkId, type CsId, chunkId, csId } from "../../../src/chunk/index.js";
import type { CsRecord } from "../../../src/mds/core/records.js";
import { RepairCandidates } from "../../../src/mds/repair-candidates.js";

const idsOf = (begin: number, count: number): ChunkId[] =>
  Array.from({ length: count }, (_, i) => chunkId(begin + i));

/** `leaving`: the chunks of servers that are offline, by server. */
function candidates(degraded: ChunkId[], leaving: Record<number, ChunkId[]> = {}, awaited: ChunkId[] = []) {
  const page = (all: readonly ChunkId[], after: ChunkId | undefined, limit: number): Promise<ChunkId[]> =>
    Promise.resolve(all.filter((id) => after === undefined || id > after).slice(0, limit));
  const server = (id: number, activity: "active" | "offline"): CsRecord =>
    ({ csId: csId(id), activity, administration: "normal" }) as CsRecord;
  const servers = new Map<CsId, CsRecord>([[csId(99), server(99, "active")]]);
  for (const id of Object.keys(leaving).reverse())
    servers.set(csId(Number(id)), server(Number(id), "offline"));
  const found = new RepairCandidates({
    store: {
      degradedPage: (after, limit) => page(degraded, after, limit),
      csChunksPage: (id, after, limit) => page(leaving[id] ?? [], after, limit),
    },
    tables: { chunkServers: servers as never },
    waiters: { chunks: () => awaited },
  });
  return { found, servers };
}

test("short lists are whole in each round", async () => {
  const { found } = candidates(idsOf(1, 3), { 5: idsOf(10, 2), 6: idsOf(20, 1) }, idsOf(30, 1));
  const whole = { ids: [30, 1, 2, 3, 10, 11, 20], isAll: true };
  expect(await found.next()).toEqual(whole);
  expect(await found.next()).toEqual(whole);
});

test("nothing is all there is only when every list was looked at from its start", async () => {
  expect(await candidates([]).found.next()).toEqual({ ids: [], isAll: true });
  const { found } = candidates(idsOf(1, 1000));
  expect(await found.next()).toMatchObject({ isAll: false });
  expect(await found.next()).toEqual({ ids: [], isAll: false });
  expect(await found.next()).toMatchObject({ ids: idsOf(1, 1000) });
});

test("long lists come page by page and again and again, what is waited for each time", async () => {
  const leaving = { 3: idsOf(5000, 700), 4: idsOf(6000, 700), 7: idsOf(7000, 700) };
  const all = [...idsOf(1, 2500), ...Object.values(leaving).flat()].sort((a, b) => a - b);
  const { found } = candidates(idsOf(1, 2500), leaving, idsOf(9000, 1));
  const seen: number[] = [];
  for (let round = 0; round < 3; round++) {
    const { ids, isAll } = await found.next();
    expect(isAll).toBe(false);
    expect(ids.length).toBeLessThanOrEqual(2001);
    expect(ids[0]).toBe(9000);
    seen.push(...ids.slice(1));
  }
  expect(seen.sort((a, b) => a - b)).toEqual(all);
  expect((await found.next()).ids).toContain(1);
});

test("a server that is back in the middle of its list does not end those behind it", async () => {
  const { found, servers } = candidates([], { 3: idsOf(1000, 1500), 4: idsOf(5000, 10) });
  await found.next();
  servers.delete(csId(3));
  expect((await found.next()).ids).toEqual(idsOf(5000, 10));
});
