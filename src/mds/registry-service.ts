import { storageError } from "../base/index.js";
import {
  type CsHeartbeat,
  type CsId,
  FIRST_LEVEL,
  LEVEL_OF,
  levelRefusal,
  type NumberedCsCommand,
  type RegisterCs,
  type RegistryReply,
  type RegistryRequest,
  type ReportInventory,
  toldLevel,
} from "../chunk/index.js";
import { type CallServer, type Channel, REGISTRY_ATTACH, type Service, serveCalls } from "../rpc/index.js";
import { leaveOut } from "./chunk-reports.js";
import { damageEvent, scrubOrders } from "./core/bit-rot.js";
import { isNews } from "./core/chunk-servers.js";
import { configNumber } from "./core/cluster-config.js";
import { epochOf } from "./core/epochs.js";
import { InventoryComparison } from "./inventory-service.js";
import type { Leadership } from "./leadership.js";
import { noteRefusal } from "./refusal-log.js";

/** The version of the conversation between chunk servers and metadata servers. */
export const REGISTRY_PROTOCOL_VERSION = 2;

const OK: RegistryReply = { type: "ok", body: {} };

export interface RegistryServiceWorld {
  readonly clusterId: string;
  readonly leadership: () => Leadership;
}

type RegistryDown = Parameters<typeof REGISTRY_ATTACH.down.encode>[0];
type RegistryUp = Parameters<typeof REGISTRY_ATTACH.up.encode>[0];

/** Answers chunk servers: one stream each, the first request is `register`. */
export class RegistryService {
  readonly #world: RegistryServiceWorld;

  constructor(world: RegistryServiceWorld) {
    this.#world = world;
  }

  define(service: Service): void {
    service.stream(REGISTRY_ATTACH, (channel) => this.#accept(channel));
  }

  #accept(channel: Channel<RegistryDown, RegistryUp>): void {
    const attachment = new Attachment(this.#world);
    const connection: CallServer<NumberedCsCommand> = serveCalls<
      RegistryRequest,
      RegistryReply,
      NumberedCsCommand
    >(channel, (request) => attachment.answer(request, connection), { concurrencyMax: 4096 });
    connection.onClose(() => attachment.end(connection));
  }
}

class Attachment {
  readonly #world: RegistryServiceWorld;
  #csId: CsId | undefined;
  #leadership: Leadership | undefined;
  #level = FIRST_LEVEL;
  #incarnation = 0;
  #inventory: InventoryComparison | undefined;
  /** Parts of the inventory are taken in one after the other. */
  #taking: Promise<void> = Promise.resolve();

  constructor(world: RegistryServiceWorld) {
    this.#world = world;
  }

  async answer(request: RegistryRequest, connection: CallServer<NumberedCsCommand>): Promise<RegistryReply> {
    const leadership = this.#world.leadership();
    if (request.type === "register") {
      return await this.#register(leadership, request.body, connection).catch((error: unknown) => {
        noteRefusal(leadership.log, "a chunk server was refused", connection.peer, error);
        throw error;
      });
    }
    const csId = this.#csId;
    if (csId === undefined || this.#leadership !== leadership) {
      throw storageError("session_lost", "a stream begins with register");
    }
    switch (request.type) {
      case "inventory":
        this.#taking = this.#taking.then(() => this.#take(leadership, csId, request.body, connection));
        await this.#taking;
        return OK;
      case "heartbeat":
        await leadership.readBarrier();
        await this.#heartbeat(leadership, csId, request.body);
        return {
          type: "ok",
          body: { scrub: scrubOrders(leadership.tables), ticketKey: leadership.tickets.key },
        };
      case "commandDone":
        leadership.links.commandDone(csId, request.body);
        return OK;
      case "reportReplica":
        await leaveOut(leadership, request.body);
        return OK;
      case "replicaSynced": {
        const { chunkId, version } = request.body;
        await leadership.replicaSynced(csId, chunkId, version);
        return OK;
      }
      case "reportDamage":
        await leadership.propose({ type: "recordEvent", body: damageEvent(csId, request.body) });
        return OK;
    }
  }

  async #take(
    leadership: Leadership,
    csId: CsId,
    { replicas, isLast }: ReportInventory,
    connection: CallServer<NumberedCsCommand>,
  ): Promise<void> {
    this.#inventory ??= new InventoryComparison(leadership, csId);
    await this.#inventory.add(replicas);
    if (!isLast) return;
    await leadership.attach(csId, connection, this.#inventory, this.#level);
    this.#inventory = undefined;
    // It was raised meanwhile.
    leadership.links.requireLevel(leadership.level);
  }

  end(connection: CallServer<NumberedCsCommand>): void {
    if (this.#csId === undefined || this.#leadership === undefined) return;
    this.#leadership.detach(this.#csId, connection);
  }

  async #register(
    leadership: Leadership,
    register: RegisterCs,
    connection: CallServer<NumberedCsCommand>,
  ): Promise<RegistryReply> {
    if (register.clusterId !== this.#world.clusterId)
      throw storageError("wrong_cluster", "this is another cluster");
    if (register.protocolVersion !== REGISTRY_PROTOCOL_VERSION) {
      throw storageError(
        "unsupported",
        `this MDS speaks protocol ${REGISTRY_PROTOCOL_VERSION}; update the older side`,
      );
    }
    if (connection.peer.hostId !== register.hostId) {
      throw storageError("unauthorized", "the certificate is not of the host that the chunk server claims");
    }
    if (this.#csId !== undefined) throw storageError("malformed", "one registration a stream");
    await leadership.readBarrier();
    this.#level = toldLevel(register.level);
    if (this.#level < leadership.level)
      throw storageError("unsupported", levelRefusal(leadership.level, this.#level));
    requireAlone(leadership, register);
    const { csId, address, hostId, location, tier, incarnation, space, runs } = register;
    await leadership.propose({
      type: "registerCs",
      body: { csId, address, hostId, location, tier, incarnation, space, runs },
    });
    leadership.requireLeading();
    this.#csId = csId;
    this.#incarnation = incarnation;
    this.#leadership = leadership;
    leadership.links.expect(csId, connection);
    const heartbeatMs = configNumber(leadership.tables, "mds.wd.heartbeat_period");
    const leaseMs = configNumber(leadership.tables, "mds.wd.inactive_tout");
    const epoch = epochOf(leadership.tables);
    return {
      type: "registered",
      body: { heartbeatMs, leaseMs, epoch, ticketKey: leadership.tickets.key },
    };
  }

  async #heartbeat(leadership: Leadership, csId: CsId, heartbeat: CsHeartbeat): Promise<void> {
    leadership.links.heartbeat(csId, heartbeat);
    if (heartbeat.isLeaving === true && leadership.level >= LEVEL_OF.maintenance) {
      const body = { csId, incarnation: this.#incarnation, isInMaintenance: true };
      await leadership.proposeQuietly({ type: "setCsMaintenance", body });
    }
    const { space, replicaCount, flags } = heartbeat;
    const server = leadership.tables.chunkServers.get(csId);
    if (server !== undefined && isNews(server, heartbeat)) {
      await leadership.proposeQuietly({ type: "updateCs", body: { csId, space, replicaCount, flags } });
    }
  }
}

/** The process that was taken in last is there and talks: another one of the same repository, or of a copy, must not take its place. */
function requireAlone({ tables, links }: Leadership, { csId, hostId, runs }: RegisterCs): void {
  const server = tables.chunkServers.get(csId);
  // On another host it is refused for that.
  if (server?.run === undefined || server.run === runs.at(-1) || server.hostId !== hostId) return;
  const silentMs = SILENT_HEARTBEATS * configNumber(tables, "mds.wd.heartbeat_period");
  if (!links.isHeard(csId, silentMs)) return;
  throw storageError("refused", `CS#${csId} runs already, at ${server.address}: is this repository a copy?`);
}

/** Who has not sent a heartbeat for so many periods may be gone, and its successor may come. */
const SILENT_HEARTBEATS = 3;
