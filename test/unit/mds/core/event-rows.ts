import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The list of events that operators read. */

const root = dirname(dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url))))));
const PAGE = readFileSync(join(root, "docs/operating/events.md"), "utf8");

export const ROWS = [...PAGE.matchAll(/^\| (\w+) \| (\w+) \| `([^`]+)` \|/gm)].map(
  ([, system = "", severity = "", message = ""]) => ({ system, severity, message }),
);

/** Numbers for N (seconds may be 2.5), anything for other words in capitals. */
export function patternOf(message: string): RegExp {
  const literal = message.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  const words = /\b(NAME|ADDRESS|HOST|PLACE|FLAGS|REASON|SOURCE)\b/g;
  return new RegExp(`^${literal.replace(words, ".+").replace(/(?<![A-Za-z])N\b/g, "\\d+(\\.\\d)?")}$`);
}

/** Told by loops of the leader, not by the state machine: test/sim/events.test.ts causes them in a cluster. */
export const BY_LOOPS: readonly string[] = [
  "MDS#N at ADDRESS became master",
  "MDS#N (ADDRESS) lags behind for more than N rounds",
  "MDS#N (ADDRESS) has caught up",
  "MDS#N (ADDRESS) didn't accept commits for N sec",
  "MDS#N (ADDRESS) accepts commits again",
  "MDS#N (ADDRESS) state is outdated and will do a full resync",
  "MDS#N (ADDRESS) gets a full copy of the metadata",
  "The cluster failed with N active, N inactive, N offline CS (mds.wd.max_offline_cs_hosts=N)",
  "Automatic replication is suppressed: REASON",
  "Automatic replication goes on",
  "The cluster is out of space",
  "The cluster is out of space (mds.alloc.capacity_max is reached)",
  "The cluster has free space again",
  "CS#N has a damaged block (in chunk N at byte N): 1 mended from other replicas",
  "CS#N has N damaged blocks (the last in chunk N at byte N): N whole in no replica, which are kept in quarantine",
];
