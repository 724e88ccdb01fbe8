import { type StorageError, storageError } from "../../base/index.js";
import type { Kv, KvChange, KvEntry } from "../../io/index.js";
import { generationStart, inGeneration } from "./keys.js";

/**
 * A restored state is written beside the current one and made current by one synced record, so that a crash in the
 * middle leaves the old state as it was. Whatever does not belong to the current generation is rubbish.
 *
 *     key   0:4 "g"                    (there is no generation 0)
 *     value formatVersion:1 current:4
 */
const POINTER_KEY = new Uint8Array([0, 0, 0, 0, 0x67]);
const FORMAT_VERSION = 1;
const FIRST_GENERATION = 1;
const LAST_KEY = new Uint8Array([0xff, 0xff, 0xff, 0xff]);
const BATCH_BYTES = 1 << 20;

export function currentGeneration(kv: Kv): number {
  const value = kv.get(POINTER_KEY);
  if (value === undefined) return FIRST_GENERATION;
  if (value[0] !== FORMAT_VERSION || value.length !== 5) throw unknownFormat();
  return new DataView(value.buffer, value.byteOffset).getUint32(1);
}

/** Writes all entries into a generation, durably, and makes it the current one. */
export async function writeGeneration(
  kv: Kv,
  generation: number,
  entries: AsyncIterable<KvEntry>,
): Promise<void> {
  let changes: KvChange[] = [];
  let size = 0;
  for await (const { key, value } of entries) {
    changes.push({ type: "put", key: inGeneration(withRoom(key), generation), value });
    size += key.length + value.length;
    if (size < BATCH_BYTES) continue;
    await kv.batch(changes, { sync: false, label: "mds.state.restore" });
    changes = [];
    size = 0;
  }
  const value = new Uint8Array(5);
  value[0] = FORMAT_VERSION;
  new DataView(value.buffer).setUint32(1, generation);
  await kv.batch(changes, { sync: true, label: "mds.state.restore" });
  await kv.batch([{ type: "put", key: POINTER_KEY, value }], { sync: true, label: "mds.state.switch" });
}

/** Deletes all other generations. */
export async function deleteRubbish(kv: Kv, current: number): Promise<void> {
  await deleteRange(kv, generationStart(FIRST_GENERATION), generationStart(current));
  await deleteRange(kv, generationStart(current + 1), LAST_KEY);
}

async function deleteRange(kv: Kv, gte: Uint8Array, lt: Uint8Array): Promise<void> {
  let changes: KvChange[] = [];
  let size = 0;
  const flush = async (): Promise<void> => {
    if (changes.length > 0) await kv.batch(changes, { sync: false, label: "mds.state.clean" });
    changes = [];
    size = 0;
  };
  for await (const { key } of kv.range({ gte, lt })) {
    changes.push({ type: "delete", key });
    size += key.length;
    if (size >= BATCH_BYTES) await flush();
  }
  await flush();
}

/** The key of a snapshot with room for the generation before it. */
function withRoom(key: Uint8Array): Uint8Array {
  const roomy = new Uint8Array(4 + key.length);
  roomy.set(key, 4);
  return roomy;
}

function unknownFormat(): StorageError {
  return storageError("log_corrupt", "the format of the metadata on disk is not known to this version");
}
