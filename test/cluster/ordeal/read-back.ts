import { createHash } from "node:crypto";
import { fromUtf8 } from "../../../src/base/index.js";
import type { FileSystem } from "../../../src/client/connect.js";
import { isDirectory, isFile } from "../../../src/meta/index.js";
import type { Calls } from "./calls.js";
import type { TreeContents } from "./source-tree.js";

const READERS = 8;
const PIECE_BYTES = 1 << 20;

/** Every entry of a tree in the cluster, read through the library; of files their SHA-256. */
export async function readBack(files: FileSystem, top: string, calls: Calls): Promise<TreeContents> {
  const contents = new Map<string, string>();
  const waiting = [""];
  let busyCount = 0;
  const reader = async (): Promise<void> => {
    while (waiting.length > 0 || busyCount > 0) {
      const path = waiting.pop();
      if (path === undefined) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      busyCount++;
      try {
        await readEntry(path);
      } finally {
        busyCount--;
      }
    }
  };
  const readEntry = async (path: string): Promise<void> => {
    const whole = `${top}/${path}`.replace(/\/$/, "");
    const { mode } = await calls.run(`lstat ${path}`, () => files.lstat(whole));
    if (isDirectory(mode)) {
      if (path !== "") contents.set(path, "directory");
      const names = await calls.run(`readdir ${path}`, () => namesIn(files, whole));
      waiting.push(...names.map((name) => (path === "" ? name : `${path}/${name}`)));
    } else if (isFile(mode)) contents.set(path, await sha256Of(files, whole, calls));
    else contents.set(path, `link to ${fromUtf8(await calls.run("readlink", () => files.readlink(whole)))}`);
  };
  await Promise.all(Array.from({ length: READERS }, reader));
  return contents;
}

/** One line for each path that is not the same; none if the trees are equal. */
export function differences(wanted: TreeContents, found: TreeContents): string[] {
  const paths = new Set([...wanted.keys(), ...found.keys()]);
  return [...paths]
    .filter((path) => wanted.get(path) !== found.get(path))
    .map((path) => `${path}: wanted ${wanted.get(path)}, found ${found.get(path)}`);
}

async function namesIn(files: FileSystem, path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of files.readdir(path)) names.push(fromUtf8(name));
  return names;
}

async function sha256Of(files: FileSystem, path: string, calls: Calls): Promise<string> {
  const hash = createHash("sha256");
  const handle = await calls.run(`open ${path}`, () => files.open(path));
  for (let offset = 0; ; ) {
    const bytes = await calls.run(`read ${path}`, () => handle.read(offset, PIECE_BYTES));
    hash.update(bytes);
    offset += bytes.length;
    if (bytes.length < PIECE_BYTES) break;
  }
  await calls.run(`close ${path}`, () => handle.close());
  return hash.digest("hex");
}
