import { type StorageError, storageError } from "../base/index.js";
import { BACKUP, ByteQueue, type Rpc, type wire } from "../rpc/index.js";

/** All metadata of a cluster as they were at one moment. */
export interface Backup {
  readonly header: wire.BackupHeader;
  /** To be read once, to its end. Fails if it does not come whole. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** Asks that server for a backup; resolves when it has begun to answer, or fails with what it said. */
export async function openBackup(
  { rpc }: { readonly rpc: Rpc },
  address: string,
  signal: AbortSignal | undefined,
): Promise<Backup> {
  const channel = rpc.open(BACKUP, address);
  const queue = new ByteQueue(channel);
  const onAbort = (): void => channel.close();
  signal?.addEventListener("abort", onAbort, { once: true });
  let length = 0;
  const header = new Promise<wire.BackupHeader>((resolve, reject) => {
    channel.onMessage(({ content }) => {
      switch (content.type) {
        case "header":
          resolve(content.body);
          return;
        case "data":
          length += content.body.length;
          queue.push(content.body.slice());
          return;
        case "end":
          if (content.body.length === length) queue.end();
          else queue.fail(cutOff(undefined));
          channel.close();
      }
    });
    channel.onClose((failure) => {
      const reason = failure ?? cutOff(undefined);
      reject(reason);
      // Without effect after its end.
      queue.fail(failure === undefined ? reason : cutOff(failure));
    });
  });
  channel.send({});
  try {
    return { header: await header, bytes: queue };
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

function cutOff(cause: StorageError | undefined): StorageError {
  return storageError(
    "unavailable",
    "the backup ended too early; the leader may have changed: repeat it",
    cause,
  );
}
