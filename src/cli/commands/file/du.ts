import type { Command } from "commander";
import type { FileSystem } from "../../../client/index.js";
import { type Attributes, isDirectory, isFile } from "../../../meta/index.js";
import { withFileSystem } from "../../cluster-access.js";
import { toBytes } from "../../files/local-attributes.js";
import { about, shownPath } from "../../files/path-failure.js";
import { childPath } from "../../files/walk-tree.js";
import type { Invocation } from "../../invocation.js";
import { formatSize, formatTable } from "../../output.js";
import { SILENT } from "./silent.js";

interface Flags {
  readonly r?: boolean;
  readonly json?: boolean;
}

/** What a tree contains. A file with several names counts once in each directory it is listed under. */
interface Usage {
  readonly path: string;
  readonly fileCount: number;
  /** Sum of the sizes of files. */
  readonly sizeBytes: number;
  /** Bytes of chunks that are allocated, one replica of each. */
  readonly allocatedBytes: number;
}

/** `fs du`. */
export function defineFileDu(fs: Command, invocation: Invocation): void {
  fs.command("du <PATH...>")
    .description("add up the sizes of files and trees")
    .option("-r", "also show each directory below")
    .option("--json", "print JSON")
    .action(async (paths: readonly string[], flags: Flags) => {
      const usages: Usage[] = [];
      await withFileSystem(
        invocation,
        async (files) => {
          for (const path of paths) {
            const found = await about(path, files.stat(path));
            const all = await measure(files, toBytes(path), found);
            usages.push(...(flags.r === true ? all : all.slice(-1)));
          }
        },
        SILENT,
      );
      if (flags.json === true) invocation.printJson(usages);
      else invocation.printLines(usageLines(usages));
    });
}

/** The directories of a tree, each after those in it: the last one is the whole. */
async function measure(files: FileSystem, path: Uint8Array, found: Attributes): Promise<Usage[]> {
  const inner: Usage[] = [];
  let total: Usage = isFile(found.mode)
    ? {
        path: shownPath(path),
        fileCount: 1,
        sizeBytes: found.sizeBytes,
        allocatedBytes: found.allocatedBytes,
      }
    : { path: shownPath(path), fileCount: 0, sizeBytes: 0, allocatedBytes: 0 };
  if (!isDirectory(found.mode)) return [total];
  for await (const { name, attributes } of files.inodes.list(found.ino, true)) {
    if (attributes === undefined) continue;
    const below = await measure(files, childPath(path, name), attributes);
    const last = below.at(-1);
    if (last !== undefined) total = sum(total, last);
    if (isDirectory(attributes.mode)) inner.push(...below);
  }
  return [...inner, total];
}

function sum(total: Usage, part: Usage): Usage {
  return {
    path: total.path,
    fileCount: total.fileCount + part.fileCount,
    sizeBytes: total.sizeBytes + part.sizeBytes,
    allocatedBytes: total.allocatedBytes + part.allocatedBytes,
  };
}

function usageLines(usages: readonly Usage[]): string[] {
  const right = { alignRight: true };
  return formatTable(
    [
      { title: "SIZE", ...right },
      { title: "ALLOCATED", ...right },
      { title: "FILES", ...right },
      { title: "PATH" },
    ],
    usages.map(({ path, fileCount, sizeBytes, allocatedBytes }) => [
      formatSize(sizeBytes),
      formatSize(allocatedBytes),
      String(fileCount),
      path,
    ]),
  );
}
