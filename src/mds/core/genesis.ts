import { FIRST_CS_ID } from "../../chunk/index.js";
import { MODE_DIRECTORY, ROOT_INODE, timestampOf } from "../../meta/index.js";
import type { Genesis, Outcome } from "./command.js";
import { type Context, done, fail, recordEvent } from "./context.js";
import { putInode } from "./inodes.js";
import { DEFAULT_STORAGE } from "./storage-attributes.js";

/** The first command of a cluster's log, and refused ever after. The value of the outcome is the first MDSID. */
export function genesis(context: Context, body: Genesis): Outcome {
  const { tables, stampMs } = context;
  if (tables.cluster.get() !== undefined) return fail("refused", "the cluster exists already");
  const { clusterId, name, secrets, address, hostId, level } = body;
  tables.cluster.put({ clusterId, name, createdMs: stampMs, secrets, epochs: [], level });
  tables.counters.put({
    inode: ROOT_INODE,
    chunk: 0,
    session: 0,
    lease: 0,
    cs: FIRST_CS_ID - 1,
    mds: FIRST_MDS_ID,
    event: 0,
  });
  tables.mdsServers.put({ mdsId: FIRST_MDS_ID, address, hostId }, FIRST_MDS_ID);
  putRoot(context);
  recordEvent(context, { system: "MDS", severity: "info", message: `Cluster ${name} was created` });
  context.effects.push({ type: "mdsServersChanged" });
  return done(FIRST_MDS_ID);
}

const FIRST_MDS_ID = 1;

function putRoot(context: Context): void {
  const now = timestampOf(context.stampMs);
  putInode(context, {
    ino: ROOT_INODE,
    generation: 1,
    mode: MODE_DIRECTORY | 0o755,
    linkCount: 2,
    uid: 0,
    gid: 0,
    rdev: 0,
    sizeBytes: 0,
    entryCount: 0,
    parent: ROOT_INODE,
    chunkCount: 0,
    atime: now,
    mtime: now,
    ctime: now,
    birthTime: now,
    changeCount: 1,
    storage: DEFAULT_STORAGE,
    target: new Uint8Array(0),
    xattrNames: [],
  });
}
