import type { Command } from "commander";
import type { SpaceStatus } from "../../../meta/index.js";
import { withAdmin } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { formatSize } from "../../output.js";

/** What limits the cluster. */
export interface Limits {
  /** `ACTIVE`, or `LIMIT REACHED`: programs that need space for new data wait. */
  readonly status: "ACTIVE" | "LIMIT REACHED";
  /** 0: there is no limit. */
  readonly capacityBytes: number;
  readonly usedBytes: number;
}

/** `view-limits`: the limit on what the cluster takes, in the shape in which the original shows its licence. */
export function defineViewLimits(program: Command, invocation: Invocation): void {
  program
    .command("view-limits")
    .alias("view-license")
    .description("show the limit on what the cluster takes (mds.alloc.capacity_max), and what is used")
    .option(
      "-b, --bootstrap <ip[:port]>",
      "a metadata server of the cluster (default: bs.list, DNS, the local network)",
    )
    .option("--json", "print JSON")
    .action(async ({ json, bootstrap }: { readonly json?: boolean; readonly bootstrap?: string }) => {
      const isSilent = json === true;
      const { space } = await withAdmin(invocation, (admin) => admin.status(), { isSilent, bootstrap });
      if (isSilent) invocation.printJson(limitsOf(space));
      else invocation.printLines(limitLines(limitsOf(space)));
    });
}

export function limitsOf({ capacityBytes, usedBytes }: SpaceStatus): Limits {
  const isReached = capacityBytes > 0 && usedBytes >= capacityBytes;
  return { status: isReached ? "LIMIT REACHED" : "ACTIVE", capacityBytes, usedBytes };
}

export function limitLines({ status, capacityBytes, usedBytes }: Limits): string[] {
  const capacity = capacityBytes === 0 ? "unlimited" : formatSize(capacityBytes);
  return [
    "STORAGE",
    `    status="${status}"`,
    `    capacity="${capacity}"`,
    `    used="${formatSize(usedBytes)}"`,
  ];
}
