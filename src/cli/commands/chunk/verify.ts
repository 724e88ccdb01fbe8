import type { Command } from "commander";
import { storageError } from "../../../base/index.js";
import type { Cluster } from "../../../client/index.js";
import { isDirectory } from "../../../meta/index.js";
import { withCluster } from "../../cluster-access.js";
import { about } from "../../files/path-failure.js";
import type { Invocation } from "../../invocation.js";
import { formatSize, formatTable } from "../../output.js";
import { Progress } from "../../progress.js";
import { clusterPath } from "../attribute/paths.js";
import { type Finding, verifyChunk } from "./verify-chunk.js";

interface Flags {
  readonly p?: boolean;
  readonly json?: boolean;
}

/** `verify PATH`: every replica of a file is read and compared with the others. */
export function defineVerify(program: Command, invocation: Invocation): void {
  program
    .command("verify <PATH>")
    .description(
      "read every replica of a file and compare them; exit status 1 if they are not all whole and equal",
    )
    .option("-p", "PATH is from the root of the cluster; no mount is needed")
    .option("--json", "print JSON")
    .action(async (written: string, flags: Flags) => {
      const { clusterName, path } = await clusterPath(invocation, written, flags.p);
      const isJson = flags.json === true;
      const report = await withCluster(invocation, (cluster) => verify(invocation, cluster, written, path), {
        isSilent: isJson,
        clusterName,
      });
      if (isJson) invocation.printJson({ path, ...report });
      else invocation.printLines(verifyLines(path, report));
      if (report.findings.length > 0) invocation.exitStatus = 1;
    });
}

interface Report {
  readonly chunkCount: number;
  /** Read from all replicas together. */
  readonly checkedBytes: number;
  readonly findings: readonly Finding[];
}

async function verify(
  invocation: Invocation,
  cluster: Cluster,
  written: string,
  path: string,
): Promise<Report> {
  const file = await about(written, cluster.fileSystem.stat(path));
  if (isDirectory(file.mode)) throw storageError("invalid", `${written} is a directory; verify takes a file`);
  const chunks = await cluster.admin.allFileChunks(file.ino);
  const progress = new Progress(invocation.terminal);
  const findings: Finding[] = [];
  let checkedBytes = 0;
  for (const [number, chunk] of chunks.entries()) {
    progress.show(`chunk ${number + 1} of ${chunks.length}, ${formatSize(checkedBytes)} read`);
    const result = await verifyChunk(cluster, invocation.host.world.clock, chunk);
    checkedBytes += result.checkedBytes;
    findings.push(...result.findings);
  }
  progress.clear();
  return { chunkCount: chunks.length, checkedBytes, findings };
}

function verifyLines(path: string, { chunkCount, checkedBytes, findings }: Report): string[] {
  const summary = `${path}: ${chunkCount} chunks, ${formatSize(checkedBytes)} read from all replicas`;
  if (findings.length === 0) return [`${summary}: whole and equal`];
  return [
    summary,
    ...formatTable(
      [
        { title: "CHUNK", alignRight: true },
        { title: "SERVER" },
        { title: "OFFSET", alignRight: true },
        { title: "WHAT" },
      ],
      findings.map(({ chunkId, csId, offset, what }) => [
        String(chunkId),
        `CS#${csId}`,
        String(offset),
        what,
      ]),
    ),
  ];
}
