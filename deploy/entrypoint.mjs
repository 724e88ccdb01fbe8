/**
 * One daemon in one container. The first start makes what is missing with the ordinary commands; then the daemon
 * takes the place of this program's work and gets its signals.
 *
 *   PSTORAGE_ROLE       mds or cs
 *   PSTORAGE_NAME       the cluster
 *   PSTORAGE_PASSWORD   of the cluster
 *   PSTORAGE_ADDRESS    IP[:PORT] of this container
 *   PSTORAGE_BOOTSTRAP  IP[:PORT] of the first MDS; the container that has this address makes the cluster
 *   PSTORAGE_DATA       where the repository lies (/data)
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The first MDS may be starting; the others wait for it. */
const ATTEMPTS = 60;
const PAUSE_MS = 1000;

const role = need("PSTORAGE_ROLE");
const address = need("PSTORAGE_ADDRESS");
const bootstrap = need("PSTORAGE_BOOTSTRAP");
need("PSTORAGE_NAME");
const repository = join(process.env.PSTORAGE_DATA ?? "/data", role);
if (role !== "mds" && role !== "cs") fail(`PSTORAGE_ROLE is mds or cs, not ${role}`);

if (!existsSync(join(repository, "identity.json"))) await make();
// The daemon has this host's credential, and no use for the password.
const { PSTORAGE_PASSWORD: _password, ...env } = process.env;
const daemon = spawn(process.execPath, [program(`${role}d`), "-r", repository], { stdio: "inherit", env });
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => daemon.kill(signal));
daemon.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 1 : 0)));

async function make() {
  if (role === "mds" && address === bootstrap) {
    const { status } = pstorage(
      ["make-mds", "-I", "-a", address, "-r", repository, "-P"],
      need("PSTORAGE_PASSWORD"),
    );
    if (status !== 0) process.exit(1);
    return;
  }
  await untilDone(["auth-node", "-b", bootstrap, "-P"], need("PSTORAGE_PASSWORD"));
  await untilDone([`make-${role}`, "-a", address, "-r", repository]);
}

async function untilDone(args, input = "") {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (pstorage(args, input).status === 0) return;
    await sleep(PAUSE_MS);
  }
  fail(`pstorage ${args[0]} failed ${ATTEMPTS} times`);
}

function pstorage(args, input) {
  return spawnSync(process.execPath, [program("pstorage"), ...args], {
    input,
    stdio: ["pipe", "inherit", "inherit"],
  });
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
