import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { type HostFiles, writeText } from "../host-files.js";
import { installedPath } from "../installation.js";
import { localServices } from "../service-control.js";
import { type MountWish, mountFile, targetName, type UnitFile, unitFiles } from "./unit-files.js";

/** Where an administrator's units are, below `PSTORAGE_ROOT`. */
export const UNIT_DIRECTORY = "etc/systemd/system";
/** Services of repositories that are not there any more are known by their name. */
const OURS = /^pstorage-(mds|cs)d\.[A-Za-z0-9_-]+\.\d+\.service$/;

export interface Installed {
  readonly directory: string;
  /** Those that were not there, or said something else. */
  readonly written: readonly string[];
  readonly removed: readonly string[];
  /** All that are there now. */
  readonly units: readonly string[];
}

/** Writes the units of this host's repositories, and removes those of repositories that are gone. Safe to repeat. */
export async function installUnits(
  files: HostFiles,
  directory: string,
  mount?: MountWish | undefined,
): Promise<Installed> {
  const services = [...(await localServices(files, "mds")), ...(await localServices(files, "cs"))];
  const binDirectory = installedPath("bin");
  const programs = { node: process.execPath, binDirectory, root: files.root };
  const wanted: UnitFile[] = [...unitFiles(services, programs), ...(mount ? [mountFile(mount)] : [])];
  await mkdir(directory, { recursive: true });
  const written: string[] = [];
  for (const { name, text } of wanted) {
    const path = join(directory, name);
    if ((await readFile(path, "utf8").catch(() => undefined)) === text) continue;
    await writeText(path, text);
    written.push(name);
  }
  const names = new Set(wanted.map(({ name }) => name));
  const removed = (await readdir(directory)).filter((name) => OURS.test(name) && !names.has(name));
  for (const name of removed) await rm(join(directory, name));
  return { directory, written, removed, units: [...names] };
}

/** After a repository was made or retired: the units follow, where they were installed. */
export async function refreshUnits(files: HostFiles): Promise<void> {
  const directory = files.path(UNIT_DIRECTORY);
  if (!existsSync(join(directory, targetName("mds")))) return;
  const { units } = await installUnits(files, directory);
  if (files.root === "/" && isSystemdRunning()) await activateUnits(units);
}

/** systemd is what started this machine: sd_booted(3). */
export function isSystemdRunning(): boolean {
  return existsSync("/run/systemd/system");
}

/** Has systemd read the units, and start them at boot. Nothing is started now. */
export async function activateUnits(units: readonly string[]): Promise<void> {
  const run = promisify(execFile);
  await run("systemctl", ["daemon-reload"]);
  await run("systemctl", ["enable", ...units]);
}

/** The directory that units are in if nothing else is said. */
export function defaultUnitDirectory(files: HostFiles): string {
  return dirname(files.path(UNIT_DIRECTORY, "x"));
}
