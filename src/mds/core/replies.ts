import type { MetadataReply } from "../../meta/index.js";
import type { Outcome } from "./command.js";
import { attributesOf } from "./inodes.js";
import type { InodeRecord } from "./records.js";

/** Outcomes that many mutations have. */

export const reply = (message: MetadataReply): Outcome => ({ type: "reply", reply: message });

/** It is done, and there is nothing to tell. */
export const OK: Outcome = { type: "reply", reply: { type: "ok", body: {} } };

/** It is done, and this is how the inode looks now. */
export const entryReply = (inode: InodeRecord): Outcome =>
  reply({ type: "entry", body: { attributes: attributesOf(inode) } });
