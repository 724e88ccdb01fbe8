import type { Command } from "commander";
import type { RecoveryStatus } from "../../../meta/index.js";
import { withAdmin } from "../../cluster-access.js";
import type { Invocation } from "../../invocation.js";
import { formatTime } from "../../output.js";

const LABEL_WIDTH = 34;

/** `recovery`: how far the latest recovery of the metadata is. */
export function defineRecovery(program: Command, invocation: Invocation): void {
  program
    .command("recovery")
    .description(
      "show what the latest recovery of the metadata has left to do, and what it cannot bring back",
    )
    .option("--json", "print JSON")
    .action(async ({ json }: { readonly json?: boolean }) => {
      const isSilent = json === true;
      const status = await withAdmin(invocation, (admin) => admin.recovery(), { isSilent });
      if (isSilent) invocation.printJson(status);
      else invocation.printLines(recoveryLines(status));
    });
}

export function recoveryLines(status: RecoveryStatus): string[] {
  if (status.epoch === 0) return ["The metadata were never recovered."];
  const { doubtedCount, awaitedServers, missingCount, orphanCount, isEveryoneHeard } = status;
  const lines = [
    `Recovered on ${formatTime(status.wallMs)} from ${status.source}`,
    `Chunks in doubt:                  ${doubtedCount}`,
    `${(isEveryoneHeard ? "  nobody has anything of:" : "  nothing heard of so far:").padEnd(LABEL_WIDTH)}${missingCount}`,
    `Replicas only the lost time knew: ${orphanCount}`,
  ];
  if (orphanCount > 0) lines.push(`  kept until:                     ${formatTime(status.orphansUntilMs)}`);
  if (awaitedServers.length > 0) {
    const names = awaitedServers.map((csId) => `CS#${csId}`).join(", ");
    lines.push(`Waiting for ${names}: bring them back, or remove those that are lost (rm-cs -f)`);
  }
  return [...lines, ...missingLines(status)];
}

/** Who reads that a file is lost removes it: nothing is called so while somebody may come who has it. */
function missingLines({ isEveryoneHeard, awaitedServers, missingFiles }: RecoveryStatus): string[] {
  if (missingFiles.length === 0) return [];
  const paths = missingFiles.map((path) => `  ${path}`);
  if (isEveryoneHeard) return ["Files with parts that nobody has:", ...paths];
  const whom = awaitedServers.length > 0 ? "those servers" : "servers that the metadata do not know";
  return [`Files with parts that ${whom} may have; leave them as they are:`, ...paths];
}
