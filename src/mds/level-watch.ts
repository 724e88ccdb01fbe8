import { failureOf } from "../base/index.js";
import { toldLevel } from "../chunk/index.js";
import type { MdsLoad } from "../meta/index.js";
import { configNumber } from "./core/cluster-config.js";
import { type LevelPlan, levelOf, type Participant, planLevel } from "./core/levels.js";
import type { Leadership } from "./leadership.js";

/** After a round that came to nothing. */
const LOOK_MS = 2000;
const NOTHING: LevelPlan = { raiseTo: undefined, heldBy: [] };

/**
 * Raises the level of the cluster when everybody who takes part knows a higher one: all metadata servers, all chunk servers that
 * are not given up, all sessions. Whoever is not there just now is waited for: nobody knows what it will be when it comes back.
 */
export class LevelWatch {
  readonly #leadership: Leadership;
  readonly #askMds: (address: string) => Promise<MdsLoad>;
  #plan: LevelPlan = NOTHING;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;

  constructor(leadership: Leadership, askMds: (address: string) => Promise<MdsLoad>) {
    this.#leadership = leadership;
    this.#askMds = askMds;
  }

  /** Who keeps the level from being raised, as of the last look. */
  get heldBy(): readonly string[] {
    return this.#plan.heldBy;
  }

  /** Looks now and then, beside whatever else its caller does. */
  tick(): void {
    const nowMs = this.#leadership.clock.monotonicMs();
    if (this.#looking !== undefined || nowMs - this.#lookedMs < LOOK_MS) return;
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
      this.#lookedMs = this.#leadership.clock.monotonicMs();
    });
  }

  async #look(): Promise<void> {
    const leadership = this.#leadership;
    const { tables } = leadership;
    const limit = configNumber(tables, "mds.level.max");
    const plan = (others: readonly Participant[]): LevelPlan =>
      planLevel(levelOf(tables), limit, [...others, ...this.#chunkServers(), ...this.#clients()]);
    // Nothing is asked when there is nothing to gain.
    const best = planLevel(levelOf(tables), limit, []);
    if (best.raiseTo === undefined) {
      this.#plan = NOTHING;
      return;
    }
    const others = await this.#metadataServers();
    if (leadership.isClosed) return;
    this.#plan = plan(others);
    const { raiseTo } = this.#plan;
    if (raiseTo === undefined) return;
    leadership.log.info("the level of the cluster is raised", { level: raiseTo });
    await leadership.proposeQuietly({ type: "raiseLevel", body: { level: raiseTo } });
  }

  /** All members, also those that only learn: each must be able to read what comes. */
  #metadataServers(): Promise<Participant[]> {
    const { id, members } = this.#leadership.replica.status();
    return Promise.all(
      members
        .filter((member) => member.id !== id)
        .map(async (member): Promise<Participant> => {
          const name = `MDS#${member.id} (${member.address})`;
          return { name, level: await this.#levelOfMds(member.address) };
        }),
    );
  }

  async #levelOfMds(address: string): Promise<number | undefined> {
    try {
      return toldLevel((await this.#askMds(address)).level);
    } catch (error) {
      if (failureOf(error) === undefined) throw error;
      return undefined;
    }
  }

  #chunkServers(): Participant[] {
    const { tables, links } = this.#leadership;
    return [...tables.chunkServers.values()]
      .filter(({ activity, administration }) => activity !== "offline" && administration !== "dropped")
      .map(({ csId, address }) => ({ name: `CS#${csId} (${address})`, level: links.levelOf(csId) }));
  }

  #clients(): Participant[] {
    const { tables, sessions } = this.#leadership;
    return Array.from(tables.sessions.values(), ({ sessionId, hostname, program }) => ({
      name: `the client ${sessionId} (${program} on ${hostname})`,
      level: sessions.levelOf(sessionId),
    }));
  }
}
