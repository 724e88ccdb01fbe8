import type { Command } from "commander";
import type { FileSystem } from "../../../client/index.js";
import { isDirectory, isFile } from "../../../meta/index.js";
import { type AttributeChange, parseAttributes } from "../../attribute-syntax.js";
import { withFileSystem } from "../../cluster-access.js";
import { about } from "../../files/path-failure.js";
import { walkTree } from "../../files/walk-tree.js";
import type { Invocation } from "../../invocation.js";
import { clusterPath } from "./paths.js";

interface Flags {
  readonly p?: boolean;
  readonly R?: boolean;
}

/** `set-attr`: returns when the attributes are recorded; the data follow in the background. */
export function defineSetAttr(program: Command, invocation: Invocation): void {
  program
    .command("set-attr <PATH> <NAME=VALUE...>")
    .description(
      "set storage attributes: replicas=N:M, failure-domain, tier, chunk-size, client-ssd-cache, exclusive",
    )
    .option("-p", "PATH is from the root of the cluster; no mount is needed")
    .option("-R", "also of everything below")
    .action(async (written: string, pairs: readonly string[], flags: Flags) => {
      const change = parseAttributes(pairs);
      const { clusterName, path } = await clusterPath(invocation, written, flags.p);
      const work = async (fs: FileSystem): Promise<void> => {
        if (flags.R === true) await changeTree(fs, path, change);
        else await about(written, fs.setStorage(path, change));
      };
      await withFileSystem(invocation, work, { clusterName });
    });
}

/** Directories before what is in them, so that what is made meanwhile gets the new attributes too. */
async function changeTree(fs: FileSystem, path: string, change: AttributeChange): Promise<void> {
  await walkTree(fs, path, async ({ path: at, ino, mode }) => {
    if (!isDirectory(mode) && !isFile(mode)) return;
    await about(at, fs.inodes.setStorage(ino, change));
  });
}
