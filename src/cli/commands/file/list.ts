import type { Command } from "commander";
import type { FileSystem } from "../../../client/index.js";
import { type Attributes, isDirectory, isSymlink } from "../../../meta/index.js";
import { withFileSystem } from "../../cluster-access.js";
import { entryJson, longLines, type NamedEntry } from "../../files/file-lines.js";
import { about, shownPath } from "../../files/path-failure.js";
import type { Invocation } from "../../invocation.js";
import { SILENT } from "./silent.js";

interface Flags {
  readonly l?: boolean;
  readonly json?: boolean;
}

/** `fs ls`. */
export function defineFileList(fs: Command, invocation: Invocation): void {
  fs.command("ls [PATH...]")
    .description("list directories (default: the root)")
    .option("-l", "with modes, owners, sizes and times")
    .option("--json", "print JSON")
    .action(async (paths: readonly string[], flags: Flags) => {
      const wanted = paths.length === 0 ? ["/"] : paths;
      await withFileSystem(
        invocation,
        async (files) => {
          for (const path of wanted)
            await list(invocation, files, path, { ...flags, isOneOfMany: wanted.length > 1 });
        },
        SILENT,
      );
    });
}

async function list(
  invocation: Invocation,
  files: FileSystem,
  path: string,
  flags: Flags & { readonly isOneOfMany: boolean },
): Promise<void> {
  const found = await about(path, files.stat(path));
  const isFolder = isDirectory(found.mode);
  const entries = isFolder ? await entriesOf(files, found) : [{ name: path, attributes: found }];
  if (flags.json === true) invocation.printJson(entries.map(entryJson));
  else {
    if (isFolder && flags.isOneOfMany) invocation.print(`${path}:`);
    invocation.printLines(flags.l === true ? longLines(entries) : entries.map(({ name }) => shownPath(name)));
  }
}

async function entriesOf(files: FileSystem, directory: Attributes): Promise<NamedEntry[]> {
  const entries: NamedEntry[] = [];
  for await (const { name, attributes } of files.inodes.list(directory.ino, true)) {
    if (attributes === undefined) continue;
    const target = isSymlink(attributes.mode) ? await files.inodes.readSymlink(attributes.ino) : undefined;
    entries.push({ name: Uint8Array.from(name), attributes, target });
  }
  return entries;
}
