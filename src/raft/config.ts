import { assert } from "../base/index.js";
import type { RaftId } from "./message.js";

/** How a group behaves in time and how much may be under way. The same for all members. */
export interface RaftSettings {
  /** Least time between two calls of `tick`, in milliseconds. A tick may come late, never early. Default 50. */
  readonly tickMs: number;
  /**
   * A follower that heard nothing for this many ticks (randomised in [min, max]) asks for an election. Default 6 to
   * 12: a dead leader is replaced in some 0.3 to 0.7 s. Min is also the time a follower protects its leader.
   */
  readonly electionTicksMin: number;
  readonly electionTicksMax: number;
  /** Ticks between two heartbeats. Default 2. Several must fit in an election timeout. */
  readonly heartbeatTicks: number;
  /** A leader whose own disk is behind the commits for this many ticks steps down. Default 60, three seconds. */
  readonly slowDiskTicks: number;
  /**
   * How far two machines' clock rates may differ, as a share of the lease. The leader takes its lease for shorter
   * by this. Default 0.1, hundred times more than quartz needs; it also covers a virtual machine's bad clock.
   */
  readonly clockDrift: number;
  /** Most data in one append message, in bytes (one larger entry still goes). Default 512 KiB. */
  readonly maxMessageBytes: number;
  /** Append messages that may be on their way to one follower. Default 64. */
  readonly maxInflight: number;
  /** Data of entries given out for applying at once, in bytes. Default 1 MiB. */
  readonly maxApplyBytes: number;
  /** Data of entries that wait for a commit on the leader, in bytes; beyond it proposals are refused. Default 64 MiB. */
  readonly maxUncommittedBytes: number;
  /** A learner this close to the leader's last entry counts as caught up, in entries. Default 256. */
  readonly caughtUpEntries: number;
}

export const RAFT_DEFAULTS: RaftSettings = {
  tickMs: 50,
  electionTicksMin: 6,
  electionTicksMax: 12,
  heartbeatTicks: 2,
  slowDiskTicks: 60,
  clockDrift: 0.1,
  maxMessageBytes: 512 * 1024,
  maxInflight: 64,
  maxApplyBytes: 1024 * 1024,
  maxUncommittedBytes: 64 * 1024 * 1024,
  caughtUpEntries: 256,
};

export interface RaftConfig extends RaftSettings {
  /** This node. */
  readonly id: RaftId;
}

/** Programmer errors in the settings. */
export function assertSettings(settings: RaftSettings): void {
  assert(settings.tickMs > 0, "time passes");
  assert(settings.heartbeatTicks >= 1, "heartbeats need a tick");
  assert(settings.electionTicksMin > settings.heartbeatTicks, "a heartbeat must fit in an election timeout");
  assert(settings.electionTicksMax >= settings.electionTicksMin, "the randomised range must not be empty");
  assert(settings.clockDrift >= 0 && settings.clockDrift < 1, "clock drift is a share");
  assert(settings.maxInflight > 0, "something must be allowed to be under way");
}
