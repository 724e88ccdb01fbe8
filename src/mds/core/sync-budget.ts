import type { CsId } from "../../chunk/index.js";
import { presenceOf } from "./chunk-states.js";
import { configNumber } from "./cluster-config.js";
import type { ReconfigureChunk } from "./command.js";
import type { ChunkRecord, ReplicaRecord } from "./records.js";
import type { Tables } from "./tables.js";

/** Targets looked for in vain, after which nearly all servers are taken to have enough. */
const REFUSALS_MAX = 100;

/**
 * How many replicas may be filled at the same time, in the cluster and from or to one server, so that repair leaves
 * the disks to clients. What is under way already is counted from the records; one that waits for its source or its
 * target to come back is not under way, and holds nobody up.
 */
export class SyncBudget {
  readonly #perServerMax: number;
  readonly #perServer = new Map<CsId, number>();
  readonly #isActive: (csId: CsId) => boolean;
  #left: number;
  #refusalCount = 0;

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

  /** Cheap to ask before a target is looked for, which is not where there are a thousand servers. */
  mayCopy(record: ChunkRecord): boolean {
    if (record.installedVersion === 0) return true;
    return this.#left > 0 && this.#refusalCount < REFUSALS_MAX && this.#isFree(this.#sourceOf(record, []));
  }

  /** Takes what the step needs; false, and nothing taken, if it would be too much. What clients wait for always may. */
  admits(record: ChunkRecord, step: ReconfigureChunk, isAlways: boolean): boolean {
    const targets = step.add.map(({ csId }) => csId);
    const source = this.#sourceOf(record, step.remove);
    const isCopying = targets.length > 0 && record.installedVersion > 0;
    if (!isCopying) return true;
    const isFree = [source, ...targets].every((csId) => this.#isFree(csId));
    if (!isAlways && (this.#left < targets.length || !isFree)) {
      this.#refusalCount += 1;
      return false;
    }
    for (const target of targets) this.#charge(target, source);
    return true;
  }

  #isFree(csId: CsId | undefined): boolean {
    return csId === undefined || (this.#perServer.get(csId) ?? 0) < this.#perServerMax;
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
