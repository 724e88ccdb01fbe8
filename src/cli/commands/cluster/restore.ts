import { createReadStream } from "node:fs";
import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import { parseMdsAddress } from "../../address.js";
import { openBackupStream } from "../../backup/backup-file.js";
import { repositoryDirectory } from "../../host.js";
import type { Invocation } from "../../invocation.js";
import { formatTime } from "../../output.js";
import { restoreCluster } from "../../setup/restore-cluster.js";

interface Flags {
  readonly repository: string;
  readonly address: string;
  readonly force?: boolean;
}

/** `restore`: the metadata of a backup, as the first MDS of a new group. */
export function defineRestore(program: Command, invocation: Invocation): void {
  program
    .command("restore <FILE>")
    .description(
      "make a metadata server out of a backup, when all are lost: it begins a new group, which the chunk servers follow",
    )
    .requiredOption("-r, --repository <dir>", "directory of the new server; it is created")
    .requiredOption("-a, --address <ip[:port]>", "address of the new server; it uses PORT (2510) and PORT+1")
    .option("--force", "although the cluster still has a leader: what was done since the backup is lost")
    .action(async (path: string, flags: Flags) => {
      const { clusterName, host } = invocation;
      const address = parseMdsAddress(flags.address);
      const directory = repositoryDirectory(flags.repository);
      const reader = await openBackupStream(fileStream(path));
      const restoration = { clusterName, address, directory, isForced: flags.force === true };
      const { mdsId } = await restoreCluster(host, restoration, reader);
      if (invocation.isQuiet) return;
      invocation.print(
        `MDS#${mdsId} at ${address} is made from the backup of ${formatTime(reader.header.wallMs)}; start it: pstorage-mdsd start`,
      );
      invocation.print(
        "what was done since then is lost; see docs/operating/disaster.md for what to look after",
      );
    });
}

async function* fileStream(path: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of createReadStream(path)) yield piece as Uint8Array;
  } catch (error) {
    throw storageError(
      "invalid",
      `${path} cannot be read: ${error instanceof Error ? error.message : error}; name another file`,
      error,
    );
  }
}
