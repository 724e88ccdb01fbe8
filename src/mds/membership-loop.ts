import { failureOf } from "../base/index.js";
import { type RaftId, raftId } from "../raft/index.js";
import type { Logger } from "../telemetry/index.js";
import type { Tables } from "./core/tables.js";
import type { Replica } from "./replica.js";

/** What decides who takes part: the metadata say who should, consensus who does. */
export interface MembershipWorld {
  readonly tables: Tables;
  readonly replica: Replica;
  readonly log: Logger;
}

/**
 * One step of the Raft group towards the servers that the metadata name: one member added, promoted or removed, as
 * consensus allows one change at a time. Repeated until nothing is left to do.
 */
export async function followMembership({ tables, replica, log }: MembershipWorld): Promise<void> {
  // Before the genesis is applied nobody is named.
  if (tables.mdsServers.size === 0) return;
  try {
    const members = new Map(replica.status().members.map((member) => [member.id, member]));
    for (const { mdsId, address } of tables.mdsServers.values()) {
      const member = members.get(raftId(mdsId));
      if (member === undefined) return await replica.addLearner(raftId(mdsId), address);
      if (member.role === "learner" && member.isCaughtUp && member.isActive) {
        log.info("a metadata server has caught up and votes from now on", { mdsId });
        return await replica.promote(raftId(mdsId));
      }
    }
    for (const id of members.keys()) {
      if (tables.mdsServers.get(id) === undefined) return await remove(replica, id);
    }
  } catch (error) {
    // Another change is under way, or this node does not lead any more: the next round sees.
    if (failureOf(error) === undefined) throw error;
  }
}

/** A leader that shall go hands over first: its successor removes it. */
async function remove(replica: Replica, id: RaftId): Promise<void> {
  if (replica.status().id === id) await replica.transferLeadership();
  else await replica.removeMember(id);
}
