import type { Command } from "commander";
import { withAdmin } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { parseId } from "../../output.js";
import { retireLocalService } from "../../service-control.js";

/** `rm-mds`: takes a metadata server out of the group. */
export function defineRmMds(program: Command, invocation: Invocation): void {
  program
    .command("rm-mds <MDSID>")
    .description(
      "take a metadata server out of the cluster; refused if the cluster could not go on without it",
    )
    .action(async (text: string) => {
      const mdsId = parseId("MDS", text);
      await withAdmin(invocation, async (admin) => {
        invocation.print(`Removing MDS#${mdsId} ...`);
        await admin.removeMds({ mdsId });
        invocation.print("done");
      });
      const { clusterName } = invocation;
      const retired = await retireLocalService(invocation.host.files, {
        kind: "mds",
        clusterName,
        id: mdsId,
      });
      if (retired !== undefined) invocation.print(`its directory ${retired.directory} may be deleted`);
    });
}
