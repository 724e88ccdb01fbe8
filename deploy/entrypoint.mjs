/**
 * One daemon in one container. The first start makes what is missing with the ordinary commands; then the daemon
 * takes the place of this program's work and gets its signals. Servers run as the user `pstorage` where there is one.
 *
 *   PSTORAGE_ROLE           mds, cs or client (a mount; needs /dev/fuse and SYS_ADMIN)
 *   PSTORAGE_NAME           the cluster
 *   PSTORAGE_PASSWORD_FILE  a file with the password of the cluster; read as root, before anything else runs
 *   PSTORAGE_PASSWORD       the password itself, where there can be no file
 *   PSTORAGE_ADDRESS        IP[:PORT] of this container; a client needs none
 *   PSTORAGE_BOOTSTRAP      IP[:PORT] of metadata servers, separated by commas; the container that has the first address
 *                           makes the cluster
 *   PSTORAGE_DATA           where the repository lies (/data)
 *   PSTORAGE_METRICS        [ADDR:]PORT of /metrics; empty: none
 *   PSTORAGE_DASHBOARD      [ADDR:]PORT of a metadata server's dashboard
 *   PSTORAGE_MOUNT          where a client mounts the cluster (/mnt/pstorage)
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The first MDS may be starting; the others wait for it. */
const ATTEMPTS = 60;
const PAUSE_MS = 1000;
const USER = "pstorage";

const role = need("PSTORAGE_ROLE");
if (!["mds", "cs", "client"].includes(role)) fail(`PSTORAGE_ROLE is mds, cs or client, not ${role}`);
const bootstrap = need("PSTORAGE_BOOTSTRAP");
const cluster = need("PSTORAGE_NAME");
const data = process.env.PSTORAGE_DATA ?? "/data";
const repository = join(data, role);
const metrics = process.env.PSTORAGE_METRICS ?? "";
const dashboard = process.env.PSTORAGE_DASHBOARD ?? "";
const password = readPassword();
// Daemons have this host's credential, and no use for the password.
const { PSTORAGE_PASSWORD: _password, ...env } = process.env;
const identity = role === "client" ? {} : ordinaryUser();

await make();
const daemon = spawn(process.execPath, daemonLine(), { stdio: "inherit", env, ...identity });
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => daemon.kill(signal));
daemon.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 0)));

async function make() {
  if (role === "client") {
    const credential = join(env.PSTORAGE_ROOT ?? "/", "etc/pstorage/clusters", cluster);
    if (!existsSync(credential)) await untilDone(["auth-node", "-b", bootstrap, "-P"], password());
    return;
  }
  if (existsSync(join(repository, "identity.json"))) return;
  const address = need("PSTORAGE_ADDRESS");
  if (role === "mds" && address === bootstrap.split(",")[0]) {
    if (pstorage(["make-mds", "-I", "-a", address, "-r", repository, "-P"], password()) !== 0)
      process.exit(1);
    return;
  }
  await untilDone(["auth-node", "-b", bootstrap, "-P"], password());
  await untilDone([`make-${role}`, "-a", address, "-r", repository]);
}

function daemonLine() {
  if (role !== "client")
    return [
      program(`${role}d`),
      ...["-r", repository],
      ...(metrics === "" ? [] : ["--metrics", metrics]),
      ...(role === "mds" && dashboard !== "" ? ["--dashboard", dashboard] : []),
    ];
  const mountPoint = process.env.PSTORAGE_MOUNT ?? "/mnt/pstorage";
  const options = metrics === "" ? [] : ["-o", `metrics=${metrics}`];
  return [program("pstorage-mount"), "-f", "-c", cluster, ...options, mountPoint];
}

/** Who runs a server, if this is root and the user exists. What lies in the volume as root's becomes that user's. */
function ordinaryUser() {
  if (process.getuid() !== 0) return {};
  const { stdout, status } = spawnSync("getent", ["passwd", USER], { encoding: "utf8" });
  if (status !== 0) return {};
  const [uid, gid] = stdout.split(":").slice(2, 4).map(Number);
  mkdirSync(data, { recursive: true });
  if (spawnSync("chown", ["-R", "--from=0", `${uid}:${gid}`, data], { stdio: "inherit" }).status !== 0)
    fail(`${data} cannot be given to the user ${USER}`);
  return { uid, gid };
}

function readPassword() {
  const path = process.env.PSTORAGE_PASSWORD_FILE ?? "";
  if (path === "") return () => need("PSTORAGE_PASSWORD");
  if (!existsSync(path)) return () => fail(`PSTORAGE_PASSWORD_FILE: there is no ${path}`);
  const text = readFileSync(path, "utf8").replace(/\r?\n$/, "");
  return () => (text === "" ? fail(`PSTORAGE_PASSWORD_FILE: ${path} is empty`) : text);
}

async function untilDone(args, input = "") {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (pstorage(args, input) === 0) return;
    await sleep(PAUSE_MS);
  }
  fail(`pstorage ${args[0]} failed ${ATTEMPTS} times`);
}

/** Its exit status. */
function pstorage(args, input) {
  return spawnSync(process.execPath, [program("pstorage"), ...args], {
    input,
    stdio: ["pipe", "inherit", "inherit"],
    env,
    ...identity,
  }).status;
}

function program(name) {
  return fileURLToPath(new URL(`../bin/${name}.js`, import.meta.url));
}

function need(name) {
  const value = process.env[name];
  return value === undefined || value === "" ? fail(`set ${name}`) : value;
}

function fail(sentence) {
  process.stderr.write(`entrypoint: ${sentence}\n`);
  process.exit(1);
}
