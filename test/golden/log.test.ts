import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, expect, test } from "vitest";
import { MetadataStore } from "../../src/mds/store/metadata-store.js";
import { MemoryKv } from "../unit/mds/store/memory-kv.js";
import { ManualClock } from "../unit/rpc/fake-channel.js";
import { decodeLog } from "./log/log-file.js";

const folder = new URL("log/", import.meta.url);
const digestsFile = new URL("digests.txt", folder);
const isUpdate = process.env["UPDATE_GOLDEN"] === "1";
const digests = new Map(
  readFileSync(digestsFile, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" ") as [string, string]),
);

for (const name of readdirSync(folder).sort()) {
  if (!name.endsWith(".gz")) continue;
  test(`the metadata become of ${name} what every program makes of it`, async () => {
    const digest = await applied(readFileSync(new URL(name, folder)));
    if (isUpdate && !name.startsWith("level-1-")) digests.set(name, digest);
    expect(digest).toBe(digests.get(name));
  });
}

async function applied(file: Uint8Array): Promise<string> {
  const store = await MetadataStore.open(new MemoryKv(), new ManualClock());
  for (const { index, data } of decodeLog(file)) {
    while (store.appliedIndex() < index - 1)
      store.apply([{ index: store.appliedIndex() + 1, term: 1, data: new Uint8Array(0) }]);
    store.apply([{ index, term: 1, data }]);
  }
  const digest = await store.stateHash();
  await store.close();
  return digest;
}

afterAll(() => {
  if (isUpdate)
    writeFileSync(digestsFile, [...digests].map(([name, digest]) => `${name} ${digest}\n`).join(""));
});
