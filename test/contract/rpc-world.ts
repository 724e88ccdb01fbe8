import { createAuthority, issueHostCertificate } from "../../src/auth/authority.js";
import {
  type AuthorizationTable,
  generateHostKey,
  makeCredential,
  type Role,
  type TlsMaterial,
} from "../../src/auth/index.js";
import { certificateDer } from "../../src/auth/peer-verifier.js";
import { fromUtf8, storageError, toUtf8 } from "../../src/base/index.js";
import type { Clock, Net } from "../../src/io/index.js";
import { RealClock } from "../../src/io/real/real-clock.js";
import { RealNet } from "../../src/io/real/real-net.js";
import { RealRandom } from "../../src/io/real/real-random.js";
import { type DataChannelOptions, DataChannels, type DataMethod } from "../../src/rpc/channel/index.js";
import { GrpcRpc } from "../../src/rpc/grpc/index.js";
import {
  type Codec,
  openDataChannel,
  type Rpc,
  type StreamMethod,
  type UnaryMethod,
} from "../../src/rpc/index.js";
import { NetRpc } from "../../src/rpc/inproc/index.js";
import { type MemoryLogger, memoryLogger } from "../../src/telemetry/index.js";
import { SimWorld } from "../sim/world/index.js";

export const clock = new RealClock();
export const random = new RealRandom();

const bytesCodec: Codec<Uint8Array> = {
  encode: (bytes) => bytes,
  decode: (bytes) => bytes,
  bytesMax: 8 << 20,
};
const textCodec: Codec<string> = { encode: toUtf8, decode: fromUtf8, bytesMax: 1024 };

export const ECHO: StreamMethod<Uint8Array, Uint8Array> = {
  path: "/pstorage.Test/Echo",
  up: bytesCodec,
  down: bytesCodec,
};
export const ASK: UnaryMethod<string, string> = {
  path: "/pstorage.Test/Ask",
  request: textCodec,
  reply: textCodec,
};
export const PUBLIC_ASK: UnaryMethod<string, string> = { ...ASK, path: "/pstorage.Public/Ask" };
export const MDS_ONLY: UnaryMethod<string, string> = { ...ASK, path: "/pstorage.Test/MdsOnly" };
export const NOT_SERVED: UnaryMethod<string, string> = { ...ASK, path: "/pstorage.Test/NotServed" };

export const AUTHORIZATION: AuthorizationTable = {
  [ECHO.path]: ["client", "mds"],
  [ASK.path]: ["client", "mds"],
  [openDataChannel(ECHO.path).path]: ["client", "mds"],
  [NOT_SERVED.path]: ["client", "mds"],
  [MDS_ONLY.path]: ["mds"],
  [PUBLIC_ASK.path]: "anyone",
};

export const CLUSTER_ID = "11111111-2222-4333-8444-555555555555";
const issue = { nowMs: Date.now(), random };
const authority = createAuthority(CLUSTER_ID, issue);

/** A certificate and its key, of this cluster or of the one that another authority made. */
export function credential(
  roles: readonly Role[],
  issuer = authority,
  hostId = "00000000000000aa",
): TlsMaterial {
  const key = generateHostKey();
  const { certificate } = issueHostCertificate(issuer, { hostId, roles, publicKey: key.publicKey }, issue);
  const caCertificate = certificateDer(issuer.caCertificatePem);
  return makeCredential(key.privateKeyPem, { caCertificate, hostCertificate: certificate }, issue.nowMs);
}

/** Another cluster, which may even have taken the id of this one. */
export function foreignCredential(clusterId: string, roles: readonly Role[]): TlsMaterial {
  return credential(roles, createAuthority(clusterId, issue));
}

/** Where one transport is tried. */
export interface RpcWorld {
  readonly clock: Clock;
  readonly listenAddress: string;
  server(): Rpc;
  client(roles?: readonly Role[]): Rpc;
  /** Lets the world go on until the promise is settled. */
  run<T>(promise: Promise<T>): Promise<T>;
}

const serverRoles = { "pstorage.Test": ["mds"] } as const;

export function grpcRpc(material: TlsMaterial | undefined, log: MemoryLogger, time: Clock = clock): Rpc {
  return new GrpcRpc(
    { credential: material, authorization: AUTHORIZATION, serverRoles },
    { clock: time, log },
  );
}

export function grpcWorld(): RpcWorld {
  const log = memoryLogger();
  return {
    clock,
    listenAddress: "127.0.0.1:0",
    server: () => grpcRpc(credential(["mds"]), log),
    client: (roles = ["client"]) => grpcRpc(credential(roles), log),
    run: (promise) => promise,
  };
}

/** gRPC with ECHO on data channels. */
export function dataChannelWorld({
  isBlocked = false,
  socketPath,
  isLocalOnly,
  ...options
}: Omit<DataChannelOptions, "methods"> &
  Omit<DataMethod, "path"> & { readonly isBlocked?: boolean }): RpcWorld {
  const log = memoryLogger();
  const net = new RealNet();
  const blocked = (): Promise<never> => Promise.reject(storageError("unavailable", "a firewall"));
  if (isBlocked) net.connect = blocked;
  const made = (roles: readonly Role[]): Rpc =>
    new DataChannels(
      grpcRpc(credential(roles), log),
      { clock, net, random, log },
      { ...options, methods: [{ path: ECHO.path, socketPath, isLocalOnly }] },
    );
  return {
    clock,
    listenAddress: "127.0.0.1:0",
    server: () => made(["mds"]),
    client: (roles = ["client"]) => made(roles),
    run: (promise) => promise,
  };
}

function netRpc(net: Net, time: Clock, roles: readonly Role[]): Rpc {
  const identity = { clusterId: CLUSTER_ID, hostId: "00000000000000aa", roles };
  return new NetRpc(net, time, { identity, authorization: AUTHORIZATION });
}

export function netWorld(): RpcWorld {
  const net = new RealNet();
  return {
    clock,
    listenAddress: "127.0.0.1:0",
    server: () => netRpc(net, clock, ["mds"]),
    client: (roles = ["client"]) => netRpc(net, clock, roles),
    run: (promise) => promise,
  };
}

export function simWorld(): RpcWorld {
  const world = new SimWorld({ seed: 1 });
  const [server, client] = [world.addHost("server"), world.addHost("client")];
  return {
    clock: client.clock,
    listenAddress: `${server.ip}:0`,
    server: () => netRpc(server.net, server.clock, ["mds"]),
    client: (roles = ["client"]) => netRpc(client.net, client.clock, roles),
    run: (promise) => world.simulator.run(promise, "the test"),
  };
}
