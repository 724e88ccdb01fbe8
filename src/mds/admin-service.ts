import { isHostId } from "../auth/index.js";
import { storageError } from "../base/index.js";
import { csId } from "../chunk/index.js";
import type { AddMds, Config, Events, GetEvents, MdsAdded, MdsLoad, RemoveMds } from "../meta/index.js";
import { raftId } from "../raft/index.js";
import { ADMIN, BACKUP, type Service } from "../rpc/index.js";
import { serveBackup } from "./backup-service.js";
import { defineChunkDetails } from "./chunk-details.js";
import { configEntries } from "./core/cluster-config.js";
import type { Change } from "./core/command.js";
import { epochOf } from "./core/epochs.js";
import type { Leadership } from "./leadership.js";
import { followMembership } from "./membership-loop.js";
import { recoveryReport } from "./recovery-report.js";
import { clusterStatus } from "./status-report.js";

const EVENTS_PER_REPLY = 1000;
/** How long a change of the Raft group may take before the caller is told to look again. */
const MEMBERSHIP_TIMEOUT_MS = 20_000;
const MEMBERSHIP_RETRY_MS = 100;

export interface AdminServiceWorld {
  readonly mdsId: number;
  readonly leadership: () => Leadership;
  /** What this process costs, whether it leads or not. */
  readonly load: () => MdsLoad;
}

/** Answers operators: unary calls, on the leader. */
export class AdminService {
  readonly #world: AdminServiceWorld;

  constructor(world: AdminServiceWorld) {
    this.#world = world;
  }

  define(service: Service): void {
    service.unary(ADMIN.getStatus, async () => {
      const leadership = await this.#current();
      return await clusterStatus(leadership, this.#world.mdsId);
    });
    service.unary(ADMIN.getConfig, async (): Promise<Config> => {
      const { tables } = await this.#current();
      return { entries: configEntries(tables) };
    });
    service.unary(ADMIN.setConfig, async (request) => {
      const leadership = await this.#current();
      await leadership.propose({ type: "setConfig", body: request });
      const entry = configEntries(leadership.tables).find(({ name }) => name === request.name);
      if (entry === undefined) throw storageError("not_found", `there is no variable ${request.name}`);
      return entry;
    });
    service.unary(ADMIN.getEvents, (request) => this.#events(request));
    service.unary(ADMIN.addChunkServer, async (request) => {
      requireHostId(request.hostId);
      const leadership = await this.#current();
      return { csId: await proposeNumber(leadership, { type: "addCs", body: request }) };
    });
    service.unary(ADMIN.removeChunkServer, async ({ csId: id, force, cancel }) => {
      const leadership = await this.#current();
      const body = { csId: csId(id), force, cancel };
      const remainingCount = await proposeNumber(leadership, { type: "removeCs", body });
      const isDropped = leadership.tables.chunkServers.get(csId(id))?.administration === "dropped";
      return { remainingCount, isDropped };
    });
    service.unary(ADMIN.addMds, (request) => this.#addMds(request));
    service.unary(ADMIN.removeMds, (request) => this.#removeMds(request));
    defineChunkDetails(service, () => this.#current());
    service.unary(ADMIN.getRecovery, async () => await recoveryReport(await this.#current()));
    service.unary(ADMIN.getMdsLoad, () => Promise.resolve(this.#world.load()));
    service.stream(BACKUP, (channel) => serveBackup(channel, () => this.#current()));
  }

  /** The leadership, at a moment at which it surely leads. */
  async #current(): Promise<Leadership> {
    const leadership = this.#world.leadership();
    await leadership.readBarrier();
    return leadership;
  }

  async #events({ after, limit }: GetEvents): Promise<Events> {
    const { store, tables } = await this.#current();
    const count = limit === 0 ? EVENTS_PER_REPLY : Math.min(limit, EVENTS_PER_REPLY);
    // Without a beginning, the latest ones.
    const from = after === 0 ? Math.max(0, (tables.counters.get()?.event ?? 0) - count) : after;
    return { events: await store.eventsPage(from, count) };
  }

  async #addMds({ address, hostId }: AddMds): Promise<MdsAdded> {
    requireHostId(hostId);
    if (!ADDRESS.test(address)) throw storageError("invalid", "not the address of a metadata server");
    const leadership = await this.#current();
    const mdsId = await proposeNumber(leadership, { type: "addMds", body: { address, hostId } });
    await until(leadership, () => leadership.replica.members().some(({ id }) => id === raftId(mdsId)));
    const members = leadership.replica.members().map((member) => ({
      mdsId: member.id,
      address: member.address,
      isVoter: member.role === "voter",
    }));
    const clusterName = leadership.tables.cluster.get()?.name ?? "";
    return { mdsId, clusterName, members, epoch: epochOf(leadership.tables) };
  }

  async #removeMds({ mdsId }: RemoveMds): Promise<Record<string, never>> {
    const leadership = await this.#current();
    const { members } = leadership.replica.status();
    const leaving = members.find(({ id }) => id === mdsId);
    const staying = members.filter(({ id, role }) => id !== mdsId && role === "voter");
    if (leaving?.role === "voter") {
      const active = staying.filter(({ id, isActive }) => isActive || id === this.#world.mdsId).length;
      if (active < Math.floor(staying.length / 2) + 1) {
        throw storageError("refused", "removing it would leave too few working MDSs to decide anything");
      }
    }
    if (mdsId === this.#world.mdsId) {
      if (staying.length === 0) throw storageError("refused", "the last MDS cannot be removed");
      // Its successor goes on: the caller is sent there.
      await leadership.replica.transferLeadership();
      throw storageError("not_leader", "the leadership moves before this MDS is removed");
    }
    await leadership.propose({ type: "removeMds", body: { mdsId } });
    await until(leadership, () => !leadership.replica.members().some(({ id }) => id === mdsId));
    return {};
  }
}

/** `HOST:PORT` or `[IP]:PORT`, of what may become part of every snapshot. */
const ADDRESS = /^[0-9A-Za-z.:%[\]_-]{1,255}:\d{1,5}$/;

function requireHostId(hostId: string): void {
  if (!isHostId(hostId)) throw storageError("invalid", "not the id of a host");
}

async function proposeNumber(leadership: Leadership, change: Change): Promise<number> {
  const outcome = await leadership.propose(change);
  if (outcome.type === "done") return outcome.value;
  throw storageError("busy", "the change cannot be made now; try again");
}

/** Works on the membership until it is so. */
async function until(leadership: Leadership, isSo: () => boolean): Promise<void> {
  const endMs = leadership.clock.monotonicMs() + MEMBERSHIP_TIMEOUT_MS;
  while (!isSo()) {
    leadership.requireLeading();
    if (leadership.clock.monotonicMs() > endMs) {
      throw storageError(
        "timed_out",
        "the group of MDSs has not changed yet; look at stat, and repeat the command",
      );
    }
    await followMembership(leadership);
    if (!isSo()) await leadership.clock.sleep("mds.membership", MEMBERSHIP_RETRY_MS);
  }
}
