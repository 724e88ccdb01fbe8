import type { Command } from "commander";
import { withFileSystem } from "../../cluster-access.js";
import { withPath } from "../../files/path-failure.js";
import { clusterTarget, sourcesAndTarget } from "../../files/targets.js";
import type { Invocation } from "../../invocation.js";
import { SILENT } from "./silent.js";

/** `fs mv`. */
export function defineFileMove(fs: Command, invocation: Invocation): void {
  fs.command("mv <PATH...>")
    .usage("SOURCE... TARGET")
    .description("rename SOURCE to TARGET, or move the sources into the directory TARGET")
    .action(async (paths: readonly string[]) => {
      const { sources, target } = sourcesAndTarget(paths);
      await withFileSystem(
        invocation,
        async (files) => {
          for (const source of sources) {
            const shape = { sourceCount: sources.length, isTree: false };
            const to = await clusterTarget(files, source, target, shape);
            await files.rename(source, to).catch((error: unknown) => {
              throw withPath(`${source} to ${to}`, error);
            });
          }
        },
        SILENT,
      );
    });
}
