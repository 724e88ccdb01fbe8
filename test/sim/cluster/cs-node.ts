import { fromUtf8 } from "../../../src/base/index.js";
import { type CsId, csId } from "../../../src/chunk/index.js";
import { ChunkServer } from "../../../src/cs/chunk-server.js";
import { createRepository } from "../../../src/cs/repository.js";
import { NetRpc } from "../../../src/rpc/inproc/index.js";
import { type NodeWorld, SimNode } from "./sim-node.js";

/** Where a chunk server's repository is on its host. */
export const CS_DIRECTORY = "/cs";

/** A host with a chunk server. */
export class CsNode extends SimNode {
  /** Changes when the disk is wiped and a new server is made on it; 0 before the first. */
  csId: CsId = csId(0);
  /** Of the present life, once it serves. */
  server: ChunkServer | undefined;
  readonly #mdsAddresses: () => readonly string[];

  constructor(world: NodeWorld, mdsAddresses: () => readonly string[]) {
    super(world);
    this.#mdsAddresses = mdsAddresses;
  }

  /** `make-cs`, after the MDS gave it its number. */
  async make(number: number): Promise<void> {
    const { clusterId, clusterName } = this.world;
    this.csId = csId(number);
    const identity = { clusterId, clusterName, csId: this.csId, tier: 0 };
    await createRepository(CS_DIRECTORY, identity, this.host.disk);
  }

  /** `IP:PORT` of its chunk service. */
  get address(): string {
    return `${this.host.ip}:2600`;
  }

  /** The chunks it has files of. */
  storedChunks(): number[] {
    return this.host.media
      .paths(`${CS_DIRECTORY}/chunks`)
      .filter((path) => path.endsWith(".data"))
      .map((path) => Number.parseInt(path.slice(path.lastIndexOf("/") + 1), 16));
  }

  /** How many times it was started, as it tells the MDS. */
  async incarnation(): Promise<number> {
    const bytes = await this.host.disk.readFile(`${CS_DIRECTORY}/state.json`, "sim.read");
    const state = JSON.parse(fromUtf8(bytes)) as { incarnation: number };
    return state.incarnation;
  }

  protected override async begin(): Promise<void> {
    const { host, hostId, log, life } = this;
    const { disk, clock, random } = host;
    const rpc = new NetRpc(host.net, clock, { identity: this.identity("cs") });
    const server = new ChunkServer(
      {
        clusterId: this.world.clusterId,
        directory: CS_DIRECTORY,
        bindAddress: this.address,
        hostId,
        location: "0.0.0",
        mdsAddresses: this.#mdsAddresses(),
      },
      { clock, disk, rpc, random, log },
    );
    await server.start();
    if (life === this.life) this.server = server;
  }

  protected override died(): void {
    this.server = undefined;
  }
}
