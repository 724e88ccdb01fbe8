import type { Command } from "commander";
import { failureOf } from "../../../base/index.js";
import type { FileSystem } from "../../../client/index.js";
import { isDirectory } from "../../../meta/index.js";
import { withFileSystem } from "../../cluster-access.js";
import { about } from "../../files/path-failure.js";
import type { Invocation } from "../../invocation.js";
import { SILENT } from "./silent.js";

interface Flags {
  readonly recursive?: boolean;
  readonly force?: boolean;
}

/** `fs rm`. */
export function defineFileRemove(fs: Command, invocation: Invocation): void {
  fs.command("rm <PATH...>")
    .description("remove files, and empty directories; with -r directories with all they contain")
    .option("-r, --recursive", "directories with all they contain")
    .option("-f, --force", "what is missing is no failure")
    .action((paths: readonly string[], flags: Flags) =>
      withFileSystem(
        invocation,
        async (files) => {
          for (const path of paths) await about(path, remove(files, path, flags));
        },
        SILENT,
      ),
    );
}

async function remove(files: FileSystem, path: string, { recursive, force }: Flags): Promise<void> {
  try {
    const found = await files.lstat(path);
    if (!isDirectory(found.mode)) await files.unlink(path);
    else if (recursive === true) await files.removeTree(path);
    else await files.rmdir(path);
  } catch (error) {
    if (force !== true || failureOf(error)?.code !== "not_found") throw error;
  }
}
