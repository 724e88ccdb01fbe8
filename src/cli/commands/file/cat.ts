import type { Command } from "commander";
import { type FileSystem, readStream } from "../../../client/index.js";
import { withFileSystem } from "../../cluster-access.js";
import { about } from "../../files/path-failure.js";
import type { Invocation } from "../../invocation.js";
import type { Terminal } from "../../terminal.js";
import { SILENT } from "./silent.js";

/** `fs cat`. */
export function defineFileCat(fs: Command, invocation: Invocation): void {
  fs.command("cat <PATH...>")
    .description("print the contents of files")
    .action((paths: readonly string[]) =>
      withFileSystem(
        invocation,
        async (files) => {
          for (const path of paths) await about(path, printFile(files, path, invocation.terminal));
        },
        SILENT,
      ),
    );
}

/** The contents of a file to standard output. */
export async function printFile(files: FileSystem, path: string, terminal: Terminal): Promise<void> {
  const handle = await files.open(path);
  try {
    for await (const bytes of readStream(handle)) await terminal.write(bytes);
  } finally {
    await handle.close();
  }
}
