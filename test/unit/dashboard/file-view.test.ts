import { expect, test } from "vitest";
import { storageError } from "../../../src/base/index.js";
import { viewOfFile } from "../../../src/dashboard/index.js";
import type { FileLeases } from "../../../src/meta/index.js";

const admin = (fileLeases: () => Promise<FileLeases>) => ({ allFileChunks: async () => [], fileLeases });

test("a leader of an earlier version does not say who has a file open, and its chunks are shown all the same", async () => {
  const old = admin(() => Promise.reject(storageError("unsupported", "no such call")));
  expect(await viewOfFile(old, 7)).toEqual({ chunks: [], leases: undefined });
  const away = admin(() => Promise.reject(storageError("unavailable", "nobody leads")));
  await expect(viewOfFile(away, 7)).rejects.toThrow("nobody leads");
});
