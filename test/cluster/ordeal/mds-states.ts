import { cp, rm } from "node:fs/promises";
import { realWorld } from "../../../src/io/real/index.js";
import { MetadataStore } from "../../../src/mds/store/metadata-store.js";
import { RaftLogStore } from "../../../src/mds/store/raft-log.js";

/** What a metadata server that was stopped has made of its log. */
interface Stopped {
  readonly repository: string;
  readonly appliedIndex: number;
}

/**
 * A digest of the state of each of these metadata servers, which were stopped in order. What one has applied less than another
 * is applied here, to a copy: its own log may not have those entries yet. Equal if all have carried out the log alike.
 */
export async function stateDigests(repositories: readonly string[]): Promise<string[]> {
  const stopped = await Promise.all(repositories.map(look));
  const upTo = Math.max(...stopped.map(({ appliedIndex }) => appliedIndex));
  // Who has applied the most has those entries in its log.
  const furthest = stopped.find(({ appliedIndex }) => appliedIndex === upTo)?.repository ?? "";
  const digests: string[] = [];
  // One after the other: several may read the log of the same one.
  for (const { repository } of stopped) digests.push(await digest(repository, furthest, upTo));
  return digests;
}

async function look(repository: string): Promise<Stopped> {
  const store = await openState(`${repository}/state`);
  try {
    return { repository, appliedIndex: store.appliedIndex() };
  } finally {
    await store.close();
  }
}

async function digest(repository: string, furthest: string, upTo: number): Promise<string> {
  const copy = `${repository}/state.copy`;
  await cp(`${repository}/state`, copy, { recursive: true });
  const store = await openState(copy);
  try {
    const from = store.appliedIndex() + 1;
    if (from <= upTo) {
      const kv = await realWorld().disk.openKv(`${furthest}/raft`, "test");
      const log = await RaftLogStore.open(kv, upTo);
      const entries = log.entries(from, upTo + 1, Number.MAX_SAFE_INTEGER);
      const nothing = new Uint8Array(0);
      store.apply(
        entries.map(({ index, term, type, data }) => ({
          index,
          term,
          data: type === "command" ? data : nothing,
        })),
      );
      await kv.close();
    }
    return await store.stateHash();
  } finally {
    await store.close();
    await rm(copy, { recursive: true });
  }
}

async function openState(path: string): Promise<MetadataStore> {
  const { disk, clock } = realWorld();
  return await MetadataStore.open(await disk.openKv(path, "test"), clock);
}
