import type { EventRecordStored } from "./records.js";

/** An event without what the log adds to it. */
type NewEvent = Omit<EventRecordStored, "number" | "wallMs">;

/** A member of the group of metadata servers, other than the leader, as the leader sees it. */
export interface WatchedMember {
  readonly mdsId: number;
  readonly address: string;
  readonly isVoter: boolean;
  /** Heard of lately. */
  readonly isActive: boolean;
  /** The last entry of the log that it has. */
  readonly matchIndex: number;
  /** How many snapshots it was sent in this leadership. */
  readonly snapshotCount: number;
}

/** More entries behind than that is worth a warning, as in the original. */
export const LAG_ENTRIES = 1000;
/** A member that takes nothing for so long is worth one, too. */
export const SILENT_MS = 10_000;

interface Known {
  readonly isLagging: boolean;
  readonly isSilent: boolean;
  readonly matchIndex: number;
  /** When it last was where the log ends, or came nearer to it. */
  readonly acceptedMs: number;
  readonly snapshotCount: number;
  readonly isVoter: boolean;
}

/**
 * What an operator should know of the metadata servers that follow: one event when something begins, one when it ends.
 * Lives as long as one leadership, so that what goes on under a new leader is told once more.
 */
export class GroupWatch {
  readonly #known = new Map<number, Known>();
  #hasLooked = false;

  /** What is new since the last look. `nowMs` never goes back. */
  look(members: readonly WatchedMember[], lastIndex: number, nowMs: number): NewEvent[] {
    for (const mdsId of this.#known.keys()) {
      if (!members.some((member) => member.mdsId === mdsId)) this.#known.delete(mdsId);
    }
    const events = members.flatMap((member) => this.#lookAt(member, lastIndex, nowMs));
    this.#hasLooked = true;
    return events;
  }

  #lookAt(member: WatchedMember, lastIndex: number, nowMs: number): NewEvent[] {
    const { mdsId, matchIndex, snapshotCount, isActive, isVoter } = member;
    const before = this.#known.get(mdsId);
    const accepts = isActive && (matchIndex >= lastIndex || matchIndex > (before?.matchIndex ?? -1));
    const acceptedMs = accepts || before === undefined ? nowMs : before.acceptedMs;
    const now: Known = {
      matchIndex,
      acceptedMs,
      snapshotCount,
      isSilent: isVoter && nowMs - acceptedMs >= SILENT_MS,
      isLagging: isVoter && isActive && lastIndex - matchIndex > LAG_ENTRIES,
      isVoter,
    };
    this.#known.set(mdsId, now);
    // One that joins may be a voter by the next look.
    const wasVoter = before?.isVoter ?? (isVoter && !this.#hasLooked);
    return eventsOf(member, before, now, nowMs, wasVoter);
  }
}

function eventsOf(
  member: WatchedMember,
  before: Known | undefined,
  now: Known,
  nowMs: number,
  wasVoter: boolean,
): NewEvent[] {
  const name = `MDS#${member.mdsId} (${member.address})`;
  const events: NewEvent[] = [];
  const tell = (severity: NewEvent["severity"], message: string): void => {
    events.push({ system: "JRN", severity, message: `${name} ${message}` });
  };
  if (now.snapshotCount > (before?.snapshotCount ?? 0)) {
    if (wasVoter) tell("err", "state is outdated and will do a full resync");
    else tell("info", "gets a full copy of the metadata");
  }
  const [wasSilent, wasLagging] = [before?.isSilent === true, before?.isLagging === true];
  if (now.isSilent && !wasSilent) {
    tell("err", `didn't accept commits for ${Math.floor((nowMs - now.acceptedMs) / 1000)} sec`);
  }
  if (!now.isSilent && wasSilent) tell("info", "accepts commits again");
  if (now.isLagging && !wasLagging) tell("err", `lags behind for more than ${LAG_ENTRIES} rounds`);
  // One that went away meanwhile has not caught up.
  if (!now.isLagging && wasLagging && member.isActive) tell("info", "has caught up");
  return events;
}

/** What there is to store in. */
export interface WatchedSpace {
  readonly allocatableBytes: number;
  readonly allocatableFreeBytes: number;
  /** The limit on what users store; 0: none. */
  readonly capacityBytes: number;
  readonly usedBytes: number;
}

/** One event when writers have to wait for space, one when they need not any more. */
export class SpaceWatch {
  #isOut = false;

  look({ allocatableBytes, allocatableFreeBytes, capacityBytes, usedBytes }: WatchedSpace): NewEvent[] {
    // Without servers enough for the wanted copies there is no space to be out of.
    const isOut = allocatableBytes > 0 && allocatableFreeBytes <= 0;
    if (isOut === this.#isOut || (!isOut && allocatableBytes <= 0)) return [];
    this.#isOut = isOut;
    if (!isOut) return [{ system: "MDS", severity: "info", message: "The cluster has free space again" }];
    const why = capacityBytes > 0 && usedBytes >= capacityBytes ? " (mds.alloc.capacity_max is reached)" : "";
    return [{ system: "MDS", severity: "warn", message: `The cluster is out of space${why}` }];
  }
}
