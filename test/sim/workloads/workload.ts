import { failureOf, type Prng } from "../../../src/base/index.js";
import type { Cluster } from "../../../src/client/index.js";
import type { Positions } from "../checkers/file-history.js";
import type { ClientNode } from "../cluster/client-node.js";
import type { SimCluster } from "../cluster/sim-cluster.js";

/** What a workload shares with the run it is part of. */
export interface WorkloadWorld {
  readonly simulation: SimCluster;
  readonly positions: Positions;
}

/** One life of one client, while it works. */
export interface Actor {
  /** `client2#3`: the third life of the second client. */
  readonly process: string;
  readonly node: ClientNode;
  readonly cluster: Cluster;
  readonly prng: Prng;
  /** True when the client shall come to an end. */
  readonly isStopping: () => boolean;
}

/** Something clients do, and what is checked about it. */
export interface Workload {
  readonly name: string;
  /** Makes what is needed before the faults begin. */
  setUp(cluster: Cluster): Promise<void>;
  /** One piece of work, perhaps of several operations. Throws nothing but bugs. */
  work(actor: Actor): Promise<void>;
  /** What goes on beside the work until the client is to come to an end. Throws nothing but bugs. */
  beside?(actor: Actor): Promise<void>;
  /** Looks at everything once more, when the cluster is well again. */
  readBack(actor: Actor): Promise<void>;
  /** These processes are dead and their sessions are over: what they began has no effect any more. */
  fence(isDead: (process: string) => boolean): void;
  /** All servers lost power at once. */
  powerFailed(): void;
  /** What was wrong, one text each. */
  check(): string[];
  /** Operations begun, and those that succeeded. */
  readonly counts: { readonly begun: number; readonly succeeded: number };
}

/** The code of a failure; whatever else was thrown is a bug and goes on. */
export function codeOf(error: unknown): string {
  const failure = failureOf(error);
  if (failure === undefined) throw error;
  return failure.code;
}
