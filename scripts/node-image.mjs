/**
 * `node scripts/node-image.mjs NAME [ROOT]`: an image for NODE_IMAGE where no registry of images can be reached. It is Debian
 * by debootstrap (kept in ROOT if that is given, and taken from there the next time), this machine's Node and npm, and the
 * packages of the lock file in npm's cache, so that the image of pstorage can be built from it without a network. Needs root,
 * debootstrap and an engine that answers `docker`; takes some minutes.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { root } from "./setup.mjs";

const SUITE = "bookworm";
const [name, kept] = process.argv.slice(2);
if (name === undefined) {
  process.stderr.write("usage: node scripts/node-image.mjs NAME [ROOT]\n");
  process.exit(1);
}
const say = (what) => process.stderr.write(`${what} ...\n`);
const call = (program, args, options = {}) =>
  execFileSync(program, args, { stdio: ["ignore", 2, 2], ...options });
const work = mkdtempSync(join(tmpdir(), "pstorage-image-"));
try {
  const target = resolve(kept ?? join(work, "root"));
  if (!existsSync(join(target, "etc/debian_version"))) {
    say(`making a ${SUITE} in ${target}`);
    call("debootstrap", ["--variant=minbase", SUITE, target]);
  }
  placeNode(target);
  fillCache(join(target, "root/.npm"));
  say(`importing ${name}`);
  const change = ["--change", "ENV npm_config_offline=true"];
  call("sh", ["-c", 'tar -C "$1" -c . | docker import "$2" "$3" - "$4"', "sh", target, ...change, name]);
} finally {
  rmSync(work, { recursive: true, force: true });
}

function placeNode(target) {
  const modules = join(target, "usr/local/lib/node_modules");
  mkdirSync(modules, { recursive: true });
  copyFileSync(process.execPath, join(target, "usr/local/bin/node"));
  const globals = execFileSync("npm", ["root", "-g"], { encoding: "utf8" }).trim();
  // Where the distribution of Node keeps npm beside itself, whatever the prefix is.
  const own = [globals, join(dirname(dirname(process.execPath)), "lib/node_modules")];
  const npm = own.map((path) => join(path, "npm")).find((path) => existsSync(path));
  if (npm === undefined) throw new Error("where is npm?");
  cpSync(npm, join(modules, "npm"), { recursive: true });
  const command = join(target, "usr/local/bin/npm");
  rmSync(command, { force: true });
  symlinkSync("../lib/node_modules/npm/bin/npm-cli.js", command);
}

function fillCache(cache) {
  say("fetching packages");
  const copy = join(work, "packages");
  mkdirSync(copy);
  for (const file of ["package.json", "package-lock.json", ".npmrc"])
    copyFileSync(join(root, file), join(copy, file));
  call("npm", ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--cache", cache], {
    cwd: copy,
  });
}
