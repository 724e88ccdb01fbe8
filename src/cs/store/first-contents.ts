import { BLOCK_BYTES, checksumsOf } from "../../chunk/index.js";
import type { StoredReplica } from "./stored-replica.js";

/** Puts the first contents, within a region, into an empty replica: safe from loss of power, and then nothing is `needed`. */
export async function putFirstContents(replica: StoredReplica, contents: Uint8Array): Promise<void> {
  const blocks = new Uint8Array(Math.ceil(contents.length / BLOCK_BYTES) * BLOCK_BYTES);
  blocks.set(contents);
  await replica.prepare([0]);
  try {
    await replica.write(0, blocks, checksumsOf(blocks, 0), contents.length);
  } finally {
    replica.release([0]);
  }
  await replica.sync();
  await replica.filled();
}
