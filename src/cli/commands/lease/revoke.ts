import type { Command } from "commander";
import type { FileSystem } from "../../../client/index.js";
import { isFile } from "../../../meta/index.js";
import { withFileSystem } from "../../cluster-access.js";
import { about } from "../../files/path-failure.js";
import { walkTree } from "../../files/walk-tree.js";
import type { Invocation } from "../../invocation.js";
import { clusterPath } from "../attribute/paths.js";

interface Flags {
  readonly p?: boolean;
  readonly R?: boolean;
}

/** `revoke`: takes files away from clients that hold them, dead or alive, at once and for good. */
export function defineRevoke(program: Command, invocation: Invocation): void {
  program
    .command("revoke <PATH>")
    .description(
      "end the leases that other clients hold on a file or tree; what they have not written back is lost",
    )
    .option("-p", "PATH is from the root of the cluster; no mount is needed")
    .option("-R", "of everything below")
    .action(async (written: string, flags: Flags) => {
      const { clusterName, path } = await clusterPath(invocation, written, flags.p);
      const work = async (fs: FileSystem): Promise<void> => {
        if (flags.R !== true) return await about(written, fs.revoke(path));
        await walkTree(fs, path, async ({ path: at, ino, mode }) => {
          if (isFile(mode)) await about(at, fs.inodes.revoke(ino));
        });
      };
      await withFileSystem(invocation, work, { clusterName });
    });
}
