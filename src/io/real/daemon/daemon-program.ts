import { execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { join, resolve } from "node:path";
import { Command } from "commander";
import { storageError } from "../../../base/index.js";

/** What every daemon of a repository is told, as those of the original are. */
export interface DaemonFlags {
  readonly repository: string;
  readonly log?: string;
  readonly logLevel?: string;
  readonly verbose?: true;
  readonly metrics?: string;
  readonly authentication?: string;
  readonly daemonise?: true;
  readonly user?: string;
}

const LEVELS = ["debug", "info", "warn", "error"] as const;

/** Beside what all daemons are told. */
export interface MdsdFlags extends DaemonFlags {
  readonly dashboard?: string;
}

/** The command line of `mdsd`, ready to parse. */
export function mdsdProgram(): Command {
  return daemonProgram("mdsd", "Serves one repository of a metadata server.").option(
    "--dashboard <[addr:]port>",
    "serve the dashboard there, or nowhere with off (default: 2512 of this machine itself, if the server has the usual port)",
  );
}

/** The command line of `csd`, ready to parse. */
export function csdProgram(): Command {
  return daemonProgram("csd", "Serves one repository of a chunk server.");
}

function daemonProgram(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .requiredOption("-r, --repository <dir>", "the repository directory")
    .option("-l, --log <file>", "log file (default: DIR/logs/log)")
    .option("-d, --log-level <level>", `${LEVELS.join(", ")} (default: info)`)
    .option("-v, --verbose", "the same as -d debug")
    .option("-D, --daemonise", "go to the background; returns when the daemon serves")
    .option(
      "-u, --user <name>",
      "run as that user, who owns the repository and may read the host's credential",
    )
    .option("-a, --authentication <proto>", "ssl, which is what there is")
    .option("--metrics <[addr:]port>", "serve /metrics for Prometheus there (default: not at all)");
}

/** Throws `invalid` for a level that there is not. */
export function logLevelOf({ logLevel, verbose }: DaemonFlags): (typeof LEVELS)[number] {
  if (logLevel === undefined) return verbose === true ? "debug" : "info";
  const level = LEVELS.find((name) => name === logLevel);
  if (level === undefined) throw storageError("invalid", `log level is one of ${LEVELS.join(", ")}`);
  return level;
}

/** Says to the process in the background that it is there. */
const MARK = "PSTORAGE_IN_BACKGROUND";

/** The process that was started, as it was started. */
export interface OwnProcess {
  readonly execPath: string;
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** How long it may take until it serves: one of many replicas reads its records first, on a disk that may be slow. */
const START_TIMEOUT_MS = 300_000;

/**
 * Does what `-a`, `-D` and `-u` ask for. True if this process has nothing more to do, for the daemon serves in the background; if it does
 * not come to that this fails, and what it said is in `logs/fatal-log` of the repository.
 */
export async function becomeDaemon(flags: DaemonFlags, own: OwnProcess): Promise<boolean> {
  const { authentication, daemonise, user, repository } = flags;
  if (authentication !== undefined && authentication !== "ssl")
    throw storageError(
      "invalid",
      `authentication by ${authentication} is not known: leave -a away, or say ssl`,
    );
  logLevelOf(flags);
  // The process in the background was started as that user, who owns what is written from here on.
  if (own.env[MARK] !== undefined) return false;
  if (user !== undefined) becomeUser(user);
  if (daemonise === true) await goToBackground(resolve(repository), own);
  return daemonise === true;
}

function goToBackground(repository: string, { execPath, argv, env }: OwnProcess): Promise<void> {
  const logs = join(repository, "logs");
  if (!existsSync(repository)) throw storageError("not_found", `there is no repository at ${repository}`);
  mkdirSync(logs, { recursive: true });
  const fatal = openSync(join(logs, "fatal-log"), "a");
  const child = spawn(execPath, argv.slice(1), {
    detached: true,
    env: { ...env, [MARK]: "1" },
    stdio: ["ignore", fatal, fatal, "ipc"],
  });
  closeSync(fatal);
  return new Promise((done, failed) => {
    const giveUp = (): void =>
      failed(storageError("unavailable", `the daemon did not start; see ${join(logs, "fatal-log")}`));
    const timer = setTimeout(() => {
      child.kill("SIGTERM");
      giveUp();
    }, START_TIMEOUT_MS);
    child.once("message", () => {
      clearTimeout(timer);
      done();
    });
    child.once("error", failed);
    child.once("exit", () => {
      clearTimeout(timer);
      giveUp();
    });
  });
}

/** With the groups that the user has; from here on for good. */
function becomeUser(user: string): void {
  try {
    const said = execFileSync("id", ["-G", user], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const groups = said.trim().split(" ").map(Number);
    process.setgroups?.(groups);
    process.setgid?.(groups[0] ?? 0);
    process.setuid?.(user);
  } catch (error) {
    throw storageError(
      "invalid",
      `this process cannot become user ${user}: is there one, and are you root?`,
      error,
    );
  }
}
