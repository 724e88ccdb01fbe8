import { credentialPath } from "../../auth/index.js";
import { defined } from "../../base/index.js";
import type { Admin } from "../../client/index.js";
import { openAdmin, openCluster } from "../cluster-access.js";
import { HostFiles, readText } from "../host-files.js";
import { localServices, serviceName } from "../service-control.js";
import { authenticateHost } from "../setup/authenticate-host.js";
import { createChunkServer } from "../setup/create-chunk-server.js";
import { createCluster } from "../setup/create-cluster.js";
import { joinMds } from "../setup/join-mds.js";
import type { Lab, Report } from "./lab.js";
import { waitForMds } from "./lab-health.js";

/** What the original recommends. */
const REPLICAS = 3;

/**
 * Makes what is missing of a lab, step by step, and starts it. Each step looks first whether it was done: a lab whose
 * making was interrupted is completed.
 */
export async function buildLab(lab: Lab, report: Report, signal: AbortSignal | undefined): Promise<void> {
  await makeFirstMds(lab, report);
  await lab.startOne("mds", 1);
  // Until it leads, it does not know the password.
  await asHost(lab, 1, () => Promise.resolve());
  await authenticateHosts(lab, report, signal);
  for (const host of range(2, lab.size.mdsCount)) await makeMds(lab, host, report, signal);
  await tellAddresses(lab);
  for (const host of range(1, lab.size.csCount)) await makeChunkServer(lab, host, report, signal);
  await Promise.all(
    range(1, lab.size.csCount).map(async (host) => {
      await lab.startOne("cs", host);
      report(`${serviceName(await lab.service("cs", host))} started`);
    }),
  );
  await protectRoot(lab, report);
}

/** New files are kept in as many copies as is recommended and as there are hosts for. Somebody's choice stays. */
async function protectRoot(lab: Lab, report: Report): Promise<void> {
  const cluster = await openCluster(lab.host(1), lab.clusterName);
  try {
    const { storage } = await cluster.fileSystem.stat("/");
    const replicas = Math.min(REPLICAS, lab.size.csCount);
    const replicasMinimum = Math.max(1, replicas - 1);
    if (storage.replicas > 1 || replicas === 1) return;
    await cluster.fileSystem.setStorage("/", { replicas, replicasMinimum });
    report(`new files are kept in ${replicas} copies (replicas=${replicas}:${replicasMinimum})`);
  } finally {
    await cluster.close();
  }
}

async function makeFirstMds(lab: Lab, report: Report): Promise<void> {
  if (await hasRepository(lab, "mds", 1)) return;
  const address = addressOf(lab, 1);
  const password = await lab.password();
  const { clusterName } = lab;
  await createCluster(lab.host(1), { clusterName, address, directory: lab.repository("mds", 1), password });
  report(`cluster "${clusterName}" made, with MDS#1 at ${address}`);
}

async function authenticateHosts(lab: Lab, report: Report, signal: AbortSignal | undefined): Promise<void> {
  const password = await lab.password();
  for (const host of range(2, lab.hostCount)) {
    signal?.throwIfAborted();
    if ((await readText(credentialPath(lab.root(host), lab.clusterName))) !== undefined) continue;
    const { clusterName } = lab;
    await authenticateHost(lab.host(host), { clusterName, password, bootstrap: [addressOf(lab, 1)] });
    report(`host ${host} authenticated`);
  }
}

async function makeMds(
  lab: Lab,
  host: number,
  report: Report,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const address = addressOf(lab, host);
  await asHost(lab, host, async (admin) => {
    if (!(await hasRepository(lab, "mds", host))) {
      await forgetUnborn(address, admin);
      const directory = lab.repository("mds", host);
      const { mdsId } = await joinMds(
        lab.host(host),
        { clusterName: lab.clusterName, address, directory },
        admin,
      );
      report(`MDS#${mdsId} made at ${address}`);
    }
    await lab.startOne("mds", host);
    // One change of the group at a time: the next one joins when this one counts.
    await waitForMds(lab, admin, address, signal);
  });
}

async function makeChunkServer(
  lab: Lab,
  host: number,
  report: Report,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  if (await hasRepository(lab, "cs", host)) return;
  const directory = lab.repository("cs", host);
  const server = { clusterName: lab.clusterName, address: "127.0.0.1:0", directory, tier: 0 };
  const { csId } = await asHost(lab, host, (admin) => createChunkServer(lab.host(host), server, admin));
  report(`CS#${csId} made on host ${host}`);
}

/** Administration with the certificate of that host: a server is added by the host it belongs to. */
async function asHost<T>(lab: Lab, host: number, work: (admin: Admin) => Promise<T>): Promise<T> {
  const connection = await openAdmin(lab.host(host), lab.clusterName);
  try {
    return await work(connection.admin);
  } finally {
    await connection.close();
  }
}

/** Every host knows every MDS, so that it finds the cluster whichever of them are down. */
async function tellAddresses(lab: Lab): Promise<void> {
  for (const host of range(1, lab.hostCount)) {
    const files = new HostFiles(lab.root(host));
    for (const address of lab.mdsAddresses) await files.addBootstrapAddress(lab.clusterName, address);
  }
}

/** An MDS that was announced by a build that was interrupted before it had a repository. */
async function forgetUnborn(address: string, admin: Admin): Promise<void> {
  const { mdsServers } = await admin.status();
  const unborn = mdsServers.find((server) => server.address === address);
  if (unborn !== undefined) await admin.removeMds({ mdsId: unborn.mdsId });
}

async function hasRepository(lab: Lab, kind: "mds" | "cs", host: number): Promise<boolean> {
  const services = await localServices(new HostFiles(lab.root(host)), kind);
  return services.some(({ directory }) => directory === lab.repository(kind, host));
}

function addressOf(lab: Lab, host: number): string {
  return defined(lab.mdsAddresses[host - 1], "the lab has an address for each MDS");
}

function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}
