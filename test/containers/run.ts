import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ComposedCluster } from "./composed-cluster.js";
import { CHECKOUT, noEngine, run } from "./engine.js";

/**
 * `npm run docker`: what docker-compose.yml promises, with a real engine. Builds the image, starts the cluster, writes and reads
 * files through its mounted client while one chunk server and the leading metadata server are killed and one chunk server is
 * taken from the network, stops it all, and finds everything again. NODE_IMAGE names the base image. Says why it skips where
 * there is no engine. Ends with status 1 if anything was wrong; nothing of it is left behind.
 */
const NODE_IMAGE = process.env["NODE_IMAGE"] ?? "node:20-bookworm-slim";
const IMAGE = "pstorage";
const CS_COUNT = 5;
const BYTES = 32 << 20;
const SERVER_UID = "2510";
const MOUNT = "/mnt/pstorage";

const beganMs = Date.now();
const say = (line: string): void => {
  process.stdout.write(`${((Date.now() - beganMs) / 1000).toFixed(0).padStart(4)} s  ${line}\n`);
};

async function build(): Promise<void> {
  const { status, output, errors } = await run(
    [
      "docker",
      "build",
      "--build-arg",
      `NODE_IMAGE=${NODE_IMAGE}`,
      "-f",
      "deploy/Dockerfile",
      "-t",
      IMAGE,
      ".",
    ],
    { env: { DOCKER_BUILDKIT: process.env["DOCKER_BUILDKIT"] ?? "1" } },
  );
  if (status !== 0) throw new Error(`the image cannot be built:\n${output.toString().slice(-2000)}${errors}`);
  say(`built from ${NODE_IMAGE}`);
}

/** Servers have no business as root. */
async function expectOrdinaryUser(cluster: ComposedCluster): Promise<void> {
  for (const service of ["mds1", "cs1"]) {
    const processes = (await cluster.docker("top", await cluster.container(service), "-eo", "uid,pid,args"))
      .split("\n")
      .filter((line) => / -r \/data\//.test(line));
    if (processes.length !== 1 || !processes[0]?.trim().startsWith(SERVER_UID))
      throw new Error(`${service} does not serve as uid ${SERVER_UID}: ${processes.join("; ")}`);
  }
  say("servers are no root");
}

/** What Prometheus would do with deploy/prometheus.yml. */
async function expectMetrics(cluster: ComposedCluster): Promise<void> {
  const text = await readFile(join(CHECKOUT, "deploy/prometheus.yml"), "utf8");
  const targets = [...text.matchAll(/^ +- (\w+:\d+)$/gm)].map((found) => found[1] ?? "");
  if (targets.length !== (await cluster.services()).length)
    throw new Error("prometheus.yml misses a service");
  for (const target of targets) {
    const script = `fetch("http://${target}/metrics").then((answer) => answer.text()).then(console.log)`;
    const answer = (await cluster.inside("client", ["node", "-e", script])).toString();
    if (!/^pstorage_\w+\{.*cluster="compose"/m.test(answer)) throw new Error(`${target} tells no metrics`);
  }
  say(`${targets.length} daemons tell Prometheus of themselves`);
}

/** By HTTPS from another container, whichever metadata server is asked. */
async function expectDashboard(cluster: ComposedCluster): Promise<void> {
  for (const service of ["mds1", "mds2", "mds3"]) {
    const script = `fetch("https://${service}:2512/api/status").then((answer) => answer.json()).then((picture) => console.log(picture.status.clusterName))`;
    const command = ["env", "NODE_TLS_REJECT_UNAUTHORIZED=0", "node", "-e", script];
    const name = (await cluster.inside("client", command)).toString().trim();
    if (name !== "compose") throw new Error(`${service} shows no dashboard: ${name}`);
  }
  say("every metadata server shows the dashboard");
}

async function leader(cluster: ComposedCluster): Promise<string> {
  const status = JSON.parse((await cluster.inside("client", ["pstorage", "stat", "--json"])).toString());
  const address = String(status.mdsServers.find((mds: { isLeader: boolean }) => mds.isLeader)?.address);
  return `mds${/\.1(\d):/.exec(address)?.[1] ?? fail(`who leads? ${address}`)}`;
}

function fail(sentence: string): never {
  throw new Error(sentence);
}

async function tryOut(cluster: ComposedCluster, project: string): Promise<void> {
  const files: [string, Buffer][] = [];
  const write = async (name: string): Promise<void> => {
    const [path, bytes] = [`${MOUNT}/${name}`, randomBytes(BYTES)];
    await cluster.write(path, bytes);
    files.push([path, bytes]);
  };
  const expectAll = async (): Promise<void> => {
    for (const [path, bytes] of files) await cluster.expectBytes(path, bytes);
  };
  await cluster.compose("up", "-d", "--no-build");
  await cluster.healthy(CS_COUNT);
  say("up and healthy");
  await expectOrdinaryUser(cluster);
  await expectMetrics(cluster);
  await expectDashboard(cluster);
  await write("first");
  await expectAll();
  const small = (await cluster.inside("cs1", ["pstorage", "-q", "fs", "ls", "/"])).toString();
  if (!small.includes("first")) throw new Error(`a server does not see the file: ${small}`);
  say("a file went in and came out");

  const led = await leader(cluster);
  await cluster.docker("kill", await cluster.container("cs2"), await cluster.container(led));
  await write("second");
  await expectAll();
  say(`cs2 and ${led}, which led, are killed; files go in and out`);
  const third = await cluster.container("cs3");
  await cluster.docker("network", "disconnect", `${project}_backnet`, third);
  await write("third");
  await expectAll();
  await cluster.noticed("degraded");
  say("cs3 is disconnected too; files go in and out");
  const address = `172.30.25.23`;
  await cluster.docker("network", "connect", "--ip", address, "--alias", "cs3", `${project}_backnet`, third);
  await cluster.docker("start", await cluster.container("cs2"), await cluster.container(led));
  await cluster.healthy(CS_COUNT);
  await expectAll();
  say("all are back, and healthy");

  await cluster.compose("down");
  await cluster.compose("up", "-d", "--no-build");
  await cluster.healthy(CS_COUNT);
  await expectAll();
  say("down, up again: everything is there");
}

async function main(): Promise<number> {
  const why = noEngine(NODE_IMAGE);
  if (why !== undefined) {
    process.stdout.write(`skipped: ${why}\n`);
    return 0;
  }
  const directory = await mkdtemp(join(tmpdir(), "pstorage-docker-"));
  const project = `pstoragetest${process.pid}`;
  const password = join(directory, "password");
  await writeFile(password, "four random words here\n", { mode: 0o600 });
  const cluster = new ComposedCluster(project, { PSTORAGE_PASSWORD_FILE: password, NODE_IMAGE });
  try {
    await build();
    await tryOut(cluster, project);
    return 0;
  } catch (error) {
    say(`WRONG: ${error instanceof Error ? error.message : String(error)}`);
    say(await cluster.compose("logs", "--tail", "20").catch((complaint: Error) => complaint.message));
    return 1;
  } finally {
    await cluster.compose("down", "--volumes").catch((error: Error) => say(error.message));
    await rm(directory, { recursive: true });
  }
}

main().then(
  (status) => process.exit(status),
  (error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  },
);
