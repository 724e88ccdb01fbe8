import { describe, expect, test } from "vitest";
import type { Outcome } from "../../../../src/mds/core/command.js";
import { contentsToInstall, inlineFor } from "../../../../src/mds/core/inline-contents.js";
import type { Access, FileReport, InodeNumber, SessionId, SettleResult } from "../../../../src/meta/index.js";
import { ChunkWorld } from "./chunk-world.js";
import { codeOf } from "./core-world.js";
import { verifyConsistency } from "./verify-consistency.js";

const BYTES = new Uint8Array([1, 2, 3, 4, 5]);

describe("the contents of a small file", () => {
  test("are kept beside its inode, and told to whoever opens it", () => {
    const world = new SmallWorld();
    expect(world.tell(BYTES).failure).toBeUndefined();
    expect(world.stat(world.ino).sizeBytes).toBe(5);
    expect(world.stat(world.ino).allocatedBytes).toBe(4096);
    expect(world.inline()).toEqual(BYTES);
    verifyConsistency(world.tables.dump());
  });

  test("are told with size, times and the close in one command", () => {
    const world = new SmallWorld();
    expect(world.tell(BYTES, ["write"]).attributes?.sizeBytes).toBe(5);
    expect(world.tables.opens.get(world.ino, world.sessionId)).toBeUndefined();
    expect(world.tables.inlines.get(world.ino)).toEqual(BYTES);
  });

  test("are taken from an exclusive holder only", () => {
    const world = new SmallWorld();
    const other = world.session();
    world.mutate(other, "open", { ino: world.ino, access: "read" });
    world.report(world.sessionId, world.ino, 0, "shared");
    expect(world.tell(BYTES).failure).toBe("invalid");
    expect(world.tables.inlines.get(world.ino)).toBeUndefined();
  });

  test("are refused when the file has chunks, and nothing else of the report is taken", () => {
    const world = new SmallWorld();
    world.written();
    expect(world.tell(BYTES, ["write"]).failure).toBe("conflict");
    expect(world.stat(world.ino).sizeBytes).toBe(0);
    expect(world.tables.opens.get(world.ino, world.sessionId)?.counts.write).toBe(1);
  });

  test("are refused if they are longer than a block, or than the file", () => {
    const world = new SmallWorld();
    expect(world.tell(new Uint8Array(4097)).failure).toBe("invalid");
    expect(world.tell(BYTES, [], { sizeBytes: 4 }).failure).toBe("invalid");
    verifyConsistency(world.tables.dump());
  });

  test("go into the first chunk, whichever is asked for, and stay until all its servers have them", () => {
    const world = new SmallWorld();
    world.tell(BYTES);
    expect(codeOf(world.allocate(3))).toBe("wait");
    const chunk = world.chunkOf(0);
    expect(contentsToInstall(world.tables, chunk)).toEqual(BYTES);
    expect(world.tables.inlines.get(world.ino)).toEqual(BYTES);
    verifyConsistency(world.tables.dump());
    world.install(chunk.chunkId, 5);
    expect(world.tables.inlines.get(world.ino)).toBeUndefined();
    expect(world.tables.inodes.get(world.ino)?.inlineBytes).toBeUndefined();
    expect(contentsToInstall(world.tables, world.chunkOf(0))).toBeUndefined();
    world.allocate(3);
    expect(contentsToInstall(world.tables, world.chunkOf(3))).toBeUndefined();
    verifyConsistency(world.tables.dump());
  });

  test("do not change while a chunk is being made of them", () => {
    const world = new SmallWorld();
    world.tell(BYTES);
    world.allocate();
    expect(world.tell(new Uint8Array([9])).failure).toBe("conflict");
    expect(codeOf(world.cut(2))).toBe("wait");
    expect(world.tables.inlines.get(world.ino)).toEqual(BYTES);
    world.installAll(5);
    expect(codeOf(world.cut(2))).toBe("wait");
    expect(world.chunkOf(0).truncateBytes).toBe(2);
  });

  test("stay where they are if the chunk cannot be made, and are put into the next one", () => {
    const world = new SmallWorld();
    world.tell(BYTES);
    world.allocate();
    const { chunkId, chain } = world.chunkOf(0);
    world.reconfigure(chunkId, { remove: chain.map(({ csId }) => csId) });
    expect(world.tables.chunks.get(chunkId)).toBeUndefined();
    expect(world.tables.inlines.get(world.ino)).toEqual(BYTES);
    verifyConsistency(world.tables.dump());
    world.allocate();
    expect(contentsToInstall(world.tables, world.chunkOf(0))).toEqual(BYTES);
  });

  test("are given to a server that joins before the chunk was ever installed", () => {
    const world = new SmallWorld();
    world.tell(BYTES);
    world.allocate();
    const { chunkId, chain } = world.chunkOf(0);
    world.reconfigure(chunkId, { remove: chain.slice(0, 1).map(({ csId }) => csId) });
    const next = world.chunk(chunkId);
    expect(next.chain.every(({ create }) => create)).toBe(true);
    expect(contentsToInstall(world.tables, next)).toEqual(BYTES);
  });

  test("are cut with the file, and what was cut reads as zeros when it grows again", () => {
    const world = new SmallWorld();
    world.tell(BYTES);
    expect(codeOf(world.cut(2))).toBe("ok");
    expect(codeOf(world.cut(5))).toBe("ok");
    expect(world.inline()).toEqual(new Uint8Array([1, 2]));
    expect(world.stat(world.ino).sizeBytes).toBe(5);
    expect(codeOf(world.cut(0))).toBe("ok");
    expect(world.tables.inlines.get(world.ino)).toBeUndefined();
    verifyConsistency(world.tables.dump());
  });

  test("are gone with the file, also while a chunk is being made of them", () => {
    for (const isMoving of [false, true]) {
      const world = new SmallWorld();
      world.tell(BYTES);
      if (isMoving) world.allocate();
      world.mutate(world.sessionId, "remove", { parent: 1 as never, name: FILE, directory: false });
      expect(world.tables.inlines.get(world.ino), "it is open").toEqual(BYTES);
      world.mutate(world.sessionId, "close", { ino: world.ino, access: "write" });
      if (isMoving) world.apply({ type: "dropChunks", body: { ino: world.ino, indexes: [0], isLast: true } });
      expect(world.tables.inodes.get(world.ino)).toBeUndefined();
      expect(world.tables.inlines.get(world.ino)).toBeUndefined();
      verifyConsistency(world.tables.dump());
    }
  });

  test("survive their writer as it last told them", () => {
    const world = new SmallWorld();
    world.tell(BYTES);
    world.endSession(world.sessionId);
    expect(world.tables.recoveries.get(world.ino)).toBeUndefined();
    expect(world.stat(world.ino).sizeBytes).toBe(5);
    expect(world.tables.inlines.get(world.ino)).toEqual(BYTES);
  });

  test("are told to nobody who shares the file, and to nobody when that is turned off", () => {
    const world = new SmallWorld();
    const other = world.session();
    world.mutate(other, "open", { ino: world.ino, access: "read" });
    world.report(world.sessionId, world.ino, 0, "shared");
    world.mutate(other, "open", { ino: world.ino, access: "read" });
    expect(inlineFor(world.tables, other, world.ino)).toBeUndefined();
    const off = new SmallWorld();
    off.apply({ type: "setConfig", body: { name: "mds.inline.size", value: "0" } });
    expect(inlineFor(off.tables, off.sessionId, off.ino)).toBeUndefined();
  });
});

test("contents longer than a chunk of the file are refused: no chunk could take them over", () => {
  const world = new SmallWorld();
  expect(world.tell(new Uint8Array(4097)).failure).toBe("invalid");
  expect(inlineFor(world.tables, world.sessionId, world.ino)?.bytesMax).toBe(4096);
  const { attributes, lease } = world.create(world.sessionId, "large", { open: "write" });
  const { ino } = attributes;
  expect(inlineFor(world.tables, world.sessionId, ino)?.bytesMax).toBe(65_536);
  const file = { ino, leaseSequence: lease.sequence, report: reportOf(new Uint8Array(65_536)), closes: [] };
  const [result] = resultsOf(world.mutate(world.sessionId, "settleFiles", { files: [file] }));
  expect(result?.failure).toBeUndefined();
});

describe("many files settled at once", () => {
  test("succeed or fail each for itself", () => {
    const world = new SmallWorld();
    const good = world.create(world.sessionId, "good", { open: "write" });
    const report = reportOf(BYTES);
    const { sequence: leaseSequence } = good.lease;
    const { ino } = good.attributes;
    const [first, second] = resultsOf(
      world.mutate(world.sessionId, "settleFiles", {
        files: [
          { ino: world.ino, leaseSequence: 77, report, closes: ["write"] },
          { ino, leaseSequence, report, closes: ["write"] },
        ],
      }),
    );
    expect(first?.failure).toBe("lease_lost");
    expect(second?.failure).toBeUndefined();
    expect(world.tables.inlines.get(ino)).toEqual(BYTES);
    expect(world.tables.opens.get(ino, world.sessionId)).toBeUndefined();
    expect(world.tables.opens.get(world.ino, world.sessionId)?.counts.write).toBe(1);
    expect(world.tables.inlines.get(world.ino)).toBeUndefined();
  });

  test("are not more than one command should have", () => {
    const world = new SmallWorld();
    const files = Array.from({ length: 257 }, () => ({
      ino: world.ino,
      leaseSequence: 0,
      closes: [] as Access[],
    }));
    expect(codeOf(world.mutate(world.sessionId, "settleFiles", { files }))).toBe("invalid");
  });
});

const FILE = new TextEncoder().encode("file");

/** Three servers, and a new file open for writing. */
class SmallWorld extends ChunkWorld {
  constructor() {
    super(3, { replicas: 3 });
  }

  tell(inline: Uint8Array, closes: readonly Access[] = [], more: Partial<FileReport> = {}): SettleResult {
    const leaseSequence = this.tables.opens.get(this.ino, this.sessionId)?.leaseSequence ?? 0;
    const report = { ...reportOf(inline), ...more };
    const files = [{ ino: this.ino, leaseSequence, report, closes }];
    const [result] = resultsOf(this.mutate(this.sessionId, "settleFiles", { files }));
    if (result === undefined) throw new Error("each file has a result");
    return result;
  }

  cut(sizeBytes: number): Outcome {
    return this.mutate(this.sessionId, "truncate", { ino: this.ino, sizeBytes });
  }

  inline(sessionId: SessionId = this.sessionId, ino: InodeNumber = this.ino): Uint8Array | undefined {
    return inlineFor(this.tables, sessionId, ino)?.bytes;
  }
}

const reportOf = (inline: Uint8Array): FileReport => ({
  sizeBytes: inline.length,
  mtime: { seconds: 1_700_000_001, nanos: 0 },
  writtenBytes: inline.length,
  inline,
});

function resultsOf(outcome: Outcome): readonly SettleResult[] {
  if (outcome.type !== "reply" || outcome.reply.type !== "settled") throw new Error(JSON.stringify(outcome));
  return outcome.reply.body.results;
}
