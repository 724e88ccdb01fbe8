import type { Command } from "commander";
import type { FileSystem } from "../../../client/index.js";
import { isDirectory } from "../../../meta/index.js";
import { withFileSystem } from "../../cluster-access.js";
import { errorLine } from "../../error-line.js";
import { Download } from "../../files/download.js";
import { about } from "../../files/path-failure.js";
import { localTarget, sourcesAndTarget } from "../../files/targets.js";
import { Transfer } from "../../files/transfer.js";
import type { Invocation } from "../../invocation.js";
import { printFile } from "./cat.js";
import { SILENT } from "./silent.js";

interface Flags {
  readonly recursive?: boolean;
}

/** `fs get`. */
export function defineFileGet(fs: Command, invocation: Invocation): void {
  fs.command("get <PATH...>")
    .usage("[options] SOURCE... TARGET")
    .description(
      "copy files of the cluster to this machine. One SOURCE becomes TARGET; several, or a TARGET that ends in /, " +
        "go into it. A TARGET of - is standard output.",
    )
    .option("-r, --recursive", "directories with all they contain")
    .action(async (paths: readonly string[], flags: Flags) => {
      await withFileSystem(invocation, (files) => getAll(invocation, files, paths, flags), SILENT);
    });
}

async function getAll(
  invocation: Invocation,
  files: FileSystem,
  paths: readonly string[],
  flags: Flags,
): Promise<void> {
  const { sources, target } = sourcesAndTarget(paths);
  if (target === "-") {
    for (const source of sources) await about(source, printFile(files, source, invocation.terminal));
    return;
  }
  const transfer = new Transfer(invocation);
  const download = new Download(files, transfer, flags.recursive === true);
  for (const source of sources) {
    try {
      const found = await about(source, files.lstat(source));
      const shape = { sourceCount: sources.length, isTree: isDirectory(found.mode) };
      await download.get(source, found, await localTarget(source, target, shape));
    } catch (error) {
      transfer.complain(errorLine(error));
    }
  }
  await transfer.finish();
}
