/** One line of /proc/mounts. */
export interface MountedEntry {
  readonly source: string;
  readonly directory: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** The file system types of mounts of this product, under both its names. */
export const MOUNT_TYPES: readonly string[] = ["fuse.pstorage", "fuse.vstorage"];

/** Lines of /proc/mounts; later ones lie over earlier ones. */
export function parseMountTable(text: string): MountedEntry[] {
  const entries: MountedEntry[] = [];
  for (const line of text.split("\n")) {
    const [source, directory, type, options] = line.split(" ");
    if (source === undefined || directory === undefined || type === undefined) continue;
    entries.push({
      source: unescaped(source),
      directory: unescaped(directory),
      type,
      options: (options ?? "").split(","),
    });
  }
  return entries;
}

/** The uppermost mount at exactly that directory. */
export function mountAt(entries: readonly MountedEntry[], directory: string): MountedEntry | undefined {
  return entries.findLast((entry) => entry.directory === directory);
}

/** `MAJOR:MINOR` of the uppermost mount at that directory, out of /proc/self/mountinfo. */
export function deviceAt(mountinfo: string, directory: string): string | undefined {
  const lines = mountinfo.split("\n").map((line) => line.split(" "));
  return lines.findLast((fields) => unescaped(fields[4] ?? "") === directory)?.[2];
}

/** The mount that an absolute path lies on. */
export function mountOf(entries: readonly MountedEntry[], path: string): MountedEntry | undefined {
  let found: MountedEntry | undefined;
  for (const entry of entries) {
    const prefix = entry.directory === "/" ? "/" : `${entry.directory}/`;
    if (path !== entry.directory && !path.startsWith(prefix)) continue;
    if (found === undefined || entry.directory.length >= found.directory.length) found = entry;
  }
  return found;
}

/** The cluster in the source of a mount, `pstorage://NAME` or `vstorage://NAME`. */
export function clusterOfSource(source: string): string | undefined {
  return /^[pv]storage:\/\/([A-Za-z0-9_-]{1,63})\/?$/.exec(source)?.[1];
}

/** The kernel writes space, tab, newline, backslash and # in octal. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
