import { cp, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { type FlushOutcome, runFlushTest } from "../../../../src/cli/flush-check/flush-client.js";
import { encodeRecord, latestSequence, RECORD_BYTES } from "../../../../src/cli/flush-check/flush-record.js";
import { FlushServer } from "../../../../src/cli/flush-check/flush-server.js";
import { temporaryRoot } from "../temporary-root.js";

let server: FlushServer | undefined;
afterEach(() => server?.close());

async function started(): Promise<{ port: number; said: string[]; disk: string }> {
  const said: string[] = [];
  server = new FlushServer((line) => said.push(line));
  const port = await server.listen(0, "127.0.0.1");
  const disk = join(await temporaryRoot(), "disk");
  await mkdir(disk);
  return { port, said, disk };
}

/** The client runs for a while, or until it is told of a loss. */
async function run(port: number, disk: string, forMs = 300): Promise<FlushOutcome> {
  const signal = AbortSignal.timeout(forMs);
  return await runFlushTest({ host: "127.0.0.1", port, directory: disk, threadCount: 3, signal });
}

const flushes = (outcome: FlushOutcome): number => (outcome.type === "ended" ? outcome.flushCount : -1);

describe("hwflush-check", () => {
  test("finds nothing on a disk that keeps what it flushed", async () => {
    const { port, said, disk } = await started();
    expect(flushes(await run(port, disk))).toBeGreaterThan(3);
    expect(flushes(await run(port, disk))).toBeGreaterThan(3);
    expect(said).toHaveLength(2);
    expect(said[1]).toMatch(/flushes so far, none lost/);
  });

  test("finds out a disk that went back to an older state with its power", async () => {
    const { port, said, disk } = await started();
    await run(port, disk);
    await cp(disk, `${disk}.old`, { recursive: true });
    await run(port, disk);
    await rm(disk, { recursive: true });
    await cp(`${disk}.old`, disk, { recursive: true });
    const outcome = await run(port, disk);
    expect(outcome.type).toBe("lost");
    expect(outcome.type === "lost" && outcome.losses).toHaveLength(3);
    expect(said.at(-1)).toContain("cache error detected!");
  });

  test("a torn or damaged record does not count", () => {
    const ring = Buffer.concat([encodeRecord(7), encodeRecord(8), encodeRecord(9)]);
    expect(latestSequence(ring)).toBe(9);
    ring.writeUInt8(ring.readUInt8(2 * RECORD_BYTES + 100) ^ 1, 2 * RECORD_BYTES + 100);
    expect(latestSequence(ring)).toBe(8);
    expect(latestSequence(ring.subarray(0, RECORD_BYTES + 10))).toBe(7);
    expect(latestSequence(Buffer.alloc(3 * RECORD_BYTES))).toBe(0);
  });

  test("says where no server is", async () => {
    const { disk } = await started();
    await expect(run(1, disk)).rejects.toThrow("start one there with -l");
  });
});
