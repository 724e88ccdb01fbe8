import { createSocket } from "node:dgram";
import { storageError } from "../../base/index.js";
import { csId as asCsId } from "../../chunk/index.js";
import type { Admin } from "../../client/index.js";
import { createCsRepository, refuseExistingCs } from "../../cs/repository.js";
import { clientAddressOf } from "../../discovery/index.js";
import { hostAndPort } from "../address.js";
import { directoryExists, type Host, removeRepository, requireFreePort } from "../host.js";
import { Undo } from "../undo.js";
import { ownCredential } from "./own-credential.js";

/** What `make-cs` is told. */
export interface NewChunkServer {
  readonly clusterName: string;
  /** `IP:PORT`, port 0 for a random one at each start. None: the address this host reaches the cluster from. */
  readonly address: string | undefined;
  /** Absolute. */
  readonly directory: string;
  /** 0 to 3. */
  readonly tier: number;
}

/** Gives this host's new disk an id in the cluster, and makes its repository. It registers when it is started. */
export async function createChunkServer(
  host: Host,
  server: NewChunkServer,
  admin: Admin,
): Promise<{ readonly csId: number }> {
  const { files, world } = host;
  const { clusterName, directory, tier } = server;
  const existedBefore = await directoryExists(host, directory);
  await refuseExistingCs(world.disk, directory);
  const { clusterId, hostId } = await ownCredential(host, clusterName);
  const location = await files.location();
  const address = server.address ?? (await addressTowards(host, clusterName));
  const { host: ip, port } = hostAndPort(address);
  await requireFreePort(ip, port);
  return await Undo.around(async (undo) => {
    const { csId } = await admin.addChunkServer({ hostId, location, tier });
    undo.add(async () => void (await admin.removeChunkServer({ csId, force: true, cancel: false })));
    undo.add(() =>
      removeRepository(directory, existedBefore, [
        "identity.json",
        "state.json",
        "chunks",
        "replicas",
        "logs",
      ]),
    );
    await createCsRepository(world.disk, directory, {
      clusterId,
      clusterName,
      csId: asCsId(csId),
      tier,
      createdAtMs: world.clock.wallMs(),
      address,
    });
    undo.add(() => files.removeService("cs", directory));
    await files.addService({ kind: "cs", clusterName, directory });
    return { csId };
  });
}

/** The address of this machine from which packets go to the metadata servers; nothing is sent. */
async function addressTowards({ files }: Host, clusterName: string): Promise<string> {
  const [first] = await files.bootstrapAddresses(clusterName);
  if (first === undefined) throw storageError("invalid", "give the address of this host with -a IP");
  const { host, port } = hostAndPort(clientAddressOf(first));
  const ip = await new Promise<string>((resolve, reject) => {
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    socket.once("error", reject);
    socket.connect(port, host, () => {
      resolve(socket.address().address);
      socket.close();
    });
  });
  return ip.includes(":") ? `[${ip}]:0` : `${ip}:0`;
}
