import { createHash } from "node:crypto";
import { createReadStream, type Dirent } from "node:fs";
import {
  copyFile,
  cp,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Prng } from "../../../src/base/index.js";

/** What something in a tree is, by its path relative to the top. Equal trees have equal maps. */
export type TreeContents = ReadonlyMap<string, string>;

export interface TreeSize {
  readonly fileCount: number;
  readonly totalBytes: number;
}

const CHECKOUT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
const LARGE_BYTES = [1_000_000, 48_000_000] as const;

/**
 * Makes a real tree of at least that size: packages out of node_modules, large files out of /usr/lib, made-up bytes for
 * what the machine lacks, and a few odd things.
 */
export async function makeSourceTree(directory: string, least: TreeSize, prng: Prng): Promise<TreeSize> {
  const found = { fileCount: 0, totalBytes: 0 };
  await mkdir(directory, { recursive: true });
  await addOddThings(directory, prng, found);
  await addPackages(join(directory, "packages"), least, found);
  await addLibraries(join(directory, "libraries"), least, found);
  await addFiller(join(directory, "filler"), least, prng, found);
  return found;
}

/** Every entry of a local tree; of files their SHA-256. */
export async function contentsOf(directory: string): Promise<TreeContents> {
  const contents = new Map<string, string>();
  for (const entry of await entriesUnder(directory)) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(directory, path);
    if (entry.isDirectory()) contents.set(name, "directory");
    else if (entry.isSymbolicLink()) contents.set(name, `link to ${await readlink(path)}`);
    else contents.set(name, await sha256Of(path));
  }
  return contents;
}

type Growing = { fileCount: number; totalBytes: number };

async function addOddThings(directory: string, prng: Prng, found: Growing): Promise<void> {
  const odd = join(directory, "odd");
  await mkdir(join(odd, "a/b/c/d/e/f/g/h"), { recursive: true });
  await mkdir(join(odd, "empty directory"));
  await writeFile(join(odd, "empty"), "");
  await writeFile(join(odd, "a name with spaces, ümläuts and \n a new line"), prng.bytes(4097));
  await writeFile(join(odd, "a/b/c/d/e/f/g/h/one byte"), prng.bytes(1));
  await symlink("../nowhere", join(odd, "dangling"));
  await link(join(odd, "a/b/c/d/e/f/g/h/one byte"), join(odd, "second name"));
  const sparse = await open(join(odd, "sparse"), "w");
  await sparse.write(prng.bytes(10_000), 0, 10_000, 5_000_000);
  await sparse.truncate(20_000_001);
  await sparse.close();
  found.fileCount += 5;
}

async function addPackages(target: string, least: TreeSize, found: Growing): Promise<void> {
  const source = join(CHECKOUT, "node_modules");
  const names = (await readdir(source).catch((): string[] => [])).filter((name) => !name.startsWith("."));
  for (const name of names.sort()) {
    if (found.fileCount >= least.fileCount) return;
    const files = (await entriesUnder(join(source, name))).filter((entry) => entry.isFile());
    await cp(join(source, name), join(target, name), { recursive: true, verbatimSymlinks: true });
    found.fileCount += files.length;
    found.totalBytes += await sizeOf(files);
  }
}

async function addLibraries(target: string, least: TreeSize, found: Growing): Promise<void> {
  await mkdir(target, { recursive: true });
  for (const entry of await entriesUnder("/usr/lib", 2)) {
    if (found.totalBytes >= least.totalBytes) return;
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const { size } = await lstat(path);
    if (size < LARGE_BYTES[0] || size > LARGE_BYTES[1]) continue;
    try {
      await copyFile(path, join(target, `${found.fileCount}-${entry.name}`));
    } catch {
      // Not everybody may read everything there.
      continue;
    }
    found.fileCount++;
    found.totalBytes += size;
  }
}

async function addFiller(target: string, least: TreeSize, prng: Prng, found: Growing): Promise<void> {
  await mkdir(target, { recursive: true });
  const block = prng.bytes(1 << 20);
  while (found.totalBytes < least.totalBytes || found.fileCount < least.fileCount) {
    const missingBytes = least.totalBytes - found.totalBytes;
    const sizeBytes = missingBytes > 0 ? Math.min(missingBytes, 16 << 20) : prng.below(20_000);
    const file = await open(join(target, String(found.fileCount)), "w");
    for (let done = 0; done < sizeBytes; done += block.length) {
      block.set(prng.bytes(16), 0);
      await file.write(block, 0, Math.min(block.length, sizeBytes - done));
    }
    await file.close();
    found.fileCount++;
    found.totalBytes += sizeBytes;
  }
}

async function entriesUnder(directory: string, depth = Number.POSITIVE_INFINITY): Promise<Dirent[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((): Dirent[] => []);
  const all = entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const below = depth <= 1 ? [] : all.filter((entry) => entry.isDirectory());
  const deeper = await Promise.all(
    below.map((entry) => entriesUnder(join(directory, entry.name), depth - 1)),
  );
  return [...all, ...deeper.flat()];
}

async function sizeOf(files: readonly Dirent[]): Promise<number> {
  const sizes = await Promise.all(
    files.map(async (file) => (await lstat(join(file.parentPath, file.name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(part as Buffer);
  return hash.digest("hex");
}
