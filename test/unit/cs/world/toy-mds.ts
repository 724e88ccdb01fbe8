import { shortKeyedHash } from "../../../../src/auth/index.js";
import { defined, StorageError } from "../../../../src/base/index.js";
import {
  type ChainMember,
  type ChunkId,
  type ChunkMap,
  type CommandDone,
  type CsCommand,
  type CsHeartbeat,
  type CsId,
  chunkVersion,
  encodeTicket,
  type InstallChunk,
  type NumberedCsCommand,
  type RegisterCs,
  type RegistryReply,
  type RegistryRequest,
  type ReplicaReport,
  type Ticket,
  type TicketPlace,
} from "../../../../src/chunk/index.js";
import { type CallServer, REGISTRY_ATTACH, serveCalls } from "../../../../src/rpc/index.js";
import { NetRpc } from "../../../../src/rpc/inproc/index.js";
import type { SimHost } from "../../../sim/world/index.js";
import { TEST_CLUSTER } from "./constants.js";

interface Attached {
  readonly registration: RegisterCs;
  readonly calls: CallServer<NumberedCsCommand>;
}

interface ToyChunk {
  readonly chunkId: ChunkId;
  readonly chunkBytes: number;
  version: number;
  members: { csId: CsId; syncing: boolean }[];
  /** All installs of this version were answered. */
  isActive: boolean;
  highWaterBytes: number;
  truncateBytes: number | undefined;
  /** Members to be told to start empty at the next install. */
  readonly fresh: Set<CsId>;
  readonly keep: Set<CsId>;
}

const TICKET_KEY = new Uint8Array(32).fill(7);
const OK: RegistryReply = { type: "ok", body: {} };

/**
 * As little of an MDS as chunk servers need: it takes failed members out of chains, brings returning ones back as
 * `syncing`, and gives maps out when all installs are answered.
 */
export class ToyMds {
  readonly #host: SimHost;
  readonly attached = new Map<CsId, Attached>();
  readonly chunks = new Map<ChunkId, ToyChunk>();
  readonly reports: { chunkId: ChunkId; version: number; csId: CsId; code: string }[] = [];
  /** Members that failed are brought back when they are there again. */
  isHealing = true;
  readonly damages: RegistryRequest[] = [];
  /** The last one of each server. */
  readonly heartbeats = new Map<CsId, CsHeartbeat>();
  heartbeatMs = 300;
  leaseMs = 3_000;
  isSilent = false;
  readonly #waiting = new Map<number, (done: CommandDone) => void>();
  #nextCommandId = 1;

  constructor(host: SimHost) {
    this.#host = host;
  }

  async start(): Promise<void> {
    const identity = { clusterId: TEST_CLUSTER, hostId: "mds", roles: ["mds"] as const };
    const rpc = new NetRpc(this.#host.net, this.#host.clock, { identity });
    await rpc.serve(`${this.#host.ip}:2511`, (service) => {
      service.stream(REGISTRY_ATTACH, (channel) => {
        let self: CsId | undefined;
        const calls: CallServer<NumberedCsCommand> = serveCalls(channel, async (request) => {
          if (this.isSilent) return await new Promise<RegistryReply>(() => undefined);
          if (request.type === "register") {
            self = request.body.csId;
            this.attached.set(self, { registration: request.body, calls });
            const { heartbeatMs, leaseMs } = this;
            const ticketKey = TICKET_KEY;
            return { type: "registered", body: { heartbeatMs, leaseMs, epoch: 0, ticketKey } };
          }
          return self === undefined ? OK : this.#heard(self, request);
        });
        calls.onClose(() => {
          if (self === undefined || this.attached.get(self)?.calls !== calls) return;
          this.attached.delete(self);
          for (const chunk of this.chunks.values()) this.#removeMember(chunk, self);
        });
      });
    });
  }

  /** Makes a chunk on these servers, head first, and waits until it can be used. */
  async create(chunkId: ChunkId, chunkBytes: number, csIds: readonly CsId[]): Promise<ChunkMap> {
    const chunk: ToyChunk = {
      chunkId,
      chunkBytes,
      version: 0,
      members: csIds.map((csId) => ({ csId, syncing: false })),
      isActive: false,
      highWaterBytes: 0,
      truncateBytes: undefined,
      fresh: new Set(csIds),
      keep: new Set(),
    };
    this.chunks.set(chunkId, chunk);
    this.#bump(chunk);
    return await this.map(chunkId);
  }

  /** The map, as soon as it may be used. */
  async map(chunkId: ChunkId): Promise<ChunkMap> {
    const chunk = defined(this.chunks.get(chunkId), "the chunk was made");
    while (!chunk.isActive) await this.#host.clock.sleep("map", 5);
    return {
      index: 0,
      chunkId,
      version: chunkVersion(chunk.version),
      chain: this.#chainOf(chunk),
      writable: true,
    };
  }

  /** What a session shows with its requests: it may do everything, beside others who may, too. */
  ticketOf(sessionId: number, place: TicketPlace): Uint8Array {
    const ticket = { sessionId, issuedAt: 1, mayChange: true, excludesOthers: false } as Ticket;
    return encodeTicket(place, ticket, (bytes) => shortKeyedHash(TICKET_KEY, bytes));
  }

  /** Forces a new version, perhaps with a truncation. */
  async reinstall(chunkId: ChunkId, truncateBytes?: number): Promise<ChunkMap> {
    const chunk = defined(this.chunks.get(chunkId), "the chunk was made");
    chunk.truncateBytes = truncateBytes;
    this.#bump(chunk);
    return await this.map(chunkId);
  }

  /** Adds a member that starts empty and is filled. */
  addMember(chunkId: ChunkId, csId: CsId): void {
    const chunk = defined(this.chunks.get(chunkId), "the chunk was made");
    chunk.members.push({ csId, syncing: true });
    chunk.fresh.add(csId);
    this.#bump(chunk);
  }

  removeMember(chunkId: ChunkId, csId: CsId): void {
    this.#removeMember(defined(this.chunks.get(chunkId), "the chunk was made"), csId);
  }

  async command(csId: CsId, command: CsCommand): Promise<CommandDone> {
    const attached = this.attached.get(csId);
    if (attached === undefined) return failed("unavailable");
    const commandId = this.#nextCommandId++;
    return await new Promise((resolve) => {
      this.#waiting.set(commandId, resolve);
      attached.calls.push({ commandId, command });
      this.#host.clock.after("command", 4_000, () => resolve(failed("timed_out")));
    });
  }

  #heard(self: CsId, request: RegistryRequest): RegistryReply {
    if (request.type === "commandDone") {
      const { commandId } = request.body;
      this.#waiting.get(commandId)?.(request.body);
      this.#waiting.delete(commandId);
    } else if (request.type === "reportDamage") {
      this.damages.push(request);
    } else if (request.type === "heartbeat") {
      this.heartbeats.set(self, request.body);
    } else if (request.type === "reportReplica") {
      this.reports.push(request.body);
      const chunk = this.chunks.get(request.body.chunkId);
      if (chunk !== undefined && chunk.version === request.body.version) {
        this.#removeMember(chunk, request.body.csId);
      }
    } else if (request.type === "replicaSynced") {
      const { chunkId, version } = request.body;
      const chunk = this.chunks.get(chunkId);
      const member = chunk?.members.find(({ csId }) => csId === self);
      if (chunk !== undefined && chunk.version === version && member?.syncing === true) {
        // Without a new version, as with the real one: the servers go on with the chain that they know.
        member.syncing = false;
      }
    } else if (request.type === "inventory") this.#takeInventory(self, request.body.replicas);
    return OK;
  }

  #takeInventory(self: CsId, replicas: readonly ReplicaReport[]): void {
    for (const chunk of this.chunks.values()) {
      const report = replicas.find(({ chunkId }) => chunkId === chunk.chunkId);
      const member = chunk.members.find(({ csId }) => csId === self);
      if (member !== undefined && this.#isGood(chunk, report)) continue;
      this.#bringBack(chunk, self, report);
    }
  }

  #isGood(chunk: ToyChunk, report: ReplicaReport | undefined): boolean {
    return report !== undefined && !report.suspect && !report.syncing && report.version === chunk.version;
  }

  #bringBack(chunk: ToyChunk, self: CsId, report: ReplicaReport | undefined): void {
    const others = chunk.members.filter(({ csId }) => csId !== self);
    const isLast = !others.some(({ syncing }) => !syncing);
    if (isLast) {
      // Nobody else has it: it goes on with what it has.
      const isMember = chunk.members.some(({ csId, syncing }) => csId === self && !syncing);
      if (report === undefined || report.syncing || !isMember) return;
      chunk.members = [{ csId: self, syncing: false }, ...others.filter(({ syncing }) => syncing)];
      chunk.fresh.delete(self);
      this.#bump(chunk);
      return;
    }
    if (!this.isHealing) {
      chunk.members = others;
      this.#bump(chunk);
      return;
    }
    chunk.members = [...others, { csId: self, syncing: true }];
    if (report !== undefined && report.version === chunk.version) chunk.keep.add(self);
    else chunk.fresh.add(self);
    this.#bump(chunk);
  }

  /** The last good member is never taken out: it may come back. */
  #removeMember(chunk: ToyChunk, csId: CsId): void {
    const member = chunk.members.find((one) => one.csId === csId);
    if (member === undefined) return;
    const others = chunk.members.filter((one) => one !== member);
    if (!member.syncing && !others.some(({ syncing }) => !syncing)) return;
    chunk.members = others;
    this.#bump(chunk);
    if (this.isHealing && this.attached.has(csId)) {
      this.#host.clock.after("bring back", 300, () => {
        if (!this.attached.has(csId) || chunk.members.some((one) => one.csId === csId)) return;
        chunk.members.push({ csId, syncing: true });
        chunk.fresh.add(csId);
        this.#bump(chunk);
      });
    }
  }

  #bump(chunk: ToyChunk): void {
    chunk.version++;
    chunk.isActive = false;
    void this.#install(chunk, chunk.version);
  }

  /** Installs until all have answered, or a newer version takes over. Members that do not answer are taken out. */
  async #install(chunk: ToyChunk, version: number): Promise<void> {
    const chain = this.#chainOf(chunk);
    const sources = chain.filter(({ syncing }) => !syncing).map(({ csId }) => csId);
    const answers = await Promise.all(
      chunk.members.map(async ({ csId, syncing }) => {
        const body: InstallChunk = {
          chunkId: chunk.chunkId,
          version: chunkVersion(version),
          chunkBytes: chunk.chunkBytes,
          chain,
          create: chunk.fresh.has(csId),
          truncateBytes: chunk.truncateBytes,
          sources,
          keepContents: syncing && !chunk.fresh.has(csId),
        };
        const done = await this.command(csId, { type: "install", body });
        if (done.failure === undefined && chunk.version === version) {
          chunk.fresh.delete(csId);
          chunk.keep.delete(csId);
        }
        return { csId, done };
      }),
    );
    if (chunk.version !== version) return;
    const bad = answers.filter(({ done }) => done.failure !== undefined);
    if (bad.length === 0) {
      const head = answers.find(({ csId }) => csId === chain[0]?.csId);
      chunk.highWaterBytes = head?.done.highWaterBytes ?? 0;
      chunk.truncateBytes = undefined;
      chunk.isActive = true;
      return;
    }
    for (const { csId } of bad) this.#removeMember(chunk, csId);
    if (chunk.version === version) {
      // The last one: try again.
      await this.#host.clock.sleep("install", 200);
      if (chunk.version === version) this.#bump(chunk);
    }
  }

  #chainOf(chunk: ToyChunk): ChainMember[] {
    return chunk.members.map(({ csId, syncing }) => ({
      csId,
      syncing,
      address: `10.0.0.${csId - 1024 + 2}:2600`,
      hostId: String(csId),
    }));
  }
}

function failed(code: string): CommandDone {
  return { commandId: 0, failure: { code, detail: "" }, highWaterBytes: 0 };
}

/** Whether an error is one that a retry can cure. */
export function isPassing(error: unknown): boolean {
  return (
    error instanceof StorageError &&
    ["stale_map", "unavailable", "timed_out", "io_error", "chunk_corrupt", "busy", "no_space"].includes(
      error.code,
    )
  );
}
