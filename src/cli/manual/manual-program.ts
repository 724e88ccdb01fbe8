import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { csdProgram, mdsdProgram } from "../../io/real/daemon/index.js";
import { flushCommand } from "../flush-check/flush-program.js";
import { machineHost } from "../host.js";
import { Invocation } from "../invocation.js";
import { mountCommand, mountHelperCommand } from "../mount/mount-program.js";
import { makeProgram } from "../program.js";
import { reportCommand } from "../report/report-program.js";
import { serviceCommand } from "../service-program.js";
import { processTerminal } from "../terminal.js";
import { completionScript } from "./completion.js";
import { HOST_ENVIRONMENT, type ManPage, manPage } from "./man-page.js";

const CLUSTER = "/etc/pstorage/clusters/NAME";
const FILES: readonly (readonly [string, string])[] = [
  [`${CLUSTER}/bs.list`, "Addresses of metadata servers, one IP[:PORT] a line."],
  [`${CLUSTER}/auth_digest.key`, "The credential of this host. Secret."],
  ["/etc/pstorage/host_id, /etc/pstorage/location", "Who this host is, and where it stands (ROOM.ROW.RACK)."],
  ["/etc/pstorage/mds.config, /etc/pstorage/cs.config", "The repositories of this host."],
];

/** Of a daemon, below its repository. */
const DAEMON_FILES: readonly (readonly [string, string])[] = [
  ["DIR/logs/log", "What the daemon says, where -l names no other file."],
  ["DIR/logs/fatal-log", "Why a daemon in the background ended."],
];
const SIGNALS: readonly (readonly [string, string])[] = [
  ["SIGTERM, SIGINT", "Stop in order, with exit status 0."],
  ["SIGHUP", "Open the log file anew, for logrotate(8)."],
];

/** A page for every program. */
export function manPages(): ManPage[] {
  const others = ["pstorage", "pstorage\\-mount", "pstorage\\-mdsd", "pstorage\\-csd", "mdsd", "csd"].map(
    (name) => `${name} (8)`,
  );
  const page = (one: ManPage): ManPage => ({
    ...one,
    seeAlso: others.filter((other) => !other.startsWith(`${one.command.name().replaceAll("-", "\\-")} `)),
  });
  return [
    page({
      command: makeProgram(new Invocation(machineHost("/"), processTerminal())),
      section: 8,
      aliases: ["vstorage"],
      files: FILES,
    }),
    page({
      command: mountCommand("pstorage-mount"),
      section: 8,
      aliases: ["vstorage-mount"],
      examples: ["pstorage-mount -c stor1 /mnt/stor1"],
      files: FILES,
    }),
    page({
      command: mountHelperCommand("mount.fuse.pstorage"),
      section: 8,
      aliases: ["mount.fuse.vstorage"],
      examples: ["mount -t fuse.pstorage pstorage://stor1 /mnt/stor1 -o noatime"],
      environment: HOST_ENVIRONMENT,
      files: FILES,
      failure: "32 if the mount failed, as mount(8) wants it",
    }),
    ...(["mds", "cs"] as const).map((kind) =>
      page({
        command: serviceCommand(kind),
        section: 8,
        aliases: [`vstorage-${kind}d`],
        examples: [`pstorage-${kind}d start`, `pstorage-${kind}d status stor1`],
        files: FILES.slice(3),
      }),
    ),
    page({
      command: mdsdProgram(),
      section: 8,
      signals: SIGNALS,
      environment: HOST_ENVIRONMENT,
      examples: [
        "mdsd -r /pstorage/stor1-mds -D",
        "mdsd -r /pstorage/stor1-mds --dashboard 10.37.130.1:2512",
      ],
      files: [...FILES.slice(1, 2), ...DAEMON_FILES],
    }),
    page({
      command: csdProgram(),
      section: 8,
      signals: SIGNALS,
      environment: [
        ...HOST_ENVIRONMENT,
        ["PSTORAGE_ENCRYPT", "1: file data that this server sends and takes are encrypted, not only sealed."],
      ],
      examples: ["csd -r /pstorage/stor1-cs -D", "csd -r /pstorage/stor1-cs -u pstorage --metrics 9111"],
      files: [...FILES.slice(0, 3), ...DAEMON_FILES],
    }),
    page({
      command: reportCommand("pstorage-make-report"),
      section: 8,
      aliases: ["vstorage-make-report"],
      examples: ["pstorage-make-report -f /tmp/report.tgz stor1"],
    }),
    page({
      command: flushCommand("pstorage-hwflush-check"),
      section: 8,
      aliases: ["vstorage-hwflush-check"],
      examples: ["pstorage-hwflush-check -l", "pstorage-hwflush-check -s 10.37.130.9 -d /disks/sdb -t 100"],
    }),
  ];
}

/** Where shells look for completions, below `/`, and what they find there. */
export function completionScripts(): { readonly path: string; readonly text: string }[] {
  const program = makeProgram(new Invocation(machineHost("/"), processTerminal()));
  const [bash, zsh] = [completionScript(program, "bash"), completionScript(program, "zsh")];
  return [
    { path: "usr/share/bash-completion/completions/pstorage", text: bash },
    { path: "usr/share/bash-completion/completions/vstorage", text: bash },
    { path: "usr/share/zsh/vendor-completions/_pstorage", text: zsh },
  ];
}

/** Writes `NAME.8` of every program, and one that refers to it for each other name. */
export function writeManPages(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const page of manPages()) {
    const { section, aliases = [] } = page;
    const name = page.command.name();
    writeFileSync(join(directory, `${name}.${section}`), manPage(page));
    for (const alias of aliases)
      writeFileSync(join(directory, `${alias}.${section}`), `.so man${section}/${name}.${section}\n`);
  }
}
