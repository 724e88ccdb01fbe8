import { expect, test } from "vitest";
import { contentOf } from "../workloads/content.js";
import { checkFile } from "./file-checker.js";
import { FileHistory, type FileOperation, Positions } from "./file-history.js";

/** A history by hand: one client after the other, each operation with its outcome. */
class Script {
  readonly history: FileHistory;
  #number = 0;

  constructor(chunkBytes?: number) {
    this.history = new FileHistory("file", new Positions(), () => 0, chunkBytes);
  }

  begin(process: string, offset: number, lengthBytes: number): FileOperation {
    const bytes = contentOf(++this.#number, offset, lengthBytes);
    return this.history.call(process, { type: "write", offset, bytes });
  }

  write(process: string, offset: number, lengthBytes: number): Uint8Array {
    const operation = this.begin(process, offset, lengthBytes);
    this.history.succeeded(operation);
    return bytesOf(operation);
  }

  read(process: string, offset: number, lengthBytes: number, bytes: Uint8Array): void {
    this.history.succeeded(this.history.call(process, { type: "read", offset, lengthBytes, bytes }));
  }

  truncate(process: string, sizeBytes: number): void {
    this.history.succeeded(this.history.call(process, { type: "truncate", sizeBytes }));
  }

  size(process: string, sizeBytes: number): void {
    this.history.succeeded(this.history.call(process, { type: "size", sizeBytes }));
  }

  sync(process: string): void {
    this.history.succeeded(this.history.call(process, { type: "sync" }));
  }

  get complaints(): string[] {
    return checkFile(this.history);
  }
}

function bytesOf({ action }: FileOperation): Uint8Array {
  if (action.type !== "write") throw new Error("not a write");
  return action.bytes;
}

test("what was written last is read, byte by byte across unaligned writes", () => {
  const script = new Script();
  const first = script.write("a", 0, 10_000);
  const second = script.write("b", 4000, 200);
  const expected = Uint8Array.from(first);
  expected.set(second, 4000);
  script.read("c", 0, 10_000, expected);
  expect(script.complaints).toEqual([]);
});

test("a stale read is noticed", () => {
  const script = new Script();
  const first = script.write("a", 0, 10_000);
  script.write("b", 4000, 200);
  script.read("c", 0, 10_000, first);
  expect(script.complaints.join()).toContain("block 0 is not linearizable");
});

test("bytes of the right write in the wrong place are noticed", () => {
  const script = new Script();
  const bytes = script.write("a", 0, 8192);
  script.read("c", 0, 8192, Uint8Array.from([...bytes.subarray(4096), ...bytes.subarray(0, 4096)]));
  expect(script.complaints.length).toBeGreaterThan(0);
});

test("what a truncation cut off reads as zeros when the file grows again", () => {
  const script = new Script();
  const bytes = script.write("a", 0, 6000);
  script.truncate("a", 100);
  script.truncate("a", 6000);
  const expected = new Uint8Array(6000);
  expected.set(bytes.subarray(0, 100));
  script.read("b", 0, 6000, expected);
  expect(script.complaints).toEqual([]);
  script.read("b", 0, 6000, bytes);
  expect(script.complaints.length).toBeGreaterThan(0);
});

test("a write that was fenced off cannot appear afterwards", () => {
  const script = new Script();
  const lost = script.begin("a", 0, 4096);
  script.history.failed(lost, "lease_lost");
  script.history.fence((process) => process === "a");
  const next = script.write("b", 0, 4096);
  script.read("b", 0, 4096, next);
  expect(script.complaints).toEqual([]);
  script.read("b", 0, 4096, bytesOf(lost));
  expect(script.complaints.length).toBeGreaterThan(0);
});

test("the size never forgets an acknowledged write", () => {
  const script = new Script();
  script.write("a", 0, 5000);
  script.size("b", 5000);
  expect(script.complaints).toEqual([]);
  script.size("b", 4096);
  expect(script.complaints.join()).toContain("size is not linearizable");
});

test("of a write that crosses chunks a part may be cut off, but only by who cut while it went on", () => {
  const script = new Script(8192);
  const write = script.begin("a", 4096, 8192);
  script.truncate("b", 1000);
  script.history.succeeded(write);
  // The second part was cut off, the first came after that.
  script.size("b", 8192);
  expect(script.complaints).toEqual([]);
  script.size("b", 12_288);
  expect(script.complaints.length).toBeGreaterThan(0);

  const later = new Script(8192);
  later.truncate("b", 1000);
  later.write("a", 4096, 8192);
  later.size("b", 8192);
  expect(later.complaints.length).toBeGreaterThan(0);
});

test("many writes of many chunks at once are not too many to check, even if some came to no good end", () => {
  const script = new Script(4096);
  const writes = Array.from({ length: 12 }, (_, i) => script.begin(`w${i}`, i * 1000, 100_000 + i));
  // None of them has come yet, and every order in which some might have is tried in vain.
  script.size("b", 0);
  writes.forEach((write, i) => {
    if (i % 3 === 0) script.history.failed(write, "no answer");
    else script.history.succeeded(write);
  });
  script.history.fence(() => true);
  script.size("b", 111_011);
  script.size("b", 111_011);
  expect(script.complaints).toEqual([]);
  script.size("b", 111_012);
  expect(script.complaints.length).toBeGreaterThan(0);
});

test("a write that came to no good end may be there in part, and no more than that", () => {
  const script = new Script();
  script.write("a", 0, 1000);
  script.history.failed(script.begin("a", 1000, 9000), "no answer");
  script.history.fence(() => true);
  script.size("b", 8192);
  expect(script.complaints).toEqual([]);
  script.size("b", 10_001);
  expect(script.complaints.length).toBeGreaterThan(0);
});

test("after loss of power everywhere an unsynced write may be there or not, but it is one of the two for good", () => {
  for (const isKept of [true, false]) {
    const script = new Script();
    const synced = script.write("a", 0, 4096);
    script.sync("a");
    const unsynced = script.write("a", 0, 2048);
    script.history.powerFailed();
    const found = Uint8Array.from(synced);
    if (isKept) found.set(unsynced);
    script.read("b", 0, 4096, found);
    expect(script.complaints).toEqual([]);
    const other = Uint8Array.from(synced);
    if (!isKept) other.set(unsynced);
    script.read("b", 0, 4096, other);
    expect(script.complaints.join()).toContain("block 0 is not linearizable");
  }
});

test("loss of power everywhere takes nothing that was synced", () => {
  const script = new Script();
  script.write("a", 0, 4096);
  script.sync("a");
  script.history.powerFailed();
  script.read("b", 0, 4096, new Uint8Array(4096));
  expect(script.complaints.join()).toContain("block 0 is not linearizable");
});

test("a buffered write that its own client saw may be lost with the client, but not when another has seen it", () => {
  const run = (reader: string): string[] => {
    const script = new Script();
    const write = script.begin("a", 0, 4096);
    write.isBuffered = true;
    script.read(reader, 0, 4096, bytesOf(write));
    script.history.fence((process) => process === "a");
    script.read("c", 0, 4096, new Uint8Array(4096));
    return script.complaints;
  };
  expect(run("a")).toEqual([]);
  expect(run("b")).not.toEqual([]);
});

test("after loss of power a client may go on seeing what it wrote and did not sync, until it does not; nobody else may", () => {
  const run = (reader: string, isSynced: boolean): string[] => {
    const script = new Script();
    const write = script.begin("a", 0, 4096);
    write.isBuffered = true;
    script.history.succeeded(write);
    if (isSynced) script.sync("a");
    script.history.powerFailed();
    script.read(reader, 0, 4096, bytesOf(write));
    script.read("c", 0, 4096, new Uint8Array(4096));
    return script.complaints;
  };
  expect(run("a", false)).toEqual([]);
  expect(run("a", true)).not.toEqual([]);
  expect(run("b", false)).not.toEqual([]);
});
