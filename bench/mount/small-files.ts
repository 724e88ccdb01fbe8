import { closeSync, lstatSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Prng } from "../../src/base/index.js";
import { output } from "./fio-jobs.js";

const FILE_BYTES = 1024;
const IN_DIRECTORY = 500;
const TREE_FILES = 3000;
const TREE_DIRECTORIES = 300;

/** Seconds, in the order in which they are measured. */
export type SmallFileTimes = Readonly<Record<(typeof SMALL_FILE_STEPS)[number], number>>;

export const SMALL_FILE_STEPS = [
  "create",
  "stat",
  "ls -lR",
  "read",
  "rm -rf",
  "untar",
  "rm -rf of it",
] as const;

/**
 * Files of 1 KiB as programs make and use them, one after the other, from one thread; then a source tree out of a tar
 * file. `makeCold` empties the client's caches, before `stat` and before `read`.
 */
export async function runSmallFiles(
  directory: string,
  count: number,
  tarFile: string,
  makeCold: () => Promise<void>,
  signal: AbortSignal,
): Promise<SmallFileTimes> {
  const root = join(directory, "small");
  const paths = Array.from({ length: count }, (_, i) =>
    join(root, `d${Math.floor(i / IN_DIRECTORY)}`, `f${i}`),
  );
  const data = Buffer.alloc(FILE_BYTES, "small files ");
  rmSync(root, { recursive: true, force: true });
  const create = await timed(() => {
    for (const path of new Set(paths.map(dirname))) mkdirSync(path, { recursive: true });
    for (const path of paths) makeFile(path, data);
  });
  await makeCold();
  const stat = await timed(() => {
    for (const path of paths) if (lstatSync(path).size !== FILE_BYTES) throw new Error(`${path}: wrong size`);
  });
  const list = await timed(() => output("ls", ["-lR", root], signal));
  await makeCold();
  const read = await timed(() => {
    for (const path of paths) if (!readFile(path).equals(data)) throw new Error(`${path}: wrong bytes`);
  });
  const remove = await timed(() => output("rm", ["-rf", root], signal));
  const untar = await timed(() => output("tar", ["xf", tarFile, "-C", directory, "--no-same-owner"], signal));
  const removeTree = await timed(() => output("rm", ["-rf", join(directory, "tree")], signal));
  return { create, stat, "ls -lR": list, read, "rm -rf": remove, untar, "rm -rf of it": removeTree };
}

/** A tar file of a tree like that of a program's source: the same on every machine. */
export async function makeTree(directory: string, tarFile: string, signal: AbortSignal): Promise<void> {
  const prng = new Prng(20_240_607);
  const folders = ["tree"];
  while (folders.length < TREE_DIRECTORIES) {
    const parent = folders[prng.below(folders.length)] ?? "tree";
    if (parent.split("/").length < 8) folders.push(`${parent}/d${folders.length}`);
  }
  for (const folder of folders) await mkdir(join(directory, folder), { recursive: true });
  for (let i = 0; i < TREE_FILES; i++) {
    // Log-normal by the sum of many: a median of 4 KiB, most between 1 and 20.
    const gauss = Array.from({ length: 12 }, () => prng.below(1 << 20) / 2 ** 20).reduce((a, b) => a + b, -6);
    const size = Math.max(1, Math.min(256 << 10, Math.floor(4096 * Math.exp(1.3 * gauss))));
    const text = `line ${i} of text that compresses a little\n`.repeat(Math.ceil(size / 40)).slice(0, size);
    await writeFile(join(directory, folders[prng.below(folders.length)] ?? "tree", `f${i}.c`), text);
  }
  await output("tar", ["cf", tarFile, "-C", directory, "tree"], signal);
  await rm(join(directory, "tree"), { recursive: true });
}

function makeFile(path: string, data: Buffer): void {
  const file = openSync(path, "wx");
  if (writeSync(file, data) !== data.length) throw new Error(`${path}: short write`);
  closeSync(file);
}

function readFile(path: string): Buffer {
  const bytes = Buffer.alloc(2 * FILE_BYTES);
  const file = openSync(path, "r");
  const length = readSync(file, bytes);
  closeSync(file);
  return bytes.subarray(0, length);
}

async function timed(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}
