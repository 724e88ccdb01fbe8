import { lstat } from "node:fs/promises";
import type { Command } from "commander";
import { type FileSystem, splitPath } from "../../../client/index.js";
import { withFileSystem } from "../../cluster-access.js";
import { errorLine } from "../../error-line.js";
import { about } from "../../files/path-failure.js";
import { clusterTarget, sourcesAndTarget } from "../../files/targets.js";
import { Transfer } from "../../files/transfer.js";
import { Upload } from "../../files/upload.js";
import type { Invocation } from "../../invocation.js";
import { SILENT } from "./silent.js";

interface Flags {
  readonly recursive?: boolean;
  readonly sync?: boolean;
}

/** `fs put`. */
export function defineFilePut(fs: Command, invocation: Invocation): void {
  fs.command("put <PATH...>")
    .usage("[options] SOURCE... TARGET")
    .description(
      "copy local files into the cluster. One SOURCE becomes TARGET; several, or a TARGET that ends in /, go into it. " +
        "A SOURCE of - is standard input.",
    )
    .option("-r, --recursive", "directories with all they contain")
    .option("--sync", "each file survives the loss of power everywhere before it counts as copied")
    .action(async (paths: readonly string[], flags: Flags) => {
      await withFileSystem(invocation, (files) => putAll(invocation, files, paths, flags), SILENT);
    });
}

async function putAll(
  invocation: Invocation,
  files: FileSystem,
  paths: readonly string[],
  flags: Flags,
): Promise<void> {
  const { sources, target } = sourcesAndTarget(paths);
  if (sources.length === 1 && sources[0] === "-") {
    await about(
      target,
      files.writeFile(target, invocation.terminal.read(), { mode: 0o644, sync: flags.sync }),
    );
    return;
  }
  const transfer = new Transfer(invocation);
  const options = { isRecursive: flags.recursive === true, isSynced: flags.sync === true };
  const upload = new Upload(files, transfer, options);
  for (const source of sources) {
    try {
      const shape = { sourceCount: sources.length, isTree: (await lstat(source)).isDirectory() };
      const place = splitPath(await clusterTarget(files, source, target, shape));
      const { ino: parent } = await about(target, files.stat(place.directory));
      await upload.put(source, { parent, name: place.name });
    } catch (error) {
      transfer.complain(errorLine(error));
    }
  }
  await transfer.finish();
}
