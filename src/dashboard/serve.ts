/** Puts the dashboard of a metadata server together: the only file of this room that touches a real machine. */
import { enroll, type HostCredential, ROLES } from "../auth/index.js";
import { failureOf, storageError } from "../base/index.js";
import { type Cluster, connectCluster } from "../client/connect.js";
import { Admin } from "../client/index.js";
import { clientAddressOf } from "../discovery/index.js";
import { realWorld } from "../io/real/index.js";
import { GrpcRpc } from "../rpc/grpc/index.js";
import { ENROLLMENT } from "../rpc/index.js";
import { type Logger, noopLogger, parseMetricsAddress } from "../telemetry/index.js";
import { Desk } from "./desk.js";
import { viewOfFile } from "./file-view.js";
import { DashboardServer } from "./http-server.js";
import { Watcher } from "./watcher.js";

export interface DashboardOptions {
  /** `[ADDR:]PORT`; without an address only this machine reaches it. */
  readonly place: string;
  readonly clusterName: string;
  readonly root: string;
  /** `IP:PORT` of metadata servers, this one first. */
  readonly mdsAddresses: readonly string[];
  readonly credential: HostCredential;
  readonly log: Logger;
}

export interface RunningDashboard {
  /** Where a browser finds it. */
  readonly url: string;
  close(): Promise<void>;
}

const LOOK_MS = 5000;
const CHECK_MS = 15_000;
const { clock, random } = realWorld();

/** Serves the cluster's dashboard: by plain HTTP to this machine itself, by HTTPS to all others. */
export async function serveDashboard(options: DashboardOptions): Promise<RunningDashboard> {
  const { place, credential, log } = options;
  const { host, port } = parseMetricsAddress(place);
  const rpc = new GrpcRpc(
    { credential, authorization: {}, serverRoles: { "pstorage.Admin": ["mds"] } },
    { clock, log: noopLogger },
  );
  const admin = new Admin({ clock, random, rpc }, options.mdsAddresses.map(clientAddressOf));
  const watcher = new Watcher(admin, clock, LOOK_MS);
  const leader = (): string => {
    const known = watcher.picture.status?.mdsServers.find(({ isLeader }) => isLeader)?.address;
    return clientAddressOf(known ?? options.mdsAddresses[0] ?? "");
  };
  const { keyPem: key, certPem: cert, caPem: ca } = credential;
  const isLocal = /^(localhost|::1|127\..*)$/.test(host);
  const revoke = (path: string): Promise<void> =>
    withCluster(options, (cluster) => cluster.fileSystem.revoke(path));
  const checkPassword = (password: string): Promise<boolean> => isPassword(password, credential, leader());
  const server = new DashboardServer({
    watcher,
    fileOf: (path) =>
      withCluster(options, async ({ fileSystem }) => viewOfFile(admin, (await fileSystem.stat(path)).ino)),
    desk: new Desk({ clock, random, log, admin, fileSystem: { revoke }, checkPassword }),
    tls: isLocal ? undefined : { key, cert, ca },
  });
  const close = async (): Promise<void> => {
    await server.close();
    await watcher.close();
    await rpc.close();
  };
  try {
    const bound = await server.listen(host, port);
    void watcher.start();
    const name = host.includes(":") ? `[${host}]` : host;
    return { url: `${isLocal ? "http" : "https"}://${name}:${bound}/`, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A session for one look at files: nobody wants those of dashboards among the clients. */
async function withCluster<T>(options: DashboardOptions, work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await connectCluster({
    cluster: options.clusterName,
    root: options.root,
    bootstrap: options.mdsAddresses.join(","),
    program: "dashboard",
    timeoutMs: CHECK_MS,
  });
  return await work(cluster).finally(() => cluster.close());
}

/** Proves the password as a host does that wants to join; what it is given for that is thrown away. */
async function isPassword(
  password: string,
  { hostId, clusterId }: HostCredential,
  address: string,
): Promise<boolean> {
  const options = { deadlineMs: CHECK_MS };
  const call = async <T>(ask: (rpc: GrpcRpc) => Promise<T>): Promise<T> => {
    const stranger = { credential: undefined, authorization: {}, serverRoles: {} };
    const rpc = new GrpcRpc(stranger, { clock, log: noopLogger });
    return await ask(rpc).finally(() => rpc.close());
  };
  try {
    await enroll(
      { password, hostId, roles: ROLES, expectedClusterId: clusterId },
      {
        start: (message) => call((rpc) => rpc.call(ENROLLMENT.start, address, message, options)),
        finish: (message) => call((rpc) => rpc.call(ENROLLMENT.finish, address, message, options)),
      },
      clock,
    );
    return true;
  } catch (error) {
    const failure = failureOf(error);
    if (failure?.code === "unauthenticated") return false;
    throw failure === undefined ? error : storageError("unavailable", failure.detail, error);
  }
}
