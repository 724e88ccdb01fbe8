import type { Command } from "commander";
import { type FileView, viewOfFile } from "../../../dashboard/index.js";
import type { Attributes, FileLease } from "../../../meta/index.js";
import { withCluster } from "../../cluster-access.js";
import { about } from "../../files/path-failure.js";
import type { Invocation } from "../../invocation.js";
import { formatSize } from "../../output.js";
import { clusterPath } from "../attribute/paths.js";
import { chunkLines } from "./lines.js";

interface Flags {
  readonly p?: boolean;
  readonly json?: boolean;
}

/** `file-info PATH`: the chunks of a file and where they are. */
export function defineFileInfo(program: Command, invocation: Invocation): void {
  program
    .command("file-info <PATH>")
    .description("show who has a file open, and its chunks: where they are, versions, states")
    .option("-p", "PATH is from the root of the cluster; no mount is needed")
    .option("--json", "print JSON")
    .action(async (written: string, flags: Flags) => {
      const { clusterName, path } = await clusterPath(invocation, written, flags.p);
      const isJson = flags.json === true;
      await withCluster(
        invocation,
        async (cluster) => {
          const file = await about(written, cluster.fileSystem.lstat(path));
          const { chunks, leases } = await viewOfFile(cluster.admin, file.ino);
          if (isJson)
            invocation.printJson({ path, ino: file.ino, sizeBytes: file.sizeBytes, leases, chunks });
          else invocation.printLines(infoLines(path, file, { chunks, leases }));
        },
        { isSilent: isJson, clusterName },
      );
    });
}

function infoLines(path: string, file: Attributes, { chunks, leases = [] }: FileView): string[] {
  const { storage, ino, sizeBytes } = file;
  const head = [
    `File: ${path}`,
    `  Inode: ${ino}  Size: ${formatSize(sizeBytes)}  Chunks: ${chunks.length} of ${formatSize(storage.chunkBytes)}`,
    `  Kept: replicas=${storage.replicas}:${storage.replicasMinimum} failure-domain=${storage.failureDomain} tier=${storage.tier}`,
    ...leases.map(leaseLine),
  ];
  return chunks.length === 0 ? head : [...head, ...chunkLines(chunks)];
}

/** `  Open: client #2049 (vmhost1, mount) has the lease exclusive; reading 0, writing 1`. */
function leaseLine({
  sessionId,
  hostname,
  program,
  lease,
  readCount,
  writeCount,
  recallTo,
}: FileLease): string {
  const change = recallTo === undefined ? "" : `, which goes down to ${recallTo}`;
  return `  Open: client #${sessionId} (${hostname}, ${program}) has the lease ${lease}${change}; reading ${readCount}, writing ${writeCount}`;
}
