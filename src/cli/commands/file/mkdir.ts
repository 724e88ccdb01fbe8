import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import { withFileSystem } from "../../cluster-access.js";
import { about } from "../../files/path-failure.js";
import type { Invocation } from "../../invocation.js";
import { SILENT } from "./silent.js";

interface Flags {
  readonly parents?: boolean;
  readonly mode?: number;
}

/** `fs mkdir`. */
export function defineFileMkdir(fs: Command, invocation: Invocation): void {
  fs.command("mkdir <PATH...>")
    .description("make directories")
    .option("-p, --parents", "with missing parents; one that is there is no failure")
    .option("-m, --mode <mode>", "permissions in octal (default: 755)", parseMode)
    .action((paths: readonly string[], { parents, mode = 0o755 }: Flags) =>
      withFileSystem(
        invocation,
        async (files) => {
          for (const path of paths) {
            await about(path, parents === true ? files.mkdirp(path, { mode }) : files.mkdir(path, { mode }));
          }
        },
        SILENT,
      ),
    );
}

function parseMode(text: string): number {
  if (/^[0-7]{1,4}$/.test(text)) return Number.parseInt(text, 8);
  throw storageError("invalid", `"${text}" is no mode: write it in octal, for example 0750`);
}
