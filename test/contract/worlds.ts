import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock, Disk, Net, Random } from "../../src/io/index.js";
import { realWorld } from "../../src/io/real/index.js";
import { SimWorld } from "../sim/world/index.js";

/** A world to hold to the contract. */
export interface ContractWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly net: Net;
  /** An address to listen on. */
  readonly listenAddress: string;
  /** An empty directory. */
  readonly directory: string;
}

/** Makes a world, lets the test body run in it, and takes it down. */
export interface WorldKind {
  readonly name: "real" | "simulated";
  readonly run: (body: (world: ContractWorld) => Promise<void>) => Promise<void>;
}

/** Every suite runs its tests against each of these. */
export const WORLDS: readonly WorldKind[] = [
  { name: "real", run: runReal },
  ...[1, 2, 3].map((seed): WorldKind => ({ name: "simulated", run: (body) => runSimulated(body, seed) })),
];

async function runReal(body: (world: ContractWorld) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "pstorage-contract-"));
  try {
    await body({ ...realWorld(), directory, listenAddress: "127.0.0.1:0" });
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** The simulator is driven for as long as the body awaits something. */
async function runSimulated(body: (world: ContractWorld) => Promise<void>, seed: number): Promise<void> {
  const world = new SimWorld({ seed });
  const { clock, random, disk, net, ip } = world.addHost("host");
  const directory = "/contract";
  const inside = async (): Promise<void> => {
    await disk.makeDirectory(directory, "contract.setup");
    await body({ clock, random, disk, net, directory, listenAddress: `${ip}:0` });
  };
  await world.simulator.run(inside(), "the contract test");
}

/** The code of the failure that a promise is rejected with, or `resolved`. */
export async function failureCode(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "resolved";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}
