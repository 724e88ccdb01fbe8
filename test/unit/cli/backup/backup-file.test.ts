import { expect, test } from "vitest";
import { concatBytes, Prng } from "../../../../src/base/index.js";
import { encodeBackup, openBackupStream } from "../../../../src/cli/backup/backup-file.js";

const HEADER = {
  formatVersion: 1,
  clusterId: "c1",
  clusterName: "stor1",
  wallMs: 1_700_000_000_000,
  index: 17,
  term: 3,
  epoch: 0,
};

async function* of(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function all(bytes: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return concatBytes(...parts);
}

const read = async (file: Uint8Array): Promise<Uint8Array> => {
  // In pieces that fit nothing.
  const pieces = Array.from({ length: Math.ceil(file.length / 7) }, (_, i) =>
    file.subarray(7 * i, 7 * i + 7),
  );
  const { bytes } = await openBackupStream(of(...pieces));
  return await all(bytes);
};

test("a backup is read back as it was written", async () => {
  const data = new Prng(1).bytes(100_000);
  const file = await all(encodeBackup(HEADER, of(data.subarray(0, 5), new Uint8Array(0), data.subarray(5))));
  expect((await openBackupStream(of(file))).header).toEqual(HEADER);
  expect(Buffer.compare(await read(file), data)).toBe(0);
  expect((await read(await all(encodeBackup(HEADER, of())))).length).toBe(0);
});

test("a backup that is cut off anywhere, changed anywhere, or followed by anything is refused", async () => {
  const file = await all(encodeBackup(HEADER, of(new Prng(2).bytes(200))));
  for (let length = 0; length < file.length; length++) {
    await expect(read(file.subarray(0, length)), `cut off at ${length}`).rejects.toMatchObject({
      failure: { code: "malformed" },
    });
  }
  for (let at = 0; at < file.length; at++) {
    const changed = Uint8Array.from(file);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await expect(read(changed), `changed at ${at}`).rejects.toThrow();
  }
  await expect(read(concatBytes(file, new Uint8Array(1)))).rejects.toThrow("something follows its end");
});

test("a backup of a later format is refused as such", async () => {
  const file = await all(encodeBackup({ ...HEADER, formatVersion: 2 }, of()));
  await expect(openBackupStream(of(file))).rejects.toMatchObject({
    failure: {
      code: "unsupported",
      detail: "the backup has format 2; this version knows 1: restore it with the one that made it",
    },
  });
});
