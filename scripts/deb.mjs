/**
 * Builds a Debian package: `node scripts/deb.mjs [DIRECTORY]` writes pstorage_VERSION_ARCHITECTURE.deb there (default: here).
 * Needs dpkg-deb. The package brings its npm packages with it, and wants a nodejs of Debian's name, 20 or newer.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { root, setup } from "./setup.mjs";

const output = (program, ...args) => execFileSync(program, args, { cwd: root, encoding: "utf8" }).trim();

setup();
const { completionScripts, writeManPages } = await import("../dist/cli/manual/manual-program.js");
const { name, version, description, files, bin } = JSON.parse(
  readFileSync(join(root, "package.json"), "utf8"),
);
const architecture = output("dpkg", "--print-architecture");
const stage = mkdtempSync(join(tmpdir(), "pstorage-deb-"));
// What is made for a moment is private, what is packed is not.
chmodSync(stage, 0o755);
try {
  const library = join(stage, "usr/lib/pstorage");
  mkdirSync(library, { recursive: true });
  for (const path of [...files.filter((each) => each !== "man"), "package.json"])
    cpSync(join(root, path), join(library, path), { recursive: true });
  for (const path of productionPackages())
    cpSync(realpathSync(join(root, path)), join(library, path), { recursive: true });

  const programs = join(stage, "usr/bin");
  mkdirSync(programs, { recursive: true });
  const helpers = join(stage, "usr/sbin");
  mkdirSync(helpers);
  for (const [program, path] of Object.entries(bin)) {
    chmodSync(join(library, path), 0o755);
    symlinkSync(relative(programs, join(library, path)), join(programs, program));
    // mount(8) looks there.
    if (program.startsWith("mount.")) symlinkSync(`../bin/${program}`, join(helpers, program));
  }
  // Programs of its later years name these.
  for (const path of ["etc", "var/log"]) {
    mkdirSync(join(stage, path), { recursive: true });
    symlinkSync("pstorage", join(stage, path, "vstorage"));
  }
  mkdirSync(join(stage, "etc/pstorage/clusters"), { recursive: true });
  mkdirSync(join(stage, "var/log/pstorage"));
  writeManPages(join(stage, "usr/share/man/man8"));
  for (const { path, text } of completionScripts()) place(path, text);
  place("usr/share/doc/pstorage/copyright", readFileSync(join(root, "LICENSE"), "utf8"));
  place("DEBIAN/control", control());
  const target = join(resolve(process.argv[2] ?? "."), `${name}_${version}_${architecture}.deb`);
  execFileSync("dpkg-deb", ["--build", "--root-owner-group", stage, target], { stdio: ["ignore", 2, 2] });
  process.stdout.write(`${target}\n`);
} finally {
  rmSync(stage, { recursive: true, force: true });
}

/** Those that are needed at run time, as `node_modules/NAME`. */
function productionPackages() {
  return output("npm", "ls", "--omit=dev", "--parseable", "--all")
    .split("\n")
    .filter((path) => path.startsWith(join(root, "node_modules")))
    .map((path) => relative(root, path));
}

function place(path, text) {
  mkdirSync(dirname(join(stage, path)), { recursive: true });
  writeFileSync(join(stage, path), text);
}

function control() {
  const kilobytes = output("du", "-sk", stage).split("\t")[0];
  return `Package: ${name}
Version: ${version}
Architecture: ${architecture}
Maintainer: the pstorage project <pstorage@localhost>
Installed-Size: ${kilobytes}
Depends: nodejs (>= 20.15)
Recommends: fuse3, iproute2
Section: admin
Priority: optional
Description: ${description.replace(/\.$/, "")}
 Metadata servers, chunk servers, a POSIX mount and the commands of Parallels
 Cloud Storage. "man pstorage" has the commands, /usr/lib/pstorage/docs the
 guides; pstorage install-services has systemd start the servers of a host.
`;
}
