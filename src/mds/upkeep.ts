import { unreachable } from "../base/index.js";
import { type CsId, csId } from "../chunk/index.js";
import { inodeNumber, sessionId } from "../meta/index.js";
import { BackgroundJobs, Heartbeat } from "./background-jobs.js";
import { deleteReplicas, dropFileChunks, sweepFileChunks } from "./chunk-sweeping.js";
import { ClusterWatch } from "./cluster-watch.js";
import { configNumber } from "./core/cluster-config.js";
import type { Effect } from "./core/effects.js";
import { CsLiveness } from "./cs-liveness.js";
import type { Leadership } from "./leadership.js";
import type { LevelWatch } from "./level-watch.js";
import { followMembership } from "./membership-loop.js";
import { RebalanceLoop } from "./rebalance-loop.js";
import { RepairLoop } from "./repair-loop.js";

/** How often the leader looks after everything that time alone changes. */
const BEAT_MS = 500;
/** A beat this late means that the process stood still. */
const STALL_MS = 2000;

/** Effects that are not carried out by a single push or command. */
type WorkEffect = Exclude<
  Effect,
  {
    readonly type:
      | "wake"
      | "recallLease"
      | "locksChanged"
      | "sessionEnded"
      | "install"
      | "attributesReported"
      | "levelRaised";
  }
>;

/**
 * The leader's background work: liveness of sessions and servers, files to be reclaimed, replicas to be deleted and
 * repaired, members to be promoted. It only proposes; what is right is decided when the proposal is applied.
 */
export class Upkeep {
  readonly #leadership: Leadership;
  readonly #liveness: CsLiveness;
  readonly #watch: ClusterWatch;
  readonly levels: LevelWatch;
  readonly repair: RepairLoop;
  readonly #rebalance: RebalanceLoop;
  readonly #beat: Heartbeat;
  readonly #jobs: readonly BackgroundJobs<number>[];
  readonly #reclaims: BackgroundJobs<number>;
  readonly #sweeps: BackgroundJobs<number>;
  readonly #deletions: BackgroundJobs<number>;
  readonly #recoveries: BackgroundJobs<number>;
  readonly #endings: BackgroundJobs<number>;

  constructor(leadership: Leadership, levels: LevelWatch) {
    this.#leadership = leadership;
    this.levels = levels;
    this.#liveness = new CsLiveness(leadership);
    this.#watch = new ClusterWatch(leadership);
    this.repair = new RepairLoop(leadership);
    this.#rebalance = new RebalanceLoop(leadership);
    this.#beat = new Heartbeat(leadership.clock, "mds.upkeep", BEAT_MS, (lateMs) => this.#tick(lateMs));
    this.#reclaims = new BackgroundJobs(8, (ino) => dropFileChunks(leadership, inodeNumber(ino)));
    this.#sweeps = new BackgroundJobs(4, (ino) => this.#sweep(ino));
    this.#deletions = new BackgroundJobs(16, (id) => deleteReplicas(leadership, csId(id)));
    this.#recoveries = new BackgroundJobs(8, (ino) =>
      leadership.proposeQuietly({ type: "finishRecovery", body: { ino: inodeNumber(ino) } }),
    );
    this.#endings = new BackgroundJobs(4, (id) => this.#endSession(id));
    this.#jobs = [this.#reclaims, this.#sweeps, this.#deletions, this.#recoveries, this.#endings];
  }

  start(): void {
    for (const { csId: id } of this.#leadership.tables.chunkServers.values()) this.#deletions.add(id);
    this.#beat.start();
    this.repair.start();
    this.#rebalance.start();
  }

  /** Takes up what an applied command called for. */
  notice(effect: WorkEffect): void {
    switch (effect.type) {
      case "reclaim":
        this.#reclaims.add(effect.ino);
        return;
      case "sweep":
        this.#sweeps.add(effect.ino);
        return;
      case "recover":
        this.#recoveries.add(effect.ino);
        return;
      case "endSession":
        this.#endings.add(effect.sessionId);
        return;
      case "deleteReplica":
        this.#deletions.add(effect.csId);
        return;
      case "chunkServersChanged":
        this.#rebalance.kick();
        this.repair.kick();
        return;
      case "repair":
        this.repair.kick();
        return;
      case "mdsServersChanged":
        void followMembership(this.#leadership);
        return;
      case "configChanged":
        return;
      default:
        unreachable(effect);
    }
  }

  chunkServerChanged(id: CsId): void {
    const change = this.#liveness.changed(id);
    if (change !== undefined) void this.#leadership.proposeQuietly(change);
    this.#deletions.add(id);
    this.repair.kick();
  }

  close(): void {
    this.#beat.close();
    this.repair.close();
    this.#rebalance.close();
    for (const jobs of this.#jobs) jobs.close();
  }

  async #tick(lateMs: number): Promise<void> {
    const leadership = this.#leadership;
    if (lateMs > STALL_MS) {
      leadership.sessions.forgiveSilence();
      this.#liveness.forgiveSilence();
    }
    for (const id of leadership.sessions.silentLongerThan(
      configNumber(leadership.tables, "mds.session.lease_tout"),
    )) {
      this.#endings.add(id);
    }
    for (const change of this.#liveness.tick()) await leadership.proposeQuietly(change);
    await followMembership(leadership);
    await this.#watch.tick();
    this.levels.tick();
    for (const jobs of this.#jobs) jobs.retry();
  }

  /** The chunks follow what their file wants now; replicas may have to move. */
  async #sweep(ino: number): Promise<boolean> {
    const isDone = await sweepFileChunks(this.#leadership, inodeNumber(ino));
    if (isDone) this.#rebalance.kick();
    return isDone;
  }

  async #endSession(id: number): Promise<boolean> {
    const session = sessionId(id);
    if (this.#leadership.tables.sessions.get(session) === undefined) return true;
    const reason = "the client was silent for too long";
    return await this.#leadership.proposeQuietly({
      type: "endSession",
      body: { sessionId: session, reason },
    });
  }
}
