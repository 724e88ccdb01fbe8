import { describe, expect, test } from "vitest";
import { Prng, toUtf8 } from "../../src/base/index.js";
import type { Disk } from "../../src/io/index.js";
import { failureCode, WORLDS } from "./worlds.js";

const LABEL = "contract.disk";

async function fileOf(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, "create", LABEL);
  await file.write([bytes], 0, LABEL);
  await file.close();
}

describe.each(WORLDS)("files of the $name disk", ({ run }) => {
  test("a write of several buffers is read back as one", () =>
    run(async ({ disk, directory }) => {
      const file = await disk.open(`${directory}/f`, "create", LABEL);
      await file.write([toUtf8("one "), new Uint8Array(0), toUtf8("two")], 10, LABEL);
      const buffer = new Uint8Array(20);
      const count = await file.read(buffer, 10, LABEL);
      await file.close();

      expect(count).toBe(7);
      expect(buffer.subarray(0, 7)).toEqual(toUtf8("one two"));
      expect(buffer.subarray(7)).toEqual(new Uint8Array(13));
    }));

  test("what was never written reads as zeros, and nothing is read beyond the end", () =>
    run(async ({ disk, directory }) => {
      const file = await disk.open(`${directory}/f`, "create", LABEL);
      await file.write([toUtf8("end")], 100_000, LABEL);
      const buffer = new Uint8Array(5_000).fill(7);

      expect(await file.read(buffer, 50_000, LABEL)).toBe(5_000);
      expect(buffer.every((byte) => byte === 0)).toBe(true);
      expect(await file.read(buffer, 100_002, LABEL)).toBe(1);
      expect(await file.read(buffer, 200_000, LABEL)).toBe(0);
      expect(await file.sizeBytes(LABEL)).toBe(100_003);
      await file.close();
    }));

  test("a write of more buffers than one system call takes is complete", () =>
    run(async ({ disk, directory }) => {
      const file = await disk.open(`${directory}/f`, "create", LABEL);
      const buffers = Array.from({ length: 3_000 }, (_, index) => new Uint8Array(3).fill(index));
      await file.write(buffers, 1, LABEL);
      const whole = await disk.readFile(`${directory}/f`, LABEL);
      await file.close();

      expect(whole).toHaveLength(9_001);
      expect(buffers.every((buffer, index) => whole[1 + 3 * index + 2] === buffer[2])).toBe(true);
    }));

  test("agrees with an array of bytes over random writes, reads and truncates", () =>
    run(async ({ disk, directory }) => {
      const prng = new Prng(11);
      const file = await disk.open(`${directory}/f`, "create", LABEL);
      let twin = new Uint8Array(0);
      for (let step = 0; step < 120; step++) {
        const offset = prng.below(30_000);
        if (prng.chance(0.2)) {
          await file.truncate(offset, LABEL);
          twin = resized(twin, offset);
        } else {
          const bytes = prng.bytes(prng.between(1, 9_000));
          await file.write([bytes], offset, LABEL);
          twin = resized(twin, Math.max(twin.length, offset + bytes.length));
          twin.set(bytes, offset);
        }
        const buffer = new Uint8Array(prng.between(1, 9_000));
        const start = prng.below(30_000);
        const count = await file.read(buffer, start, LABEL);
        expect(Buffer.compare(buffer.subarray(0, count), twin.slice(start, start + buffer.length))).toBe(0);
        expect(await file.sizeBytes(LABEL)).toBe(twin.length);
      }
      await file.close();
    }));

  test("a synced write is one, and grows the file", () =>
    run(async ({ disk, directory }) => {
      const file = await disk.open(`${directory}/f`, "create", LABEL);
      await file.write([toUtf8("one two three")], 0, LABEL);
      await file.writeSynced([toUtf8("T"), toUtf8("WO")], 4, LABEL);
      await file.writeSynced([toUtf8(" four")], 13, LABEL);
      await disk.remove(`${directory}/f`, LABEL);
      const buffer = new Uint8Array(30);
      const count = await file.read(buffer, 0, LABEL);
      await file.writeSynced([toUtf8("gone")], 0, LABEL);
      await file.close();

      expect(Buffer.from(buffer.subarray(0, count)).toString()).toBe("one TWO three four");
      expect(await failureCode(file.writeSynced([toUtf8("x")], 0, LABEL))).toBe("io_error");
    }));

  test("writes that do not overlap may be under way together", () =>
    run(async ({ disk, directory }) => {
      const file = await disk.open(`${directory}/f`, "create", LABEL);
      const writes = Array.from({ length: 20 }, (_, index) =>
        file.write([new Uint8Array(1_000).fill(index + 1)], index * 1_000, LABEL),
      );
      await Promise.all(writes);
      await file.sync(LABEL);
      await file.close();

      const whole = await disk.readFile(`${directory}/f`, LABEL);
      expect(whole.every((byte, index) => byte === Math.floor(index / 1_000) + 1)).toBe(true);
    }));

  test("closing lets calls under way finish, refuses later ones, and may be repeated", () =>
    run(async ({ disk, directory }) => {
      const file = await disk.open(`${directory}/f`, "create", LABEL);
      const write = file.write([toUtf8("last words")], 0, LABEL);
      await Promise.all([write, file.close(), file.close()]);

      expect(await disk.readFile(`${directory}/f`, LABEL)).toEqual(expect.objectContaining({ length: 10 }));
      expect(await failureCode(file.read(new Uint8Array(1), 0, LABEL))).toBe("io_error");
      expect(await failureCode(file.sync(LABEL))).toBe("io_error");
    }));

  test("a file opened for reading refuses writes", () =>
    run(async ({ disk, directory }) => {
      await fileOf(disk, `${directory}/f`, toUtf8("x"));
      const file = await disk.open(`${directory}/f`, "read", LABEL);

      expect(await failureCode(file.write([toUtf8("y")], 0, LABEL))).toBe("io_error");
      expect(await failureCode(file.writeSynced([toUtf8("y")], 0, LABEL))).toBe("io_error");
      await file.close();
    }));

  test("opening a missing file fails unless it is to be created; creating keeps what is there", () =>
    run(async ({ disk, directory }) => {
      expect(await failureCode(disk.open(`${directory}/f`, "read", LABEL))).toBe("not_found");
      expect(await failureCode(disk.open(`${directory}/f`, "read-write", LABEL))).toBe("not_found");
      await fileOf(disk, `${directory}/f`, toUtf8("kept"));
      await (await disk.open(`${directory}/f`, "create", LABEL)).close();

      expect(Buffer.from(await disk.readFile(`${directory}/f`, LABEL)).toString()).toBe("kept");
    }));

  test("an open file stays usable after its name was removed", () =>
    run(async ({ disk, directory }) => {
      const file = await disk.open(`${directory}/f`, "create", LABEL);
      await disk.remove(`${directory}/f`, LABEL);
      await file.write([toUtf8("ghost")], 0, LABEL);

      expect(await file.sizeBytes(LABEL)).toBe(5);
      expect(await disk.list(directory, LABEL)).toEqual([]);
      await file.close();
    }));
});

describe.each(WORLDS)("names of the $name disk", ({ run }) => {
  test("a directory is made with its parents, lists sorted names, and may be made again", () =>
    run(async ({ disk, directory }) => {
      await disk.makeDirectory(`${directory}/a/b`, LABEL);
      await disk.makeDirectory(`${directory}/a/b`, LABEL);
      for (const name of ["z", "B", "a"]) await fileOf(disk, `${directory}/a/b/${name}`, toUtf8(name));

      expect(await disk.list(`${directory}/a/b`, LABEL)).toEqual(["B", "a", "z"]);
      expect(await disk.list(`${directory}/a`, LABEL)).toEqual(["b"]);
      expect(await failureCode(disk.list(`${directory}/missing`, LABEL))).toBe("not_found");
    }));

  test("removing takes files and empty directories; a missing name is no error, a full directory is one", () =>
    run(async ({ disk, directory }) => {
      await disk.makeDirectory(`${directory}/a`, LABEL);
      await fileOf(disk, `${directory}/a/f`, toUtf8("x"));

      expect(await failureCode(disk.remove(`${directory}/a`, LABEL))).toBe("io_error");
      await disk.remove(`${directory}/a/f`, LABEL);
      await disk.remove(`${directory}/a/f`, LABEL);
      await disk.remove(`${directory}/a`, LABEL);
      expect(await disk.list(directory, LABEL)).toEqual([]);
    }));

  test("renaming replaces the target, also across directories", () =>
    run(async ({ disk, directory }) => {
      await disk.makeDirectory(`${directory}/a`, LABEL);
      await fileOf(disk, `${directory}/f`, toUtf8("new"));
      await fileOf(disk, `${directory}/a/g`, toUtf8("old"));
      await disk.rename(`${directory}/f`, `${directory}/a/g`, LABEL);
      await disk.syncDirectory(`${directory}/a`, LABEL);

      expect(Buffer.from(await disk.readFile(`${directory}/a/g`, LABEL)).toString()).toBe("new");
      expect(await disk.list(directory, LABEL)).toEqual(["a"]);
      expect(await failureCode(disk.rename(`${directory}/f`, `${directory}/h`, LABEL))).toBe("not_found");
    }));

  test("replacing a file makes or replaces the whole of it and leaves no other name", () =>
    run(async ({ disk, directory }) => {
      await disk.replaceFile(`${directory}/f`, toUtf8("a longer first version"), LABEL);
      await disk.replaceFile(`${directory}/f`, toUtf8("second"), LABEL, 0o600);

      expect(Buffer.from(await disk.readFile(`${directory}/f`, LABEL)).toString()).toBe("second");
      expect(await disk.list(directory, LABEL)).toEqual(["f"]);
    }));

  test("replacements asked for together leave one of the versions, whole", () =>
    run(async ({ disk, directory }) => {
      const versions = ["a".repeat(9_000), "b".repeat(5_000), "c".repeat(7_000)];
      await Promise.all(versions.map((text) => disk.replaceFile(`${directory}/f`, toUtf8(text), LABEL)));

      const found = Buffer.from(await disk.readFile(`${directory}/f`, LABEL)).toString();
      expect(versions).toContain(found);
      expect(await disk.list(directory, LABEL)).toEqual(["f"]);
    }));

  test("a path below a missing directory, and reading a missing file, are not found", () =>
    run(async ({ disk, directory }) => {
      expect(await failureCode(disk.open(`${directory}/no/f`, "create", LABEL))).toBe("not_found");
      expect(await failureCode(disk.readFile(`${directory}/no`, LABEL))).toBe("not_found");
      expect(await failureCode(disk.replaceFile(`${directory}/no/f`, toUtf8("x"), LABEL))).toBe("not_found");
    }));

  test("tells the space there is, and a boot id that stays", () =>
    run(async ({ disk, directory }) => {
      const { totalBytes, freeBytes } = await disk.space(directory, LABEL);

      expect(totalBytes).toBeGreaterThan(0);
      expect(freeBytes).toBeGreaterThan(0);
      expect(freeBytes).toBeLessThanOrEqual(totalBytes);
      expect(disk.bootId()).toMatch(/^[0-9a-f-]{36}$/);
      expect(disk.bootId()).toBe(disk.bootId());
    }));
});

function resized(bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(length);
  result.set(bytes.subarray(0, length));
  return result;
}
