import { rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { dirname, resolve } from "node:path";
import { failureOf, storageError } from "../base/index.js";
import { machineSearch, type Search } from "../discovery/index.js";
import { type RealWorld, realWorld } from "../io/real/index.js";
import { hostAndPort } from "./address.js";
import { HostFiles } from "./host-files.js";

/** The machine that a command runs on, seen through one `PSTORAGE_ROOT`. */
export interface Host {
  readonly files: HostFiles;
  readonly world: RealWorld;
  /** Where metadata servers are looked for that no list names. */
  readonly search: Search;
}

/** This machine through that `PSTORAGE_ROOT`. */
export function machineHost(root: string): Host {
  const search = machineSearch(process.env["PSTORAGE_DISCOVERY"]);
  return { files: new HostFiles(root), world: realWorld(), search };
}

/** Fails unless a daemon could listen there now: the address is one of this machine's and both ports are free. */
export async function requireFreePorts(mdsAddress: string): Promise<void> {
  const { host, port } = hostAndPort(mdsAddress);
  for (const wanted of [port, port + 1]) await requireFreePort(host, wanted);
}

export async function requireFreePort(host: string, port: number): Promise<void> {
  const error = await listenOnce(host, port);
  if (error === undefined) return;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `port ${port} of ${host} is in use; choose another one with -a IP:PORT`,
    EADDRNOTAVAIL: `${host} is no address of this machine`,
    EACCES: `port ${port} needs privileges this user does not have`,
  };
  throw storageError("invalid", reasons[error] ?? `cannot listen on port ${port} of ${host}: ${error}`);
}

/** Tries to listen; the error's name, or undefined if it worked. */
export function listenOnce(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolvePromise) => {
    const server: Server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolvePromise(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolvePromise(undefined)));
  });
}

/** The directory of a repository as it is remembered: absolute, without a slash at the end. */
export function repositoryDirectory(text: string): string {
  const directory = resolve(text);
  if (directory === "/")
    throw storageError("invalid", "the root directory is no place for a repository; choose another with -r");
  return directory;
}

/**
 * Removes a repository that was not finished. A directory that was there before, say the mount point of a disk,
 * stays.
 */
export async function removeRepository(
  directory: string,
  existedBefore: boolean,
  names: readonly string[],
): Promise<void> {
  const paths = existedBefore ? names.map((name) => `${directory}/${name}`) : [directory];
  for (const path of paths) await rm(path, { recursive: true, force: true });
}

/** Whether the directory is there, and that its parent may be looked at. */
export async function directoryExists({ world }: Host, directory: string): Promise<boolean> {
  try {
    await world.disk.list(directory, "cli.repository.list");
    return true;
  } catch (error) {
    if (failureOf(error)?.code === "not_found") return false;
    throw storageError(
      "invalid",
      `${directory} cannot be used: ${failureOf(error)?.detail ?? dirname(directory)}; choose another directory`,
      error,
    );
  }
}
