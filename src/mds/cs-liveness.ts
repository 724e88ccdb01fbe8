import type { CsId } from "../chunk/index.js";
import type { Clock } from "../io/index.js";
import { configNumber } from "./core/cluster-config.js";
import type { Change } from "./core/command.js";
import { overdueMaintenances } from "./core/cs-maintenance.js";
import type { Tables } from "./core/tables.js";
import type { CsLinks } from "./cs-links.js";

export interface LivenessWorld {
  readonly clock: Clock;
  readonly tables: Tables;
  readonly links: CsLinks;
}

/**
 * Which chunk servers are active, inactive or offline, by this leader's own clock: a new leader gives every server
 * the full time again.
 */
export class CsLiveness {
  readonly #world: LivenessWorld;
  /** Since when a server has not been connected, by this leader's clock. */
  readonly #goneSinceMs = new Map<CsId, number>();

  constructor(world: LivenessWorld) {
    this.#world = world;
    const nowMs = world.clock.monotonicMs();
    for (const { csId } of world.tables.chunkServers.values()) this.#goneSinceMs.set(csId, nowMs);
  }

  /** Its connection came or went. A connection that breaks makes the server inactive at once. */
  changed(csId: CsId): Change | undefined {
    if (this.#world.links.isConnected(csId)) {
      this.#goneSinceMs.delete(csId);
      return undefined;
    }
    if (!this.#goneSinceMs.has(csId)) this.#goneSinceMs.set(csId, this.#world.clock.monotonicMs());
    const server = this.#world.tables.chunkServers.get(csId);
    if (server?.activity !== "active" || server.administration === "dropped") return undefined;
    return { type: "setCsActivity", body: { csId, activity: "inactive" } };
  }

  /** What time alone has changed. */
  tick(): Change[] {
    const { clock, tables, links } = this.#world;
    const inactiveMs = configNumber(tables, "mds.wd.inactive_tout");
    const offlineMs = configNumber(tables, "mds.wd.offline_tout");
    for (const csId of links.silentLongerThan(inactiveMs)) links.drop(csId);
    const changes: Change[] = overdueMaintenances(tables, clock.wallMs());
    for (const { csId, activity, administration } of tables.chunkServers.values()) {
      if (administration === "dropped") continue;
      if (links.isConnected(csId)) {
        // What was proposed while it was away may have come behind its registration.
        if (activity !== "active")
          changes.push({ type: "setCsActivity", body: { csId, activity: "active" } });
        continue;
      }
      // One that registered and went before it said what it holds was never connected.
      const sinceMs = this.#goneSinceMs.get(csId) ?? clock.monotonicMs();
      this.#goneSinceMs.set(csId, sinceMs);
      const goneMs = clock.monotonicMs() - sinceMs;
      if (activity !== "offline" && goneMs > offlineMs) {
        changes.push({ type: "setCsActivity", body: { csId, activity: "offline" } });
      } else if (activity === "active" && goneMs > inactiveMs) {
        changes.push({ type: "setCsActivity", body: { csId, activity: "inactive" } });
      }
    }
    return changes;
  }

  /** This process stood still: the silence was ours. */
  forgiveSilence(): void {
    const nowMs = this.#world.clock.monotonicMs();
    for (const csId of this.#goneSinceMs.keys()) this.#goneSinceMs.set(csId, nowMs);
    this.#world.links.forgiveSilence();
  }
}
