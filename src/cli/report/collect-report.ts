import { execFile } from "node:child_process";
import { open, readdir, readFile } from "node:fs/promises";
import { hostname, release } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { failureOf } from "../../base/index.js";
import type { Admin } from "../../client/index.js";
import { openAdmin } from "../cluster-access.js";
import { findingLines } from "../commands/host/doctor.js";
import { hostFindings } from "../doctor/host-findings.js";
import type { Host } from "../host.js";
import { localServices } from "../service-control.js";

/** One file of a report. */
export interface ReportPart {
  /** Relative path in the archive. */
  readonly name: string;
  readonly bytes: Uint8Array | string;
}

const REACH_MS = 10_000;
const EVENTS_MAX = 1000;
/** Of each log the end; compressed ones are taken whole up to that. */
const LOG_BYTES_MAX = 4 * 1024 * 1024;
const COMMAND_MS = 10_000;
/** What a host is set up with. Never its credential. */
const SETTINGS = ["host_id", "location", "mds.config", "cs.config", "pstorage.conf"];
const COMMANDS: readonly (readonly string[])[] = [
  ["df", "-hT"],
  ["mount"],
  ["free", "-m"],
  ["ip", "addr"],
  ["lsblk", "-o", "NAME,SIZE,TYPE,ROTA,FSTYPE,MOUNTPOINT,MODEL"],
  ["dmesg", "-T"],
  ["ps", "-eo", "pid,ppid,rss,pcpu,etime,args"],
];

/** Everything somebody who is asked for help wants to know; whatever cannot be had says why. No keys, no file contents. */
export async function collectReport(host: Host, clusterName: string): Promise<ReportPart[]> {
  return [
    { name: "about.json", bytes: json(about(host, clusterName)) },
    ...(await clusterParts(host, clusterName)),
    ...(await hostParts(host, clusterName)),
    ...(await logParts(host, clusterName)),
  ];
}

function about({ world, files }: Host, clusterName: string): Readonly<Record<string, string>> {
  return {
    cluster: clusterName,
    madeAt: new Date(world.clock.wallMs()).toISOString(),
    host: hostname(),
    kernel: release(),
    node: process.version,
    root: files.root,
  };
}

async function clusterParts(host: Host, clusterName: string): Promise<ReportPart[]> {
  try {
    const { admin, status, close } = await openAdmin(host, clusterName, { timeoutMs: REACH_MS });
    try {
      const asked: readonly (readonly [string, (admin: Admin) => Promise<unknown>])[] = [
        ["events", (from) => from.getEvents({ after: 0, limit: EVENTS_MAX })],
        ["config", (from) => from.getConfig()],
        ["scrub", (from) => from.scrubStatus()],
        ["repair", (from) => from.previewRepairs()],
        ["recovery", (from) => from.recovery()],
      ];
      const parts = asked.map(async ([name, ask]) =>
        part(`cluster/${name}.json`, async () => json(await ask(admin))),
      );
      return [{ name: "cluster/status.json", bytes: json(status) }, ...(await Promise.all(parts))];
    } finally {
      await close();
    }
  } catch (error) {
    return [{ name: "cluster/unreachable.txt", bytes: `${failureOf(error)?.detail ?? String(error)}\n` }];
  }
}

async function hostParts(host: Host, clusterName: string): Promise<ReportPart[]> {
  const { files } = host;
  const run = promisify(execFile);
  return await Promise.all([
    part(
      "host/doctor.txt",
      async () => `${findingLines(await hostFindings(host, clusterName)).join("\n")}\n`,
    ),
    part("host/services.json", async () =>
      json([...(await localServices(files, "mds")), ...(await localServices(files, "cs"))]),
    ),
    part("host/bs.list", () => readFile(files.bootstrapFile(clusterName))),
    ...SETTINGS.map((name) => part(`host/${name}`, () => readFile(files.path("etc/pstorage", name)))),
    ...COMMANDS.map(([program = "", ...args]) =>
      part(
        `host/${program}.txt`,
        async () => (await run(program, args, { timeout: COMMAND_MS, maxBuffer: 64 << 20 })).stdout,
      ),
    ),
  ]);
}

async function logParts({ files }: Host, clusterName: string): Promise<ReportPart[]> {
  const services = [...(await localServices(files, "mds")), ...(await localServices(files, "cs"))];
  const ours = services.filter((service) => service.clusterName === clusterName);
  const parts = ours.flatMap(({ kind, id, directory }) =>
    ["log", "fatal-log"].map((name) =>
      part(`logs/${kind}-${id}/${name}`, () => endOf(join(directory, "logs", name))),
    ),
  );
  const mountLogs = files.path("var/log/pstorage", clusterName);
  for (const name of await readdir(mountLogs).catch(() => []))
    parts.push(part(`logs/mount/${name}`, () => endOf(join(mountLogs, name))));
  return await Promise.all(parts);
}

/** What `read` gives, or a line that says why not. */
async function part(name: string, read: () => Promise<Uint8Array | string>): Promise<ReportPart> {
  try {
    return { name, bytes: await read() };
  } catch (error) {
    const why = failureOf(error)?.detail ?? (error instanceof Error ? error.message : String(error));
    return { name: `${name}.missing`, bytes: `${why}\n` };
  }
}

async function endOf(path: string): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const begin = Math.max(0, size - LOG_BYTES_MAX);
    const bytes = Buffer.alloc(size - begin);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, begin);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
