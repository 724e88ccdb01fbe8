import { shortKeyedHash } from "../../../src/auth/index.js";
import { failureOf } from "../../../src/base/index.js";
import { type CsId, encodeTicket } from "../../../src/chunk/index.js";
import type { ChunkRecord } from "../../../src/mds/core/records.js";
import { Tickets } from "../../../src/mds/tickets.js";
import { CallClient, CHUNK_CHANNEL, type ChunkAnswer, type ChunkCall } from "../../../src/rpc/index.js";
import type { CsNode } from "../cluster/cs-node.js";
import type { SimCluster } from "../cluster/sim-cluster.js";

/** What must be true of a cluster that has come to rest. Reports every fault that it finds. */
export async function checkQuietState(cluster: SimCluster): Promise<void> {
  await checkSameMetadata(cluster);
  const chunks = await allChunks(cluster);
  await checkDerivedTables(cluster, chunks);
  await checkSameReplicas(cluster);
}

/** All replicas of each chunk hold the same bytes, and each of them passes its checksums. */
async function checkSameReplicas(cluster: SimCluster): Promise<void> {
  const links = new Links(cluster);
  for (const { chunkId } of await allChunks(cluster)) {
    let difference: string | undefined;
    for (let attempt = 0; attempt < LOOKS_MAX; attempt++) {
      const chunk = (await allChunks(cluster)).find((one) => one.chunkId === chunkId);
      difference = chunk && (await differenceIn(links, chunk, readingTicket(cluster, chunk)));
      if (difference === undefined || !difference.includes("cannot be read")) break;
      // A replica that its server distrusted since its last death is only now being replaced.
      await cluster.operatorNode.host.clock.sleep("sim.look-again", LOOK_AGAIN_MS);
    }
    if (difference !== undefined) cluster.violations.add("same replicas", difference);
  }
  links.close();
}

/** So often a chunk is looked at that has a replica which cannot be read. */
const LOOKS_MAX = 20;
const LOOK_AGAIN_MS = 500;

/** Every MDS has come to the same state. */
async function checkSameMetadata({ mds, violations }: SimCluster): Promise<void> {
  const hashes: string[] = [];
  for (const { name, server } of mds) {
    if (server !== undefined)
      hashes.push(`${name} ${await server.store.stateHash()} at ${server.store.appliedIndex()}`);
  }
  const different = new Set(hashes.map((line) => line.slice(line.indexOf(" "))));
  if (different.size > 1) violations.add("same metadata", `the states differ: ${hashes.join(", ")}`);
}

async function allChunks(cluster: SimCluster): Promise<ChunkRecord[]> {
  const store = cluster.leader?.server?.store;
  if (store === undefined) throw new Error("no MDS leads");
  const chunks: ChunkRecord[] = [];
  for (;;) {
    const page = await store.chunksPage(chunks.at(-1)?.chunkId, 1000);
    if (page.length === 0) return chunks;
    chunks.push(...page);
  }
}

/** Tables that follow from the chunk records say what these say. */
async function checkDerivedTables(cluster: SimCluster, chunks: readonly ChunkRecord[]): Promise<void> {
  const store = cluster.leader?.server?.store;
  if (store === undefined) return;
  const { tables } = store;
  const complain = (what: string): void => cluster.violations.add("derived tables", what);
  for (const { csId } of tables.chunkServers.values()) {
    const held = chunks
      .filter(({ chain }) => chain.some((member) => member.csId === csId))
      .map(({ chunkId }) => chunkId);
    const listed = await store.csChunksPage(csId, undefined, 1_000_000);
    if (held.join() !== listed.join())
      complain(`CS#${csId} holds ${held.join()}, csChunks says ${listed.join()}`);
    const count = tables.csCounts.get(csId)?.chunkCount ?? 0;
    if (count !== held.length) complain(`CS#${csId} holds ${held.length} chunks, csCounts says ${count}`);
  }
  const degraded = await store.degradedPage(undefined, 1000);
  if (degraded.length > 0) complain(`degraded still lists ${degraded.join()}`);
  for (const { chunkId, ino, index } of chunks) {
    const found = tables.fileChunks.get(ino, index);
    if (found !== chunkId)
      complain(`chunk ${chunkId} is at ${ino}/${index}, fileChunks says ${found ?? "nothing"}`);
    if (tables.inodes.get(ino) === undefined) complain(`chunk ${chunkId} belongs to no file`);
  }
  const chunkCount = tables.totals.get()?.chunkCount ?? 0;
  if (chunkCount !== chunks.length) complain(`${chunks.length} chunks, totals says ${chunkCount}`);
}

const READ_BYTES = 1 << 20;
const DEADLINE_MS = 30_000;

async function differenceIn(
  links: Links,
  chunk: ChunkRecord,
  ticket: Uint8Array | undefined,
): Promise<string | undefined> {
  const { chunkId, version, chain, policy, ino, index } = chunk;
  const where = `chunk ${chunkId} (${ino}/${index}) at version ${version}`;
  for (let offset = 0; offset < policy.chunkBytes; offset += READ_BYTES) {
    const lengthBytes = Math.min(READ_BYTES, policy.chunkBytes - offset);
    let first: Uint8Array | undefined;
    for (const { csId } of chain) {
      const body = { chunkId, version, offset, lengthBytes, background: false };
      try {
        const { payload } = await links
          .to(csId)
          .request(
            { request: { type: "read", body }, payload: NOTHING, ticket },
            { deadlineMs: DEADLINE_MS },
          );
        const difference = first === undefined ? -1 : firstDifference(first, payload);
        if (difference >= 0) {
          return `${where} differs on CS#${csId} from the head at byte ${offset + difference} of ${lengthBytes}`;
        }
        first ??= payload;
      } catch (error) {
        if (failureOf(error) === undefined) throw error;
        return `${where} cannot be read on CS#${csId}: ${String(error)}`;
      }
    }
  }
  return undefined;
}

const NOTHING = new Uint8Array(0);

/** As a client with a lease would have it. */
function readingTicket({ leader }: SimCluster, chunk: ChunkRecord): Uint8Array | undefined {
  const store = leader?.server?.store;
  const key = store && new Tickets(store).key;
  const ticket = { sessionId: 0, issuedAt: 0, mayChange: false, excludesOthers: false };
  return key && encodeTicket(chunk, ticket, (bytes) => shortKeyedHash(key, bytes));
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (a.length === b.length && Buffer.compare(a, b) === 0) return -1;
  const index = a.findIndex((byte, i) => byte !== b[i]);
  return index < 0 ? Math.min(a.length, b.length) : index;
}

/** Connections of the operator to the chunk servers themselves. */
class Links {
  readonly #cluster: SimCluster;
  readonly #links = new Map<number, CallClient<ChunkCall, ChunkAnswer>>();

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
  }

  to(csId: CsId): CallClient<ChunkCall, ChunkAnswer> {
    const known = this.#links.get(csId);
    if (known !== undefined) return known;
    const node = this.#cluster.chunkServers.find((one: CsNode) => one.csId === csId);
    if (node === undefined) throw new Error(`there is no CS#${csId}`);
    const { operatorNode } = this.#cluster;
    const link = new CallClient<ChunkCall, ChunkAnswer>(
      operatorNode.rpc().open(CHUNK_CHANNEL, node.address),
      operatorNode.host.clock,
    );
    this.#links.set(csId, link);
    return link;
  }

  close(): void {
    for (const link of this.#links.values()) link.close();
  }
}
