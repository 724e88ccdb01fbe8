import { failureOf, StorageError } from "../base/index.js";
import type { Channel, wire } from "../rpc/index.js";
import { epochOf } from "./core/epochs.js";
import type { Leadership } from "./leadership.js";

const FORMAT_VERSION = 1;
const PART_BYTES = 256 * 1024;

type Up = Readonly<Record<string, never>>;

/** Answers the one request of the stream with all metadata as they are at that moment, while everything goes on. */
export function serveBackup(channel: Channel<wire.BackupPart, Up>, current: () => Promise<Leadership>): void {
  let isAsked = false;
  channel.onClose(() => undefined);
  channel.onMessage(() => {
    if (isAsked) return;
    isAsked = true;
    send(channel, current).then(
      () => channel.close(),
      (error: unknown) => {
        const failure = failureOf(error);
        if (failure === undefined) throw error;
        channel.close(new StorageError(failure, error));
      },
    );
  });
}

async function send(
  channel: Channel<wire.BackupPart, Up>,
  current: () => Promise<Leadership>,
): Promise<void> {
  const leadership = await current();
  const { store, tables, clock, log } = leadership;
  const cluster = tables.cluster.get();
  const { index, term, bytes } = await store.openSnapshot();
  const header: wire.BackupHeader = {
    formatVersion: FORMAT_VERSION,
    clusterId: cluster?.clusterId ?? "",
    clusterName: cluster?.name ?? "",
    wallMs: clock.wallMs(),
    index,
    term,
    epoch: epochOf(tables),
  };
  log.info("a backup of the metadata begins", { index, address: channel.peer.address });
  channel.send({ content: { type: "header", body: header } });
  let length = 0;
  for await (const piece of bytes) {
    for (let offset = 0; offset < piece.length; offset += PART_BYTES) {
      // Whoever asked went away.
      if (channel.isClosed) return;
      const body = piece.subarray(offset, offset + PART_BYTES);
      length += body.length;
      if (!channel.send({ content: { type: "data", body } })) await channel.drained();
    }
  }
  channel.send({ content: { type: "end", body: { length } } });
  log.info("a backup of the metadata is complete", { index, length });
}
