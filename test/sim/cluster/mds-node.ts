import { failureOf } from "../../../src/base/index.js";
import { MDS_AUTHORIZATION } from "../../../src/mds/authorization.js";
import { clientAddress } from "../../../src/mds/config.js";
import { MetadataServer } from "../../../src/mds/metadata-server.js";
import {
  createMdsRepository,
  type GenesisFile,
  loadGenesis,
  loadMdsIdentity,
  type MdsPeer,
} from "../../../src/mds/repository.js";
import { NetRpc } from "../../../src/rpc/inproc/index.js";
import { SimNode } from "./sim-node.js";

/** Where its repository is. */
const DIRECTORY = "/mds";

/** A host with a metadata server. */
export class MdsNode extends SimNode {
  /** From 1; changes when it is wiped and joins anew. */
  mdsId = 0;
  /** Of the present life, once it serves. */
  server: MetadataServer | undefined;

  /** `IP:PORT` for the other metadata servers. */
  get address(): string {
    return `${this.host.ip}:2510`;
  }

  get clientAddress(): string {
    return clientAddress(this.address);
  }

  get isLeader(): boolean {
    return this.isUp && this.server?.isLeader === true;
  }

  /** `make-mds`: as the first server with its genesis, or as one more with the members there are. */
  async make(mdsId: number, peers: readonly MdsPeer[], genesis?: GenesisFile): Promise<void> {
    const { clusterId, clusterName } = this.world;
    const { address, hostId } = this;
    const isFirst = genesis !== undefined;
    this.mdsId = mdsId;
    await createMdsRepository(
      this.host.disk,
      DIRECTORY,
      { formatVersion: 1, clusterId, clusterName, mdsId, hostId, address, isFirst, peers },
      genesis === undefined ? {} : { genesis },
    );
  }

  protected override async begin(): Promise<void> {
    const { host, log, life } = this;
    const { disk, clock, random } = host;
    const rpc = new NetRpc(host.net, clock, {
      identity: this.identity("mds"),
      authorization: MDS_AUTHORIZATION,
    });
    try {
      const identity = await loadMdsIdentity(disk, DIRECTORY);
      const genesis = await loadGenesis(disk, DIRECTORY);
      const server = await MetadataServer.start(
        { identity, directory: DIRECTORY, genesis },
        { clock, disk, rpc, random, log },
        (error) => this.#halted(error),
      );
      if (life === this.life) this.server = server;
    } catch (error) {
      this.#halted(error);
    }
  }

  protected override died(): void {
    this.server = undefined;
  }

  #halted(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.world.violations.add("metadata server halted", `${this.name}: ${text}`);
    if (failureOf(error) !== undefined) this.kill();
  }
}
