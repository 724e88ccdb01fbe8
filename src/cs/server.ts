import { storageError } from "../base/index.js";
import type { ChunkReply, DescribeChunk, LocateChunk, ReadChunk } from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import type { CallContext, ChunkAnswer, ChunkCall } from "../rpc/index.js";
import type { CargoMeter } from "./cargo.js";
import { checkRequest } from "./check-request.js";
import { Bitmap } from "./core/bitmap.js";
import type { ServiceLease } from "./core/service-lease.js";
import { Courtesy } from "./courtesy.js";
import type { CsLimits, ReplicaEnvironment } from "./environment.js";
import { isForCopy, type LoadMeter } from "./load-meter.js";
import { answerOfRead, withoutHoles } from "./merge-blocks.js";
import type { Replica } from "./replica.js";
import type { ReplicaTable } from "./replica-table.js";
import { Slots } from "./slots.js";
import type { ChunkStore } from "./store/chunk-store.js";
import type { TicketGate } from "./ticket-gate.js";

const NO_BYTES = new Uint8Array(0);

/** Requests about chunks, from clients and other servers: checked, given to the replica, answered. */
export class ChunkRequests {
  readonly #clock: Clock;
  readonly #lease: ServiceLease;
  readonly #table: ReplicaTable;
  readonly #store: ChunkStore;
  readonly #load: LoadMeter;
  readonly #limits: CsLimits;
  readonly #cargoMeter: CargoMeter;
  readonly #backgroundReads: Slots;
  /** Of what is copied from here. */
  readonly #courtesy: Courtesy;
  readonly #takeRoom: (lengthBytes: number) => boolean;
  readonly #tickets: TicketGate;
  #isDraining = false;

  constructor(
    env: ReplicaEnvironment,
    lease: ServiceLease,
    table: ReplicaTable,
    store: ChunkStore,
    load: LoadMeter,
    tickets: TicketGate,
  ) {
    this.#clock = env.clock;
    this.#limits = env.limits;
    this.#cargoMeter = env.cargoMeter;
    this.#lease = lease;
    this.#table = table;
    this.#store = store;
    this.#load = load;
    this.#backgroundReads = new Slots(env.limits.backgroundReadsMax);
    this.#courtesy = new Courtesy(env.clock, () => load.unusedForMs);
    this.#takeRoom = env.takeRoom;
    this.#tickets = tickets;
  }

  /** From now on clients' requests are refused; what is on its way down a chain is still taken. */
  drain(): void {
    this.#isDraining = true;
  }

  handle(call: ChunkCall, context: CallContext): Promise<ChunkAnswer> {
    const { type, body } = call.request;
    return this.#load.measure(
      {
        type,
        isFill: isForCopy(call.request),
        placeCount: type === "extents" || type === "forward" ? body.extents?.length || 1 : 1,
      },
      (answer) => call.payload.length + answer.payload.length,
      () => this.#handle(call, context),
    );
  }

  async #handle(call: ChunkCall, { peer, deadlineMs }: CallContext): Promise<ChunkAnswer> {
    const { request, payload } = call;
    if (!this.#lease.mayServe(this.#clock.monotonicMs())) {
      throw storageError("unavailable", "this server has lost touch with the MDS");
    }
    const replica = this.#table.find(request.body.chunkId);
    if (replica === undefined) return unknownChunk(request.type === "forward" || isForwardedSync(request));
    this.#tickets.check(replica, call, peer);
    this.#store.use(replica.stored);
    checkRequest(request, payload, replica.stored.chunkBytes);
    switch (request.type) {
      case "write":
        this.#checkRoom(replica);
        if (!this.#takeRoom(payload.length)) throw storageError("busy", "the disk is full");
        return withoutBytes(await replica.write(request.body, payload));
      case "extents":
        this.#checkRoom(replica);
        if (!this.#takeRoom(payload.length)) throw storageError("busy", "the disk is full");
        return withoutBytes(await replica.writeExtents(request.body, payload));
      case "zero":
        this.#checkRoom(replica);
        return withoutBytes(await replica.zero(request.body));
      case "forward":
        if (!this.#takeRoom(payload.length)) throw storageError("no_space", "the disk is full");
        return withoutBytes(await replica.receive(request.body, payload));
      case "sync":
        return withoutBytes(await replica.sync(request.body.version, request.body.isForwarded === true));
      case "read":
        return await this.#read(replica, request.body, deadlineMs);
      case "describe":
        return await this.#describe(replica, request.body, deadlineMs);
      case "seek": {
        const { version, offset, isHole } = request.body;
        const rest = { offset, lengthBytes: replica.stored.chunkBytes - offset };
        const found = await replica.look(version, rest, deadlineMs, (stored) => stored.seek(offset, isHole));
        return withoutBytes({ type: "place", body: { offset: found } });
      }
      case "locate":
        return await this.#locate(replica, request.body, deadlineMs);
    }
  }

  async #read(replica: Replica, body: ReadChunk, deadlineMs: number): Promise<ChunkAnswer> {
    const { version, offset, lengthBytes, background } = body;
    const read = (): Promise<ChunkAnswer> =>
      replica.read(version, offset, lengthBytes, deadlineMs).then((stored) => {
        const { bytes, checksums } = background
          ? withoutHoles(stored)
          : answerOfRead(stored, offset, lengthBytes);
        return { reply: { type: "data", body: { checksums } }, payload: bytes };
      });
    if (!background) return await read();
    return await this.#backgroundReads.run(() => this.#courtesy.piece(read));
  }

  async #describe(replica: Replica, body: DescribeChunk, deadlineMs: number): Promise<ChunkAnswer> {
    const whole = { offset: 0, lengthBytes: replica.stored.chunkBytes };
    await replica.look(body.version, whole, deadlineMs, (stored) => stored.open());
    const { record, highWaterBytes, history } = replica.stored;
    const { lostRegions } = replica.mending;
    const { sinceVersion } = body;
    const description = {
      highWaterBytes,
      regions: record.written.toBytes(),
      suspectRegions: record.suspectRegions.toBytes(),
      damagedRegions: lostRegions.length === 0 ? undefined : Bitmap.of(...lostRegions).toBytes(),
      changedRegions: sinceVersion === undefined ? undefined : history.changedAfter(sinceVersion)?.toBytes(),
    };
    return { reply: { type: "description", body: description }, payload: NO_BYTES };
  }

  async #locate(replica: Replica, body: LocateChunk, deadlineMs: number): Promise<ChunkAnswer> {
    const location = await replica.look(body.version, body, deadlineMs, (stored) =>
      stored.locate(body.offset, body.lengthBytes),
    );
    return withoutBytes({ type: "location", body: location });
  }

  /** Memory is bounded here, where clients come in; what was admitted once goes through the whole chain. */
  #checkRoom(replica: Replica): void {
    if (this.#isDraining) throw storageError("unavailable", "this server is stopping");
    if (replica.cargoBytes >= this.#limits.chunkBytesMax) {
      throw storageError("busy", "too many bytes of this chunk are on their way");
    }
    if (this.#cargoMeter.bytes >= this.#limits.admittedBytesMax) {
      throw storageError("busy", "too many bytes are on their way");
    }
  }
}

function isForwardedSync(request: ChunkCall["request"]): boolean {
  return request.type === "sync" && request.body.isForwarded === true;
}

/** A server before this one in a chain may have heard of an install earlier; a client's map is wrong. */
function unknownChunk(isFromServer: boolean): ChunkAnswer {
  if (!isFromServer) throw storageError("stale_map", "this server has no replica of the chunk");
  return withoutBytes({ type: "held", body: { installedVersion: 0, successorFailed: false } });
}

function withoutBytes(reply: ChunkReply): ChunkAnswer {
  return { reply, payload: NO_BYTES };
}
