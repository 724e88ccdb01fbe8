import { basename } from "node:path";
import { Command, CommanderError } from "commander";
import { storageError } from "../../base/index.js";
import { clusterOfSource, parseRemount, remount } from "../../mount/index.js";
import { errorLine } from "../error-line.js";
import { machineHost } from "../host.js";
import { runMount, startMount } from "./mount-daemon.js";
import { type MountWish, planMount } from "./mount-plan.js";

/** What mount(8) wants of its helpers for a mount that failed. */
const HELPER_FAILED = 32;

interface Flags {
  readonly cluster?: string;
  readonly bootstrap?: string;
  readonly user?: string;
  readonly group?: string;
  readonly mode?: string;
  readonly log?: string;
  readonly cache?: string;
  readonly cacheSize?: string;
  readonly verbose?: boolean;
  readonly foreground?: boolean;
  readonly options: readonly string[];
}

/** `pstorage-mount` and `vstorage-mount`; `mount.fuse.pstorage` and `mount.fuse.vstorage`, which mount(8) calls. */
export async function runMountProgram(): Promise<void> {
  const name = basename(process.argv[1] ?? "").replace(/\.js$/, "");
  const isHelper = name.startsWith("mount.");
  const shownName = isHelper || name.startsWith("vstorage") ? name : "pstorage-mount";
  try {
    process.exitCode = isHelper ? await runHelper(name) : await runCommand(shownName);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return;
    process.stderr.write(`${shownName}: ${errorLine(error)}\n`);
    process.exitCode = isHelper ? HELPER_FAILED : 1;
  }
}

/** The command line of `pstorage-mount`, ready to parse. Options may stand before or after the mount point. */
export function mountCommand(name: string): Command {
  return new Command(name)
    .description("Mounts a cluster as a file system; umount(8) unmounts it.")
    .argument("<dir>", "the mount point")
    .option("-c, --cluster <name>", "name of the cluster (default: PSTORAGE_NAME)")
    .option("-b, --bootstrap <addresses>", "IP[:PORT] of metadata servers, separated by commas")
    .option("-u, --user <user>", "owner of the root directory, as shown")
    .option("-g, --group <group>", "group of the root directory, as shown")
    .option("-m, --mode <mode>", "permissions of the root directory, as shown, in octal")
    .option("-l, --log <file>", "log file; compressed if it ends in .gz")
    .option("-C, --cache <file>", "file of the read cache, on an SSD")
    .option("-R, --cache-size <megabytes>", "size of the read cache")
    .option("-v, --verbose", "log more")
    .option("-f, --foreground", "do not become a daemon")
    .option("-o, --options <options>", "options of mount(8), separated by commas", collect, [])
    .helpOption("-h, --help", "show help")
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
}

async function runCommand(name: string): Promise<number> {
  const program = mountCommand(name).parse();
  const flags = program.opts<Flags>();
  const clusterName = flags.cluster ?? process.env["PSTORAGE_NAME"];
  if (clusterName === undefined || clusterName === "") {
    throw storageError("invalid", "which cluster? give -c NAME, or set PSTORAGE_NAME");
  }
  return mount({
    clusterName,
    directory: program.args[0] ?? "",
    brand: name.startsWith("vstorage") ? "vstorage" : "pstorage",
    options: flags.options,
    bootstrap: flags.bootstrap,
    user: flags.user,
    group: flags.group,
    mode: flags.mode,
    log: flags.log,
    cacheFile: flags.cache,
    cacheMegabytes: flags.cacheSize,
    isVerbose: flags.verbose === true,
    isForeground: flags.foreground === true,
  });
}

/** The command line that mount(8) gives to its helper, ready to parse: `SPEC DIR [-sfnv] [-o OPTIONS] [-t TYPE]`. */
export function mountHelperCommand(name: string): Command {
  return new Command(name)
    .description("Mounts a cluster for mount(8), which calls it for entries of fstab.")
    .argument("<spec>", "pstorage://CLUSTER or vstorage://CLUSTER")
    .argument("<dir>", "the mount point")
    .option("-o, --options <options>", "options, separated by commas", collect, [])
    .option("-t, --type <type>", "file system type")
    .option("-N, --namespace <namespace>", "mount namespace, entered already")
    .option("-f, --fake", "do everything but mount")
    .option("-n, --no-mtab", "there is no /etc/mtab to be written")
    .option("-s, --sloppy", "tolerate unknown options")
    .option("-v, --verbose", "log more")
    .helpOption("-h, --help", "show help")
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
}

async function runHelper(name: string): Promise<number> {
  const program = mountHelperCommand(name).parse();
  const flags = program.opts<{
    readonly options: readonly string[];
    readonly type?: string;
    readonly fake?: boolean;
    readonly verbose?: boolean;
  }>();
  const [spec = "", directory = ""] = program.args;
  // Without a scheme it is the bare name of the cluster.
  const clusterName = clusterOfSource(spec) ?? spec;
  if (flags.fake === true) return 0;
  const remountFlags = parseRemount(flags.options);
  if (remountFlags !== undefined) {
    await remount(directory, remountFlags);
    return 0;
  }
  return mount({
    clusterName,
    directory,
    brand: (flags.type ?? name).includes("vstorage") ? "vstorage" : "pstorage",
    options: flags.options,
    isVerbose: flags.verbose === true,
    isForeground: false,
  });
}

async function mount(wish: MountWish): Promise<number> {
  const host = machineHost(process.env["PSTORAGE_ROOT"] ?? "/");
  const config = await planMount(host, wish);
  if (wish.isForeground) return runMount(config);
  await startMount(config);
  return 0;
}

const collect = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];
