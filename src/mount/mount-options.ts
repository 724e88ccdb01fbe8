import { storageError } from "../base/index.js";

/** What `-o` asked for. */
export interface MountOptions {
  /** For mount(8): flags of the mount and options of the kernel's FUSE. */
  readonly kernel: readonly string[];
  readonly isReadOnly: boolean;
  readonly noatime: boolean;
  /** Access control lists are kept, and decide. */
  readonly hasAcls: boolean;
  /** Every change is to be carried out when it is answered. */
  readonly isSynchronous: boolean;
  /** Shown in /proc/mounts in place of `pstorage://CLUSTER`. */
  readonly sourceName: string | undefined;
  /** File of the read cache, as with -C. */
  readonly cacheFile: string | undefined;
  /** Its size in megabytes, as with -R. */
  readonly cacheMegabytes: number | undefined;
  /** As -u, -g, -m, -l, for lines of fstab. */
  readonly user: string | undefined;
  readonly group: string | undefined;
  readonly mode: string | undefined;
  readonly log: string | undefined;
  /** Where to serve metrics, `[ADDR:]PORT`. */
  readonly metrics: string | undefined;
}

/** Flags that mount(8) understands, for every file system. */
const FLAGS = new Set([
  ...["ro", "rw", "suid", "nosuid", "dev", "nodev", "exec", "noexec"],
  ...["atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime", "strictatime", "nostrictatime"],
  ...["lazytime", "nolazytime", "sync", "async", "dirsync", "mand", "nomand", "silent", "loud"],
]);

/** Of ours, as of other file systems. */
const OWN_FLAGS = new Set(["acl", "noacl"]);

/** Labels of SELinux, which mount(8) takes out where there is no SELinux. Their values may be quoted, and hold commas then. */
const LABELS = new Set(["context", "fscontext", "defcontext", "rootcontext"]);

/** The kernel's own, in /proc/mounts. */
const SHOWN = new Set(["user_id", "group_id", "max_read", "blksize"]);

/** For whoever reads fstab; nothing to us. */
const IGNORED = new Set([
  ...["defaults", "auto", "noauto", "user", "nouser", "users", "owner", "group", "_netdev", "nofail"],
]);

/** Decided already: the kernel checks permissions, and who may mount shares with all. */
const ALWAYS = new Set(["allow_other", "default_permissions"]);

const VALUED = ["fsname", "cache", "cachesize", "uid", "gid", "mode", "log", "metrics"] as const;
type Valued = (typeof VALUED)[number];

/**
 * Reads the values of -o, later ones over earlier ones. Throws `invalid` for what is not known: an option that is silently
 * ignored is one that somebody relies on.
 */
export function parseMountOptions(texts: readonly string[]): MountOptions {
  const kernel = new Map<string, true>();
  const values = new Map<Valued, string>();
  let hasAcls = true;
  for (const option of texts.flatMap(splitOptions)) {
    const [name, value] = splitOnce(option);
    if (name.startsWith("x-") || name === "comment") continue;
    if (IGNORED.has(option) || ALWAYS.has(option)) continue;
    if (FLAGS.has(option)) {
      kernel.delete(option);
      kernel.set(option, true);
    } else if (LABELS.has(name) && value !== undefined) {
      kernel.set(option, true);
    } else if (OWN_FLAGS.has(option)) {
      hasAcls = option === "acl";
    } else if (isValued(name)) {
      if (value === undefined || value === "") throw invalid(`the option ${name} needs a value`);
      values.set(name, value);
    } else throw invalid(`the option "${option}" is not known`);
  }
  const flags = [...kernel.keys()];
  return {
    kernel: [...flags, ...ALWAYS],
    isReadOnly: flags.findLast((flag) => flag === "ro" || flag === "rw") === "ro",
    noatime: flags.findLast((flag) => /atime$/.test(flag) && !/diratime$|lazytime$/.test(flag)) === "noatime",
    hasAcls,
    isSynchronous:
      flags.includes("dirsync") || flags.findLast((flag) => flag === "sync" || flag === "async") === "sync",
    sourceName: values.get("fsname"),
    cacheFile: values.get("cache"),
    cacheMegabytes: parseMegabytes(values.get("cachesize")),
    user: values.get("uid"),
    group: values.get("gid"),
    mode: values.get("mode"),
    log: values.get("log"),
    metrics: values.get("metrics"),
  };
}

/** Throws `invalid` unless it is a number of megabytes, from 1 up. */
export function parseMegabytes(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw invalid(`the size of the read cache is a number of megabytes, not "${text}"`);
}

/** Permission bits in octal, 1 to 4 digits. */
export function parseMode(text: string): number {
  if (/^0?[0-7]{1,4}$/.test(text)) return Number.parseInt(text, 8);
  throw invalid(`the mode is octal digits like 0770, not "${text}"`);
}

function isValued(name: string): name is Valued {
  return VALUED.some((known) => known === name);
}

/**
 * The flags that `mount -o remount,...` is to set; undefined if it is no remount. What a mount was told besides, mount(8) repeats
 * from fstab and /proc/mounts: it stays as it is. Throws `invalid` for what is not known.
 */
export function parseRemount(texts: readonly string[]): string[] | undefined {
  const options = texts.flatMap(splitOptions);
  if (!options.includes("remount")) return undefined;
  const told = options.filter((option) => option !== "remount" && !SHOWN.has(splitOnce(option)[0]));
  return parseMountOptions(told).kernel.filter((option) => FLAGS.has(option));
}

/** At commas, but for those after a backslash and between quotes. */
function splitOptions(text: string): string[] {
  const parts = text.match(/(?:\\.|"[^"]*"|[^,\\])+/g) ?? [];
  return parts.map((part) => part.replace(/\\(.)/g, "$1").trim()).filter((part) => part !== "");
}

function splitOnce(option: string): [string, string | undefined] {
  const at = option.indexOf("=");
  return at < 0 ? [option, undefined] : [option.slice(0, at), option.slice(at + 1)];
}

const invalid = (detail: string): Error => storageError("invalid", detail);
