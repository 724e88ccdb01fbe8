/**
 * Makes a checkout ready: installs packages if they are missing or older than the lock file, and builds if a
 * source is newer than what was built. Nothing to do costs some milliseconds.
 */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const NODE_MAJOR_MIN = 20;

function newestMs(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.mtimeMs;
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))));
}

function run(what, command, args) {
  process.stderr.write(`${what} ...\n`);
  execFileSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
}

export function install() {
  const marker = join(root, "node_modules/.package-lock.json");
  if (newestMs(marker) >= newestMs(join(root, "package-lock.json"))) return;
  // Not `npm ci`: it refuses a lock file that does not name the packages of other platforms, which not every registry
  // has. The lock file decides all the same, and is left as it is.
  run("installing packages", "npm", ["install", "--no-save", "--no-audit", "--no-fund"]);
  const now = new Date();
  utimesSync(marker, now, now);
}

export function build({ force = false } = {}) {
  const marker = join(root, "dist/.built");
  const sources = ["src", "scripts/bundle.mjs", "tsconfig.json", "tsconfig.build.json", "package-lock.json"];
  const newest = Math.max(...sources.map((name) => newestMs(join(root, name))));
  if (!force && existsSync(marker) && newestMs(marker) >= newest) return;
  for (const name of ["dist", "build"]) rmSync(join(root, name), { recursive: true, force: true });
  run("building", process.execPath, [
    join(root, "node_modules/typescript/bin/tsc"),
    "-p",
    "tsconfig.build.json",
  ]);
  run("bundling", process.execPath, [join(root, "scripts/bundle.mjs")]);
  // The files of the page are what they are.
  cpSync(join(root, "src/dashboard/web"), join(root, "dist/dashboard/web"), { recursive: true });
  writeFileSync(marker, "");
}

export function setup() {
  if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN) {
    console.error(`Node ${NODE_MAJOR_MIN} or newer is needed; this is ${process.versions.node}.`);
    process.exit(1);
  }
  install();
  build();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setup();
