import { describe, expect, test } from "vitest";
import { Prng } from "../../../../src/base/index.js";
import { type CsId, chunkId, chunkVersion, csId } from "../../../../src/chunk/index.js";
import { quantized } from "../../../../src/mds/core/chunk-servers.js";
import { rankForRemoval } from "../../../../src/mds/core/chunk-settle.js";
import { place } from "../../../../src/mds/core/placement.js";
import { FillLevels } from "../../../../src/mds/core/rebalance-plan.js";
import type { ChunkPolicy, ChunkRecord, CsRecord } from "../../../../src/mds/core/records.js";
import { inodeNumber } from "../../../../src/meta/index.js";
import { MemoryTables } from "./memory-tables.js";

const GB = 1e9;
const POLICY: ChunkPolicy = {
  replicas: 3,
  replicasMinimum: 2,
  failureDomain: "host",
  tier: 0,
  chunkBytes: 2 ** 29,
};
const nobody = (): boolean => false;

/** Servers and what is on them, whose heartbeats say it rounded as real ones do. */
class Disks {
  readonly tables = new MemoryTables();
  readonly #used = new Map<CsId, { bytes: number; count: number }>();
  #nextId = 1025;

  add(totalBytes: number, hostId: string, change: Partial<CsRecord> = {}): CsId {
    const id = csId(this.#nextId++);
    this.#used.set(id, { bytes: 0, count: 0 });
    const record: CsRecord = {
      ...{ csId: id, hostId, location: "0.0.0", tier: 0, address: "", incarnation: 1, activity: "active" },
      ...{ activitySinceMs: 0, failedMs: 0, administration: "normal", totalBytes, freeBytes: totalBytes },
      ...{ replicaCount: 0, flags: "" },
      ...change,
    };
    this.tables.chunkServers.put(record, id);
    return id;
  }

  put(id: CsId, bytes: number): void {
    const used = this.#used.get(id);
    const server = this.tables.chunkServers.get(id);
    if (used === undefined || server === undefined) throw new Error("no such server");
    used.bytes += bytes;
    used.count += Math.sign(bytes);
    const { totalBytes } = server;
    const space = quantized({ totalBytes, freeBytes: totalBytes - used.bytes });
    this.tables.chunkServers.put({ ...server, ...space, replicaCount: used.count }, id);
  }

  /** How full each is, as it really is. */
  fractions(): number[] {
    return [...this.#used].map(
      ([id, { bytes }]) => bytes / (this.tables.chunkServers.get(id)?.totalBytes ?? 1),
    );
  }

  domains(record: ChunkRecord): Set<string | undefined> {
    return new Set(record.chain.map((member) => this.tables.chunkServers.get(member.csId)?.hostId));
  }
}

function chunk(id: number, members: readonly CsId[], policy = POLICY): ChunkRecord {
  return {
    chunkId: chunkId(id),
    ino: inodeNumber(2),
    index: id,
    version: chunkVersion(1),
    installed: true,
    installedVersion: chunkVersion(1),
    policy,
    chain: members.map((member) => ({ csId: member, syncing: false, create: false, keepContents: false })),
    lost: [],
    leftovers: [],
  };
}

/** Carries moves out until there are none; gives how many there were. */
function settle(disks: Disks, chunks: ChunkRecord[]): number {
  let moveCount = 0;
  for (let round = 0; round < 400; round++) {
    const levels = new FillLevels(disks.tables, []);
    let isAtRest = true;
    chunks.forEach((record, index) => {
      const move = levels.plan(record, nobody);
      if (move === undefined) return;
      isAtRest = false;
      moveCount += 1;
      const copied = chunk(index, [...record.chain.map(({ csId: id }) => id), move.target], record.policy);
      disks.put(move.target, POLICY.chunkBytes);
      const [gone] = rankForRemoval(disks.tables, copied, copied.chain);
      if (gone === undefined) throw new Error("somebody leaves");
      disks.put(gone.csId, -POLICY.chunkBytes);
      chunks[index] = { ...copied, chain: copied.chain.filter((member) => member.csId !== gone.csId) };
    });
    if (isAtRest) return moveCount;
  }
  throw new Error("it does not come to rest");
}

describe("replicas move", () => {
  test("until 200 servers of many sizes are within 5 % of evenly full, and not much more than they must", () => {
    const prng = new Prng(1);
    const disks = new Disks();
    const isNew = (i: number): boolean => i % 4 === 3;
    for (let i = 0; i < 200; i++) {
      const size = prng.pick([20, 40, 60, 120, 160]) * GB;
      disks.add(size, `host${Math.floor(i / 4)}`, { activity: isNew(i) ? "inactive" : "active" });
    }
    const chunks: ChunkRecord[] = [];
    for (let id = 1; id <= 5500; id++) {
      const members = place(disks.tables, {
        ...{ count: 3, policy: POLICY, members: [], avoid: [], seed: id, stampMs: 1 },
      });
      if (members.length < 3) break;
      for (const member of members) disks.put(member, POLICY.chunkBytes);
      chunks.push(chunk(id, members));
    }
    // A quarter of the disks were not there yet.
    for (const server of [...disks.tables.chunkServers.values()])
      disks.tables.chunkServers.put({ ...server, activity: "active" }, server.csId);
    const total = disks.fractions().length;
    const servers = [...disks.tables.chunkServers.values()];
    const capacity = servers.reduce((sum, { totalBytes }) => sum + totalBytes, 0);
    const mean = (chunks.length * 3 * POLICY.chunkBytes) / capacity;
    const needed = servers
      .filter((_, i) => isNew(i))
      .reduce((sum, { totalBytes }) => sum + (totalBytes * mean) / POLICY.chunkBytes, 0);
    expect(Math.max(...disks.fractions())).toBeGreaterThan(mean + 0.1);

    const moveCount = settle(disks, chunks);

    const farthest = Math.max(...disks.fractions().map((fraction) => Math.abs(fraction - mean)));
    expect(total).toBe(200);
    expect(farthest).toBeLessThan(0.05);
    expect(moveCount).toBeLessThan(1.2 * needed);
    expect(chunks.every((record) => disks.domains(record).size === 3)).toBe(true);
  });

  test("to another failure domain when two share one, and to the tier that the file wants", () => {
    const disks = new Disks();
    const [a, b, c, d, fast] = [
      disks.add(100 * GB, "h1"),
      disks.add(100 * GB, "h1"),
      disks.add(100 * GB, "h2"),
      disks.add(100 * GB, "h3"),
      disks.add(100 * GB, "h4", { tier: 1 }),
    ] as [CsId, CsId, CsId, CsId, CsId];
    const levels = new FillLevels(disks.tables, []);

    expect(levels.plan(chunk(1, [a, b, c]), nobody)).toMatchObject({ source: a, target: d });
    const wanted = { ...POLICY, replicas: 1, tier: 1 };
    expect(levels.plan(chunk(2, [c], wanted), nobody)).toMatchObject({ source: c, target: fast });
    expect(levels.plan(chunk(3, [a, c, d]), nobody)).toBeUndefined();
  });

  test("only from chunks that lack nothing, and between servers that take part in no other move", () => {
    const disks = new Disks();
    const [full, empty] = [disks.add(100 * GB, "h1"), disks.add(100 * GB, "h2")] as [CsId, CsId];
    disks.put(full, 50 * GB);
    const single = chunk(1, [full], { ...POLICY, replicas: 1 });
    const plan = (record: ChunkRecord, busy: readonly CsId[] = []): unknown =>
      new FillLevels(disks.tables, []).plan(record, (id) => busy.includes(id));

    expect(plan(single)).toMatchObject({ source: full, target: empty });
    expect(plan({ ...single, installed: false })).toBeUndefined();
    expect(plan({ ...single, policy: { ...single.policy, replicas: 2 } })).toBeUndefined();
    expect(plan(single, [full])).toBeUndefined();
    expect(plan(single, [empty])).toBeUndefined();
  });

  test("no more than fill levels need, with what is under way counted in", () => {
    const disks = new Disks();
    const [full, empty] = [disks.add(100 * GB, "h1"), disks.add(100 * GB, "h2")] as [CsId, CsId];
    disks.put(full, 50 * GB);
    expect(new FillLevels(disks.tables, []).isUneven).toBe(true);
    const underWay = [{ source: full, target: empty, bytes: 25 * GB }];
    expect(new FillLevels(disks.tables, underWay).isUneven).toBe(false);
  });
});
