import type { Command } from "commander";
import { isSymlink } from "../../../meta/index.js";
import { withFileSystem } from "../../cluster-access.js";
import { entryJson, formatMode, isoTime, type NamedEntry, typeName } from "../../files/file-lines.js";
import { about, shownPath } from "../../files/path-failure.js";
import type { Invocation } from "../../invocation.js";
import { SILENT } from "./silent.js";

/** `fs stat`: everything about one name; a symbolic link is not followed. */
export function defineFileStat(fs: Command, invocation: Invocation): void {
  fs.command("stat <PATH...>")
    .description("show everything about files")
    .option("--json", "print JSON")
    .action(async (paths: readonly string[], flags: { readonly json?: boolean }) => {
      const entries: NamedEntry[] = [];
      await withFileSystem(
        invocation,
        async (files) => {
          for (const path of paths) {
            const attributes = await about(path, files.lstat(path));
            const target = isSymlink(attributes.mode) ? await files.readlink(path) : undefined;
            entries.push({ name: path, attributes, target });
          }
        },
        SILENT,
      );
      if (flags.json === true) invocation.printJson(entries.map(entryJson));
      else for (const entry of entries) invocation.printLines(statLines(entry));
    });
}

function statLines({ name, attributes, target }: NamedEntry): string[] {
  const { ino, mode, linkCount, uid, gid, sizeBytes, allocatedBytes, storage } = attributes;
  const arrow = target === undefined ? "" : ` -> ${shownPath(target)}`;
  return [
    `  Path: ${shownPath(name)}${arrow}`,
    `  Type: ${typeName(mode)}  Inode: ${ino}  Links: ${linkCount}`,
    `  Size: ${sizeBytes}  Allocated: ${allocatedBytes}`,
    `  Mode: ${formatMode(mode)}  Uid: ${uid}  Gid: ${gid}`,
    `Access: ${isoTime(attributes.atime)}`,
    `Modify: ${isoTime(attributes.mtime)}`,
    `Change: ${isoTime(attributes.ctime)}`,
    ` Birth: ${isoTime(attributes.birthTime)}`,
    `  Kept: replicas=${storage.replicas}:${storage.replicasMinimum} failure-domain=${storage.failureDomain} ` +
      `tier=${storage.tier} chunk-size=${storage.chunkBytes}`,
  ];
}
