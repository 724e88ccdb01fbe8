import { lstat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { failureOf, storageError } from "../../base/index.js";
import type { FileSystem } from "../../client/index.js";
import { isDirectory } from "../../meta/index.js";

/** `SOURCE... TARGET`, as the arguments of cp and mv. */
export interface SourcesAndTarget {
  readonly sources: readonly string[];
  readonly target: string;
}

export function sourcesAndTarget(paths: readonly string[]): SourcesAndTarget {
  const sources = paths.slice(0, -1);
  const target = paths.at(-1);
  if (target === undefined || sources.length === 0)
    throw storageError("invalid", "give SOURCE... and TARGET");
  return { sources, target };
}

/** What decides whether things go into the target or become it. */
interface Shape {
  readonly sourceCount: number;
  /** The copy of a tree becomes the target even if that is there, so that repeating it gives the same result. */
  readonly isTree: boolean;
}

/** The path in the cluster that a source of that name gets: the target itself, or a name in it. */
export async function clusterTarget(
  fs: FileSystem,
  source: string,
  target: string,
  shape: Shape,
): Promise<string> {
  const isInto =
    shape.sourceCount > 1 || namesDirectory(target) || (!shape.isTree && (await isFolder(fs, target)));
  return isInto ? `${target.replace(/\/+$/, "")}/${nameOf(source)}` : target;
}

/** The same on this machine. */
export async function localTarget(source: string, target: string, shape: Shape): Promise<string> {
  const isInto =
    shape.sourceCount > 1 || namesDirectory(target) || (!shape.isTree && (await isLocalFolder(target)));
  return isInto ? join(target, nameOf(source)) : target;
}

/** The last component; of a local `.` or `..` that of the directory it stands for. */
function nameOf(source: string): string {
  const name = basename(resolve("/", source) === "/" ? source : resolve(source));
  if (name !== "") return name;
  throw storageError("invalid", `${source} has no name; write the name of the copy after the target`);
}

function namesDirectory(target: string): boolean {
  return /(^|\/)\.{0,2}$/.test(target);
}

async function isFolder(fs: FileSystem, path: string): Promise<boolean> {
  try {
    return isDirectory((await fs.stat(path)).mode);
  } catch (error) {
    if (failureOf(error)?.code === "not_found") return false;
    throw error;
  }
}

async function isLocalFolder(path: string): Promise<boolean> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return found?.isDirectory() === true;
}
