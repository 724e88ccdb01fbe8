import type { Command } from "commander";
import { attributeLines } from "../../attribute-syntax.js";
import { withFileSystem } from "../../cluster-access.js";
import { about } from "../../files/path-failure.js";
import type { Invocation } from "../../invocation.js";
import { clusterPath } from "./paths.js";

interface Flags {
  readonly p?: boolean;
  readonly json?: boolean;
}

/** `get-attr`: how the data of a file, or of what will be made in a directory, are kept. */
export function defineGetAttr(program: Command, invocation: Invocation): void {
  program
    .command("get-attr <PATH>")
    .description("show the storage attributes of a file or directory")
    .option("-p", "PATH is from the root of the cluster; no mount is needed")
    .option("--json", "print JSON")
    .action(async (written: string, flags: Flags) => {
      const { clusterName, path } = await clusterPath(invocation, written, flags.p);
      const isSilent = flags.json === true;
      const found = await withFileSystem(invocation, (fs) => about(written, fs.lstat(path)), {
        isSilent,
        clusterName,
      });
      if (isSilent) invocation.printJson(found.storage);
      else invocation.printLines(attributeLines(invocation.terminal.programName, clusterName, path, found));
    });
}
