import type { Command } from "commander";
import { failureOf } from "../../../base/index.js";
import { openAdmin } from "../../cluster-access.js";
import { clockFinding, clusterFindings, listFindings } from "../../doctor/cluster-findings.js";
import { type Finding, fail } from "../../doctor/finding.js";
import { hostFindings } from "../../doctor/host-findings.js";
import type { Invocation } from "../../invocation.js";

const REACH_MS = 5000;

/** `doctor`: what is wrong with this host and its cluster, and what mends it. */
export function defineDoctor(program: Command, invocation: Invocation): void {
  program
    .command("doctor")
    .description(
      "examine this host and the cluster: certificate, names, addresses, clocks, disks, servers, copies, space; each finding with what mends it. Exit status 1 if something fails",
    )
    .option("--json", "print JSON")
    .action(async ({ json }: { readonly json?: boolean }) => {
      const { host, clusterName } = invocation;
      const findings = [...(await hostFindings(host, clusterName)), ...(await clusterView(invocation))];
      if (json === true) invocation.printJson(findings);
      else invocation.printLines(findingLines(findings));
      if (findings.some(({ severity }) => severity === "fail")) invocation.exitStatus = 1;
    });
}

async function clusterView({ host, clusterName }: Invocation): Promise<Finding[]> {
  try {
    const { admin, status, close } = await openAdmin(host, clusterName, { timeoutMs: REACH_MS });
    try {
      const askedMs = host.world.clock.wallMs();
      const { wallMs } = await admin.status();
      return [
        clockFinding(wallMs, askedMs, host.world.clock.wallMs()),
        ...listFindings(status, await host.files.bootstrapAddresses(clusterName)),
        ...clusterFindings(status),
      ];
    } finally {
      await close();
    }
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    return [
      fail(
        "cluster",
        failure.detail,
        "pstorage-mdsd start on the hosts of the metadata servers (docs/operating/troubleshooting.md)",
      ),
    ];
  }
}

/** One line a finding, and below it what to do. */
export function findingLines(findings: readonly Finding[]): string[] {
  const width = Math.max(...findings.map(({ subject }) => subject.length), 0);
  const lines = findings.flatMap(({ severity, subject, text, remedy }) => [
    `${`[${severity.toUpperCase()}]`.padEnd(6)} ${subject.padEnd(width)}  ${text}`,
    ...(remedy === undefined ? [] : [`${" ".repeat(width + 9)}-> ${remedy}`]),
  ]);
  const count = (wanted: Finding["severity"]): number =>
    findings.filter(({ severity }) => severity === wanted).length;
  return [...lines, `${count("fail")} to mend, ${count("warn")} to think about`];
}
