import { failureOf, unreachable } from "../../base/index.js";
import { chunkInstalled, reconfigureChunk, replicaSynced, replicasDeleted } from "./chunk-commands.js";
import { addCs, adoptReplicas, registerCs, removeCs, setCsActivity, updateCs } from "./chunk-servers.js";
import { sweepChunks } from "./chunk-sweep.js";
import { setConfig } from "./cluster-config.js";
import type { Change, Command, Outcome } from "./command.js";
import { type Context, done, fail, recordEvent } from "./context.js";
import { setCsMaintenance } from "./cs-maintenance.js";
import { confirmChunk, doubtChunks } from "./doubted-chunks.js";
import type { Effect } from "./effects.js";
import { beginEpoch, finishEpoch } from "./epochs.js";
import { genesis } from "./genesis.js";
import { raiseLevel } from "./levels.js";
import { addMds, removeMds } from "./mds-servers.js";
import { mutate } from "./mutations.js";
import { dropChunks } from "./reclaim.js";
import { finishRecovery } from "./recovery.js";
import { beginSession, endSession } from "./sessions.js";
import type { Tables } from "./tables.js";

/** What a command came to: for its proposer, and for the leader. */
export interface Applied {
  readonly outcome: Outcome;
  /** In the order in which they are to be carried out. */
  readonly effects: readonly Effect[];
}

/**
 * Applies one command of the log. Deterministic: the same tables and the same command give the same tables and the
 * same result on every MDS. The work of one command is bounded. What it throws is a bug.
 */
export function apply(tables: Tables, { stampMs, change }: Command): Applied {
  const context: Context = { tables, stampMs, effects: [] };
  const outcome = attempt(context, change);
  return { outcome, effects: context.effects };
}

/** Failures are thrown before anything is changed. */
function attempt(context: Context, change: Change): Outcome {
  if (change.type !== "genesis" && context.tables.cluster.get() === undefined) {
    return fail("refused", "there is no cluster yet");
  }
  try {
    return carryOut(context, change);
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    return { type: "failure", failure };
  }
}

function carryOut(context: Context, change: Change): Outcome {
  switch (change.type) {
    case "genesis":
      return genesis(context, change.body);
    case "addMds":
      return addMds(context, change.body);
    case "removeMds":
      return removeMds(context, change.body);
    case "raiseLevel":
      return raiseLevel(context, change.body);
    case "setConfig":
      return setConfig(context, change.body);
    case "recordEvent":
      recordEvent(context, change.body);
      return done();
    case "beginSession":
      return beginSession(context, change.body);
    case "endSession":
      return endSession(context, change.body);
    case "mutate":
      return mutate(context, change.body);
    case "dropChunks":
      return dropChunks(context, change.body);
    case "finishRecovery":
      return finishRecovery(context, change.body.ino);
    case "sweepChunks":
      return sweepChunks(context, change.body);
    case "reconfigureChunk":
      return reconfigureChunk(context, change.body);
    case "chunkInstalled":
      return chunkInstalled(context, change.body);
    case "replicaSynced":
      return replicaSynced(context, change.body);
    case "replicasDeleted":
      return replicasDeleted(context, change.body);
    case "addCs":
      return addCs(context, change.body);
    case "registerCs":
      return registerCs(context, change.body);
    case "updateCs":
      return updateCs(context, change.body);
    case "setCsActivity":
      return setCsActivity(context, change.body);
    case "setCsMaintenance":
      return setCsMaintenance(context, change.body);
    case "removeCs":
      return removeCs(context, change.body);
    case "adoptReplicas":
      return adoptReplicas(context, change.body);
    case "beginEpoch":
      return beginEpoch(context, change.body);
    case "doubtChunks":
      return doubtChunks(context, change.body.chunks);
    case "finishEpoch":
      return finishEpoch(context, change.body.epoch);
    case "confirmChunk":
      return confirmChunk(context, change.body);
    default:
      return unreachable(change);
  }
}
