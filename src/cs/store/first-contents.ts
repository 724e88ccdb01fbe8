import { BLOCK_BYTES, checksumsOf } from "../../chunk/index.js";
import type { StoredReplica } from "./stored-replica.js";

/** Puts the first contents, a block at most, into an empty replica: safe from loss of power, and then nothing is `needed`. */
export async function putFirstContents(replica: StoredReplica, contents: Uint8Array): Promise<void> {
  const block = new Uint8Array(BLOCK_BYTES);
  block.set(contents);
  await replica.prepare([0]);
  try {
    await replica.write(0, block, checksumsOf(block, 0), contents.length);
  } finally {
    replica.release([0]);
  }
  await replica.sync();
  await replica.filled();
}
