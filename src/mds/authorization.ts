import type { AuthorizationTable, Role } from "../auth/index.js";
import {
  ADMIN,
  BACKUP,
  ENROLLMENT,
  METADATA_SESSION,
  openDataChannel,
  REGISTRY_ATTACH,
} from "../rpc/index.js";
import { RAFT_PEER } from "./raft-wire.js";

const OPERATORS: readonly Role[] = ["admin", "client"];

/** Who may call what on a metadata server. */
export const MDS_AUTHORIZATION: AuthorizationTable = {
  [RAFT_PEER.path]: ["mds"],
  [openDataChannel(RAFT_PEER.path).path]: ["mds"],
  [METADATA_SESSION.path]: ["client"],
  [openDataChannel(METADATA_SESSION.path).path]: ["client"],
  [REGISTRY_ATTACH.path]: ["cs"],
  [ADMIN.getStatus.path]: OPERATORS,
  [ADMIN.getConfig.path]: OPERATORS,
  [ADMIN.getEvents.path]: OPERATORS,
  [ADMIN.getScrubStatus.path]: OPERATORS,
  [ADMIN.getChunk.path]: OPERATORS,
  [ADMIN.getFileChunks.path]: OPERATORS,
  [ADMIN.getFileLeases.path]: OPERATORS,
  [ADMIN.previewRepairs.path]: OPERATORS,
  [ADMIN.getRecovery.path]: OPERATORS,
  [ADMIN.getMdsLoad.path]: [...OPERATORS, "mds"],
  [ADMIN.setConfig.path]: ["admin"],
  [ADMIN.addChunkServer.path]: ["admin"],
  [ADMIN.removeChunkServer.path]: ["admin"],
  [ADMIN.addMds.path]: ["admin"],
  [ADMIN.removeMds.path]: ["admin"],
  [ADMIN.beginScrub.path]: ["admin"],
  [BACKUP.path]: ["admin"],
  [ENROLLMENT.start.path]: "anyone",
  [ENROLLMENT.finish.path]: "anyone",
};

/** What the other end must be by its certificate when this server calls. */
export const MDS_SERVER_ROLES: Readonly<Record<string, readonly Role[]>> = {
  "pstorage.Raft": ["mds"],
  "pstorage.Admin": ["mds"],
};
