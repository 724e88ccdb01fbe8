import { storageError } from "../base/index.js";
import type { Disk } from "../io/index.js";
import { hasCode } from "./store/chunk-file.js";
import { writeRunState } from "./store/chunk-store.js";
import { type CsIdentity, encodeIdentity } from "./store/identity.js";
import { StorePaths } from "./store/paths.js";

/**
 * Makes the directory of a new chunk server; `make-cs` does this after the MDS has given it its id. Refuses a directory
 * that is in use.
 */
export async function createCsRepository(disk: Disk, directory: string, identity: CsIdentity): Promise<void> {
  await refuseExistingCs(disk, directory);
  const paths = new StorePaths(directory);
  for (const path of [paths.chunks, paths.replicas, paths.logs])
    await disk.makeDirectory(path, "cs.directory.make");
  await writeRunState(disk, paths, {
    bootId: disk.bootId(),
    incarnation: 0,
    isClean: true,
    epoch: 0,
    runs: [],
  });
  // Last, for it makes the directory a repository.
  await disk.replaceFile(paths.identity, encodeIdentity(identity), "cs.identity.write");
}

/** `createCsRepository` with its arguments in another order. */
export function createRepository(directory: string, identity: CsIdentity, disk: Disk): Promise<void> {
  return createCsRepository(disk, directory, identity);
}

/** Fails with advice unless a repository can be made there. A directory that holds only logs is as good as empty. */
export async function refuseExistingCs(disk: Disk, directory: string): Promise<void> {
  const names = await listIfThere(disk, directory);
  if (names.includes("identity.json")) {
    throw storageError(
      "exists",
      `${directory} already is a repository; choose another directory or remove it`,
    );
  }
  if (names.includes("lost+found")) {
    throw storageError(
      "exists",
      `${directory} holds lost+found; remove that or name a directory below the mount point`,
    );
  }
  if (names.some((name) => name !== "logs")) {
    throw storageError("exists", `${directory} is not empty; choose another directory`);
  }
}

async function listIfThere(disk: Disk, directory: string): Promise<string[]> {
  try {
    return await disk.list(directory, "cs.directory.list");
  } catch (error) {
    if (hasCode(error, "not_found")) return [];
    throw error;
  }
}
