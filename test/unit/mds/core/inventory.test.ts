import { describe, expect, test } from "vitest";
import type { ChunkId, CsId } from "../../../../src/chunk/index.js";
import {
  type LostEvidence,
  planRevival,
  planSubstitution,
  planSuspects,
} from "../../../../src/mds/core/inventory.js";
import type { CsActivity } from "../../../../src/mds/core/records.js";
import { ChunkWorld } from "./chunk-world.js";

/** One chunk on servers in that order of the chain. */
class Chain {
  readonly world = new ChunkWorld(4, { replicas: 3, replicasMinimum: 1 });
  readonly chunkId: ChunkId;
  readonly members: readonly [CsId, CsId, CsId];
  #evidence = new Map<CsId, LostEvidence>();

  constructor() {
    const { chunkId, chain } = this.world.written();
    this.chunkId = chunkId;
    this.members = chain.map(({ csId }) => csId) as unknown as [CsId, CsId, CsId];
  }

  leave(...remove: CsId[]): void {
    this.world.reconfigure(this.chunkId, { remove });
  }

  know(...evidence: readonly (readonly [CsId, LostEvidence])[]): void {
    this.#evidence = new Map(evidence);
  }

  setActivity(csId: CsId, activity: CsActivity): void {
    this.world.apply({ type: "setCsActivity", body: { csId, activity } });
  }

  get positions(): (readonly [CsId, number])[] {
    const { lost } = this.world.chunk(this.chunkId);
    return lost.map(({ csId, position }) => [csId, position] as const);
  }

  get revived(): CsId | undefined {
    return planRevival(this.world.tables, this.world.chunk(this.chunkId), this.#evidenceOf)?.revive;
  }

  /** When the processes of these, and no hosts, crashed. */
  settled(...suspects: CsId[]): ReturnType<typeof planSuspects> {
    const doubts = new Map(suspects.map((csId) => [csId, { hostCrashed: false }] as const));
    return planSuspects(this.world.tables, this.world.chunk(this.chunkId), doubts, this.#evidenceOf);
  }

  get substituted(): readonly CsId[] | undefined {
    const record = this.world.chunk(this.chunkId);
    return planSubstitution(this.world.tables, record, this.#evidenceOf)?.remove;
  }

  readonly #evidenceOf = (csId: CsId): LostEvidence => this.#evidence.get(csId) ?? "unknown";
}

describe("the place of a lost replica in its chain", () => {
  test("is told, in whatever order they leave", () => {
    const chain = new Chain();
    const [a, b, c] = chain.members;
    chain.leave(b);
    chain.leave(a);
    chain.leave(c);
    expect(chain.positions).toEqual([
      [b, 1],
      [a, 0],
      [c, 2],
    ]);
  });

  test("is the same when it leaves again after it brought the chunk back", () => {
    const chain = new Chain();
    const [a, b, c] = chain.members;
    chain.leave(a, b, c);
    const add = [{ csId: a, keepContents: true }];
    chain.world.reconfigure(chain.chunkId, { revive: b, add });
    chain.leave(b);
    expect(new Map(chain.positions)).toEqual(
      new Map([
        [a, 0],
        [c, 2],
        [b, 1],
      ]),
    );
  });

  test("is behind all others for one that joined since, and is asked for no more after the next installation", () => {
    const chain = new Chain();
    const [a, b] = chain.members;
    const d = chain.world.servers.find((csId) => !chain.members.includes(csId)) as CsId;
    chain.leave(a);
    chain.world.reconfigure(chain.chunkId, { add: [{ csId: d, keepContents: false }] });
    chain.world.synced(chain.chunkId, d);
    chain.leave(d);
    expect(chain.positions).toEqual([
      [a, 0],
      [d, 3],
    ]);
    chain.world.installAll();
    chain.leave(b);
    expect(chain.positions).toEqual([[b, 0]]);
  });
});

describe("a chunk without members, whose replicas are all suspect,", () => {
  test("is brought back by the last in its chain, in whatever order they left", () => {
    const chain = new Chain();
    const [a, b, c] = chain.members;
    chain.leave(c);
    chain.leave(a);
    chain.leave(b);
    chain.know([a, "suspect"], [b, "suspect"], [c, "suspect"]);
    expect(chain.revived).toBe(c);
    chain.know([a, "suspect"], [b, "suspect"], [c, "missing"]);
    expect(chain.revived).toBe(b);
  });

  test("waits for those behind while they may come, and not for those in front", () => {
    const chain = new Chain();
    const [a, b, c] = chain.members;
    chain.leave(a, b, c);
    chain.know([a, "suspect"], [b, "suspect"]);
    expect(chain.revived).toBeUndefined();
    chain.setActivity(c, "offline");
    expect(chain.revived).toBe(b);
    chain.know([b, "suspect"]);
    expect(chain.revived).toBe(b);
    chain.know([a, "suspect"]);
    expect(chain.revived).toBeUndefined();
    chain.know([a, "complete"]);
    expect(chain.revived, "nothing that anybody read can be missing").toBe(a);
  });
});

describe("members that are all suspect", () => {
  test("wait for one behind them while it may come: clients may have read there what they did not store", () => {
    const chain = new Chain();
    const [a, b, c] = chain.members;
    chain.setActivity(c, "inactive");
    expect(chain.settled(a, b)).toBeUndefined();
    chain.setActivity(c, "offline");
    expect(chain.settled(a, b)?.remove).toEqual([a]);
  });

  test("do not wait for one in front of them", () => {
    const chain = new Chain();
    const [a, b, c] = chain.members;
    chain.setActivity(a, "inactive");
    expect(chain.settled(b, c)?.remove).toEqual([b]);
  });

  test("give way to a lost replica behind them, and wait for it while it may come", () => {
    const chain = new Chain();
    const [a, b, c] = chain.members;
    chain.leave(c);
    expect(chain.settled(a, b)).toBeUndefined();
    chain.know([c, "suspect"]);
    expect(chain.settled(a, b)).toMatchObject({ remove: [a, b], add: [] });
    chain.know([c, "missing"]);
    expect(chain.settled(a, b)?.remove).toEqual([a]);
  });
});

describe("a member that turned out to be of no use", () => {
  test("makes way for a lost replica that can bring the chunk back, and stays while there is none", () => {
    const chain = new Chain();
    const [a, b, c] = chain.members;
    chain.leave(a, b);
    chain.know([a, "suspect"], [b, "missing"], [c, "missing"]);
    expect(chain.substituted).toEqual([c]);
    chain.know([a, "missing"], [b, "missing"], [c, "missing"]);
    expect(chain.substituted).toBeUndefined();
    chain.know([a, "complete"], [b, "complete"], [c, "complete"]);
    expect(chain.substituted).toBeUndefined();
  });

  test("stays when its version is installed", () => {
    const chain = new Chain();
    const [a, b, c] = chain.members;
    chain.know([a, "missing"], [b, "missing"], [c, "missing"]);
    expect(chain.substituted).toBeUndefined();
  });
});
