import type { CsId } from "../../chunk/index.js";
import { presenceOf } from "./chunk-states.js";
import { configNumber } from "./cluster-config.js";
import type { ReconfigureChunk } from "./command.js";
import type { ChunkRecord, ReplicaRecord } from "./records.js";
import type { Tables } from "./tables.js";

/**
 * How many replicas may be filled at the same time, in the cluster and from or to one server, so that repair leaves
 * the disks to clients. What is under way already is counted from the records; one that waits for its source or its
 * target to come back is not under way, and holds nobody up.
 */
export class SyncBudget {
  readonly #perServerMax: number;
  readonly #perServer = new Map<CsId, number>();
  #left: number;

  readonly #isActive: (csId: CsId) => boolean;

  constructor(tables: Pick<Tables, "chunkServers" | "config">, records: Iterable<ChunkRecord>) {
    this.#isActive = (csId) => presenceOf(tables.chunkServers.get(csId)) === "active";
    this.#left = configNumber(tables, "mds.repair.max_syncs");
    this.#perServerMax = configNumber(tables, "mds.repair.max_syncs_per_cs");
    for (const record of records) {
      const source = this.#sourceOf(record, []);
      if (source === undefined) continue;
      for (const { csId, syncing } of record.chain) {
        if (syncing && this.#isActive(csId)) this.#charge(csId, source);
      }
    }
  }

  /** Takes what the step needs; false, and nothing taken, if it would be too much. What clients wait for always may. */
  admits(record: ChunkRecord, step: ReconfigureChunk, isAlways: boolean): boolean {
    const targets = step.add.map(({ csId }) => csId);
    const source = this.#sourceOf(record, step.remove);
    const isFree = (csId: CsId | undefined): boolean =>
      csId === undefined || (this.#perServer.get(csId) ?? 0) < this.#perServerMax;
    const isCopying = targets.length > 0 && record.installedVersion > 0;
    if (!isCopying) return true;
    if (!isAlways && (this.#left < targets.length || !isFree(source) || !targets.every(isFree))) return false;
    for (const target of targets) this.#charge(target, source);
    return true;
  }

  #charge(target: CsId, source: CsId | undefined): void {
    this.#left -= 1;
    this.#perServer.set(target, (this.#perServer.get(target) ?? 0) + 1);
    if (source !== undefined) this.#perServer.set(source, (this.#perServer.get(source) ?? 0) + 1);
  }

  /** The first member that is there and has everything. */
  #sourceOf(record: ChunkRecord, removed: readonly CsId[]): CsId | undefined {
    const isSource = ({ csId, syncing }: ReplicaRecord): boolean =>
      !syncing && !removed.includes(csId) && this.#isActive(csId);
    return record.chain.find(isSource)?.csId;
  }
}
