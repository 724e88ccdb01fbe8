import type { Command } from "commander";
import { fromUtf8, storageError } from "../../../base/index.js";
import type { FileSystem } from "../../../client/index.js";
import type { ChunkInfo } from "../../../meta/index.js";
import { withCluster } from "../../cluster-access.js";
import { walkTree } from "../../files/walk-tree.js";
import type { Invocation } from "../../invocation.js";
import { formatSize, formatTable } from "../../output.js";
import { type InspectedReplica, inspectReplicas } from "./inspect.js";

interface Flags {
  readonly path?: boolean;
  readonly json?: boolean;
}

/** `chunk-info CHUNKID`: whose chunk it is, where its replicas are, and what they say of themselves. */
export function defineChunkInfo(program: Command, invocation: Invocation): void {
  program
    .command("chunk-info <CHUNKID>")
    .description("show a chunk: its file, state and replicas")
    .option("--path", "find the names of its file, by going through the whole tree")
    .option("--json", "print JSON")
    .action(async (text: string, flags: Flags) => {
      const chunkId = parseChunkId(text);
      const isJson = flags.json === true;
      await withCluster(
        invocation,
        async (cluster) => {
          const chunk = await cluster.admin.chunk({ chunkId });
          const replicas = await inspectReplicas(cluster, chunk);
          const paths = flags.path === true ? await pathsOf(cluster.fileSystem, chunk.ino) : undefined;
          if (isJson) invocation.printJson({ ...chunk, members: replicas, paths });
          else invocation.printLines(infoLines(chunk, replicas, paths));
        },
        { isSilent: isJson },
      );
    });
}

/** `17`, or the sixteen hexadecimal digits that its files are called by. */
function parseChunkId(text: string): number {
  const isName = /^[0-9a-f]{16}$/.test(text);
  const id = isName ? Number.parseInt(text, 16) : /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (id > 0 && Number.isSafeInteger(id)) return id;
  throw storageError("invalid", `"${text}" is no chunk; file-info shows the chunks of a file`);
}

async function pathsOf(fs: FileSystem, ino: number): Promise<string[]> {
  const paths: string[] = [];
  await walkTree(fs, "/", async (entry) => {
    if (entry.ino === ino) paths.push(fromUtf8(entry.path));
  });
  return paths.sort();
}

function infoLines(
  chunk: ChunkInfo,
  replicas: readonly InspectedReplica[],
  paths: readonly string[] | undefined,
): string[] {
  const { chunkId, ino, index, state, version, installed, chunkBytes } = chunk;
  const rows = replicas.map(({ csId, role, status, hostId, highWaterBytes, damagedRegions, note }) => [
    ...[`CS#${csId}`, role, status, hostId, highWaterBytes === undefined ? "-" : formatSize(highWaterBytes)],
    damagedRegions === undefined ? "-" : String(damagedRegions.length),
    note,
  ]);
  return [
    `Chunk ${chunkId} (${chunkId.toString(16).padStart(16, "0")}): ${state}`,
    `  File: inode ${ino}, index ${index}, bytes ${index * chunkBytes} to ${(index + 1) * chunkBytes - 1}`,
    ...(paths ?? []).map((path) => `  Path: ${path}`),
    `  Version: ${version}${installed ? "" : " (being installed)"}`,
    `  Replicas: ${chunk.replicas}:${chunk.replicasMinimum}`,
    ...formatTable(
      ["SERVER", "REPLICA", "STATUS", "HOST", "SIZE", "DAMAGED", ""].map((title) => ({ title })),
      rows,
    ),
  ];
}
