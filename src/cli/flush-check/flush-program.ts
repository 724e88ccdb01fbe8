import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { Command, CommanderError } from "commander";
import { storageError } from "../../base/index.js";
import { errorLine } from "../error-line.js";
import { runFlushTest } from "./flush-client.js";
import { FlushServer } from "./flush-server.js";

const PORT = "32000";

interface Flags {
  readonly listen?: boolean;
  readonly server?: string;
  readonly dir?: string;
  readonly threads: string;
  readonly port: string;
}

/** The command line of `pstorage-hwflush-check`, ready to parse. */
export function flushCommand(name: string): Command {
  return new Command(name)
    .description(
      "Finds disks that say that data are flushed when they are not. Run the server on another machine, the client on the one with the disk; after some minutes cut the client's power (pull the plug), boot it, and run the same client command again.",
    )
    .option("-l, --listen", "be the server")
    .option("-s, --server <host>", "be a client of that server")
    .option("-d, --dir <dir>", "a directory on the disk to be tested")
    .option("-t, --threads <count>", "how many files are written at once", "32")
    .option("-p, --port <port>", "TCP port of the server", PORT)
    .addHelpText("after", `\nExample:\n  ${name} -l\n  ${name} -s 10.37.130.9 -d /disks/sdb -t 100`)
    .helpOption("-h, --help", "show help")
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
}

/** `pstorage-hwflush-check` and `vstorage-hwflush-check`. Exit status 1 if the disk has lost what it had flushed. */
export async function runFlushProgram(): Promise<void> {
  const name = basename(process.argv[1] ?? "").replace(/\.js$/, "");
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  try {
    const flags = flushCommand(name).parse().opts<Flags>();
    const port = numberIn(flags.port, "-p", 65_535);
    const ended = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => ended.abort());
    if (flags.listen === true && flags.server === undefined) await serve(port, say, ended.signal);
    else if (flags.listen !== true && flags.server !== undefined) await test(flags, port, say, ended.signal);
    else throw storageError("invalid", "say -l to be the server, or -s HOST -d DIR to be a client");
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    process.stderr.write(`${name}: ${errorLine(error)}\n`);
    process.exitCode = 1;
  }
}

async function serve(port: number, say: (line: string) => void, signal: AbortSignal): Promise<void> {
  const server = new FlushServer(say);
  say(`listening on port ${await server.listen(port)}; start the client on the machine with the disk`);
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  server.close();
  process.exit(0);
}

async function test(
  { server = "", dir, threads }: Flags,
  port: number,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  if (dir === undefined) throw storageError("invalid", "which disk? give a directory on it with -d DIR");
  const directory = resolve(dir);
  const isDirectory = await stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isDirectory)
    throw storageError("invalid", `${directory} is no directory; name one on the disk with -d`);
  const threadCount = numberIn(threads, "-t", 1000);
  say(`testing ${directory} with ${threadCount} threads; cut the power when it has run for a while`);
  const outcome = await runFlushTest({ host: server, port, directory, threadCount, signal });
  if (outcome.type === "ended") {
    if (!signal.aborted)
      throw storageError("unavailable", "the server of the flush test is gone; start it again with -l");
    say(`${outcome.flushCount} flushes; the power was not cut`);
    return;
  }
  for (const { thread, flushed, found } of outcome.losses)
    say(`cache error detected! thread ${thread} had flushed ${flushed}, the disk has ${found}`);
  throw storageError(
    "io_error",
    `the disk under ${directory} loses flushed data with its power: turn its write cache off (hdparm -W0), or use another`,
  );
}

function numberIn(text: string, option: string, max: number): number {
  const value = Number(text);
  if (/^\d{1,6}$/.test(text) && value >= 1 && value <= max) return value;
  throw storageError("invalid", `${option} ${text}: give a number from 1 to ${max}`);
}
