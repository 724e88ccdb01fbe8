import { type FailureCode, failureOf, type Prng } from "../../../src/base/index.js";
import type { CsNode } from "../cluster/cs-node.js";
import type { MdsNode } from "../cluster/mds-node.js";
import type { SimCluster } from "../cluster/sim-cluster.js";
import type { SimNode } from "../cluster/sim-node.js";

const PAUSE_MS = 300;
const CALL_MS_MAX = 20_000;

/** What an operator takes for an answer. */
const REASONS: readonly FailureCode[] = ["refused", "not_found", "invalid"];
const NEVER_GIVES_UP: readonly FailureCode[] = [];

/**
 * What an operator does to servers: takes them out of service in order, replaces them after their disk was lost. What he began
 * he brings to an end, faults or not.
 */
export class Upkeep {
  readonly #cluster: SimCluster;
  readonly #prng: Prng;
  /** Servers that are being replaced: others leave them alone. */
  readonly #away = new Set<SimNode>();
  #runningCount = 0;

  constructor(cluster: SimCluster, prng: Prng) {
    this.#cluster = cluster;
    this.#prng = prng;
  }

  get isIdle(): boolean {
    return this.#runningCount === 0;
  }

  isAway(node: SimNode): boolean {
    return this.#away.has(node);
  }

  /** `rm-cs`, and after a while it is called off if it has not come to its end. */
  drain(node: CsNode): void {
    if (this.#runningCount > 0) return;
    const { csId } = node;
    void this.#run(async () => {
      await this.#insist(() => this.#remove(csId, false));
      await this.#pause(this.#prng.between(500, 8000));
      await this.#insist(async () => {
        const { operator } = this.#cluster;
        await operator.removeChunkServer({ csId, force: false, cancel: true }, { timeoutMs: CALL_MS_MAX });
      });
      let isDropped = false;
      await this.#insist(async () => {
        const { chunkServers } = await this.#cluster.operator.status({ timeoutMs: CALL_MS_MAX });
        const server = chunkServers.find((one) => one.csId === csId);
        isDropped = server === undefined || server.status === "dropped";
      });
      if (isDropped) await this.#renew(node);
    });
  }

  /** The disk is lost for good. A new one comes back as a new server. */
  replaceChunkServer(node: CsNode): void {
    if (this.#away.has(node)) return;
    void this.#run(async () => {
      const { csId } = node;
      await this.#renew(node);
      if (this.#prng.chance(0.5)) await this.#insist(() => this.#remove(csId, true));
    });
  }

  /** `rm-mds`, and a new server on the same host. */
  replaceMds(node: MdsNode): void {
    // A group of one or two has none to spare.
    if (this.#runningCount > 0 || this.#cluster.mds.length < 3) return;
    void this.#run(async () => {
      // Refused while too few others work: then it stays, and nothing of it is lost. Until then it may come back, and may have to.
      if (await this.#insist(() => this.#removeMdsAt(node))) {
        this.#away.add(node);
        node.kill();
        node.host.media.wipe();
        await this.#insist(async () => {
          await this.#removeMdsAt(node);
          node.host.media.wipe();
          if (!node.isUp) node.host.restart();
          await this.#cluster.joinMds(node);
        }, NEVER_GIVES_UP);
      }
      this.#away.delete(node);
    });
  }

  async #renew(node: CsNode): Promise<void> {
    this.#away.add(node);
    node.kill();
    node.host.media.wipe();
    await this.#insist(async () => {
      node.host.media.wipe();
      if (!node.isUp) node.host.restart();
      await this.#cluster.addChunkServer(node);
    });
    this.#away.delete(node);
  }

  /** Also what an earlier attempt, whose answer got lost, has left. */
  async #removeMdsAt({ address }: MdsNode): Promise<void> {
    const { operator } = this.#cluster;
    const { mdsServers } = await operator.status({ timeoutMs: CALL_MS_MAX });
    for (const { mdsId } of mdsServers.filter((server) => server.address === address)) {
      try {
        await operator.removeMds({ mdsId }, { timeoutMs: CALL_MS_MAX });
      } catch (error) {
        // The attempt before this one did it after all.
        if (failureOf(error)?.code !== "not_found") throw error;
      }
    }
  }

  async #remove(csId: number, force: boolean): Promise<void> {
    await this.#cluster.operator.removeChunkServer(
      { csId, force, cancel: false },
      { timeoutMs: CALL_MS_MAX },
    );
  }

  /** Until it works (true), or is refused for a reason (false). */
  async #insist(act: () => Promise<void>, reasons = REASONS): Promise<boolean> {
    for (;;) {
      try {
        await act();
        return true;
      } catch (error) {
        const code = failureOf(error)?.code;
        if (code === undefined) throw error;
        this.#cluster.simulator.note("operator", `failed: ${String(error)}`);
        if (reasons.includes(code)) return false;
        await this.#pause(PAUSE_MS);
      }
    }
  }

  #pause(delayMs: number): Promise<void> {
    return this.#cluster.operatorNode.host.clock.sleep("operator", delayMs);
  }

  async #run(work: () => Promise<void>): Promise<void> {
    this.#runningCount++;
    try {
      await work();
    } finally {
      this.#runningCount--;
    }
  }
}
