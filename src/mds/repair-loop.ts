import type { ChunkId, CsId } from "../chunk/index.js";
import type { RepairPreview, RepairStep } from "../meta/index.js";
import { Heartbeat } from "./background-jobs.js";
import { chunkState } from "./core/chunk-states.js";
import type { ReconfigureChunk } from "./core/command.js";
import type { ChunkRecord } from "./core/records.js";
import { planRepairs, type RepairPlan, suppressionOf } from "./core/repair-plan.js";
import { type InventoryVerdicts, settleInventory } from "./inventory-service.js";
import type { Leadership } from "./leadership.js";
import { Evidence } from "./lost-evidence.js";
import { RecoveredChunks } from "./recovered-chunks.js";
import { RepairCandidates } from "./repair-candidates.js";
import { StaleReplicas } from "./stale-replicas.js";
import { Suspects } from "./suspects.js";

const PERIOD_MS = 500;
/** While chunks wait for their turn: a small chunk is filled much faster than a period. */
const QUEUE_PERIOD_MS = 100;
const STEPS_PER_ROUND = 200;
/** Replicas in doubt that are settled in one round. */
const SETTLED_PER_ROUND = 500;

const NOTHING = { delayedCount: 0 } as const;

/** Keeps chunks at their wanted number of replicas: looks at those that may not be, round by round. */
export class RepairLoop {
  readonly #leadership: Leadership;
  readonly #suspects: Suspects;
  readonly #beat: Heartbeat;
  readonly #evidence = new Evidence();
  readonly #stale = new StaleReplicas();
  readonly #recovered: RecoveredChunks;
  /** Chunks that were seen with a replica being filled: the lists are long, and each round sees a page of them. */
  #filling = new Set<ChunkId>();
  readonly #candidates: RepairCandidates;
  #isDue = true;
  #suppressed: string | undefined;

  constructor(leadership: Leadership) {
    this.#leadership = leadership;
    const { clock, tables, links } = leadership;
    const evidenceOf = this.#evidence.of.bind(this.#evidence);
    this.#recovered = new RecoveredChunks(leadership);
    this.#candidates = new RepairCandidates(leadership);
    this.#suspects = new Suspects({ clock, tables, links, evidenceOf });
    this.#beat = new Heartbeat(leadership.clock, "mds.repair", PERIOD_MS, () => this.#rounds());
  }

  start(): void {
    this.#beat.start();
  }

  /** Something changed: the next round looks at everything. */
  kick(): void {
    this.#isDue = true;
  }

  isSuspect(chunkId: ChunkId, csId: CsId): boolean {
    return this.#suspects.isSuspect(chunkId, csId);
  }

  /** Acts on what an inventory calls for, once the server takes commands. */
  async settle(csId: CsId, verdicts: InventoryVerdicts): Promise<void> {
    await settleInventory(this.#leadership, csId, verdicts);
    this.kick();
  }

  /** What the inventory said is known from now on. Called before the server takes commands. */
  note(csId: CsId, { suspects, reservations, doubted, orphans, stale }: InventoryVerdicts): void {
    this.#suspects.reported(csId, suspects);
    this.#evidence.reported(csId, reservations);
    this.#stale.reported(csId, stale);
    this.#recovered.reported(csId, doubted, orphans);
  }

  /** The server went away: what it had is open again. */
  forget(csId: CsId): void {
    this.#suspects.forget(csId);
    this.#evidence.forget(csId);
    this.#stale.forget(csId);
    this.#recovered.forget(csId);
  }

  /** The replica there has everything now, whatever the inventory said. */
  filled(csId: CsId, chunkId: ChunkId): void {
    this.#evidence.filled(csId, chunkId);
  }

  /** The server refused to go on with its replica, for good. */
  refused(csId: CsId, record: ChunkRecord): void {
    this.#evidence.useless(csId, record);
    this.#stale.used(csId, record.chunkId);
    this.kick();
  }

  /** After a recovery of the metadata: what is still in doubt, and what only the lost time knew. */
  get recovered(): RecoveredChunks {
    return this.#recovered;
  }

  close(): void {
    this.#beat.close();
  }

  async #rounds(): Promise<void> {
    const { clock } = this.#leadership;
    while (!this.#leadership.isClosed) {
      const { delayedCount } = await this.#round();
      if (delayedCount === 0) return;
      await clock.sleep("mds.repair.queue", QUEUE_PERIOD_MS);
    }
  }

  async #round(): Promise<Pick<RepairPlan, "delayedCount">> {
    await this.#recovered.round();
    // All at once, as below: clients wait for what is in doubt, and a server that comes back may have thousands.
    const settling = this.#suspects.steps().slice(0, SETTLED_PER_ROUND);
    await Promise.all(settling.map((step) => this.#settleDoubt(step)));
    if (!this.#isDue) return NOTHING;
    this.#isDue = false;
    const { ids, isAll } = await this.#candidates.next();
    if (this.#leadership.isClosed) return NOTHING;
    if (ids.length === 0 && isAll) {
      // Nobody tells of what holds up nothing; but that it is over is told.
      if (this.#suppressed !== undefined) await this.#tell(suppressionOf(this.#leadership.tables));
      return NOTHING;
    }
    // What is left over now may be possible in the next round.
    this.#isDue = true;
    const plan = this.#plan(ids, STEPS_PER_ROUND);
    await this.#tell(plan.suppressed);
    // All at once: they share the writes of the log.
    await Promise.all(plan.steps.map((body) => this.#take(body)));
    return plan;
  }

  /** What would be done now about the first chunks of each kind. */
  async preview(): Promise<RepairPreview> {
    const { tables, waiters } = this.#leadership;
    const { ids, isAll } = await new RepairCandidates(this.#leadership).next();
    const plan = this.#plan(ids);
    const steps = plan.steps.flatMap(({ chunkId, remove, add, reason }): RepairStep[] => {
      const record = tables.chunks.get(chunkId);
      if (record === undefined) return [];
      const state = chunkState(tables, record, waiters.isWaitedFor({ type: "chunk", chunkId }));
      return [{ chunkId, ino: record.ino, state, remove, add: add.map(({ csId }) => csId), reason }];
    });
    const { delayedCount, homelessCount, suppressed = "" } = plan;
    return { steps, suppressed, delayedCount, homelessCount, isPartial: !isAll };
  }

  #plan(ids: readonly ChunkId[], stepsMax?: number): RepairPlan {
    const { tables, waiters, clock } = this.#leadership;
    const records = this.#recordsOf(ids);
    const filling = [...this.#recordsOf([...this.#filling]), ...records].filter(isFilling);
    this.#filling = new Set(filling.map(({ chunkId }) => chunkId));
    return planRepairs(
      {
        tables,
        stampMs: clock.wallMs(),
        isAwaited: (chunkId) => waiters.isWaitedFor({ type: "chunk", chunkId }),
        evidenceOf: (csId, record) => this.#evidence.of(csId, record),
        isStale: (csId, record) => this.#stale.has(csId, record),
        filling,
      },
      records,
      stepsMax,
    );
  }

  async #settleDoubt(body: ReconfigureChunk): Promise<void> {
    if (await this.#leadership.proposeQuietly({ type: "reconfigureChunk", body }))
      this.#suspects.settled(body.chunkId);
  }

  async #take(body: ReconfigureChunk): Promise<void> {
    const record = this.#leadership.tables.chunks.get(body.chunkId);
    // Before it is known whether the step is taken: the servers may hear of it earlier.
    for (const { csId, keepContents } of body.add) {
      if (keepContents && record !== undefined) this.#evidence.refilled(csId, record);
    }
    const isTaken = await this.#leadership.proposeQuietly({ type: "reconfigureChunk", body });
    if (!isTaken) return;
    if (body.add.length > 0) this.#filling.add(body.chunkId);
    for (const { csId } of body.add) this.#stale.used(csId, body.chunkId);
  }

  #recordsOf(ids: readonly ChunkId[]): ChunkRecord[] {
    return ids.flatMap((chunkId) => this.#leadership.tables.chunks.get(chunkId) ?? []);
  }

  /** Once for each time that repair is held up. */
  async #tell(suppressed: string | undefined): Promise<void> {
    if (suppressed === this.#suppressed) return;
    this.#suppressed = suppressed;
    const message =
      suppressed === undefined
        ? "Automatic replication goes on"
        : `Automatic replication is suppressed: ${suppressed}`;
    const severity = suppressed === undefined ? "info" : "warn";
    await this.#leadership.proposeQuietly({
      type: "recordEvent",
      body: { system: "MDS", severity, message },
    });
  }
}

const isFilling = ({ chain }: ChunkRecord): boolean => chain.some(({ syncing }) => syncing);
