import type { FailureCode } from "../base/index.js";
import type { Attributes, Timestamp } from "./attributes.js";
import type {
  Create,
  MetadataMutation,
  MetadataReply,
  MutationId,
  Remove,
  SetAttributes,
} from "./requests.js";

/**
 * Mutations that their caller was answered early, one after the other in one request and one entry of the log. Each succeeds
 * or fails for itself. At most `CHANGES_MAX` of them.
 */
export interface ChangeTogether {
  /** Its stamp is that of the last change. */
  readonly id: MutationId;
  readonly changes: readonly EarlyChange[];
}
export interface EarlyChange {
  readonly body: EarlyMutation;
}
/** What may be answered early. As part of a `changeTogether` only the stamp of its own `id` counts. */
export type EarlyMutation =
  | { readonly type: "create"; readonly body: Create }
  | { readonly type: "remove"; readonly body: Remove }
  | { readonly type: "setAttributes"; readonly body: SetAttributes };
/** Changes of one `changeTogether`. */
export const CHANGES_MAX = 256;

/** Of changeTogether: one result for each change, in their order. */
export interface ChangedTogether {
  readonly results: readonly ChangeResult[];
}
export interface ChangeResult {
  /** Nothing of this change was done. */
  readonly failure?: FailureCode | undefined;
  readonly detail: string;
  /** `replyDigest` of the answer that it would have got alone; 0 of a failure. */
  readonly digest: number;
}

export const isEarlyMutation = (mutation: MetadataMutation): mutation is EarlyMutation =>
  mutation.type === "create" || mutation.type === "remove" || mutation.type === "setAttributes";

/** A number of 32 bits, the same for replies that say the same of one inode; almost never the same for others. */
export function replyDigest(reply: MetadataReply): number {
  let digest = mixed(BASIS, reply.type.length);
  if (reply.type === "opened") {
    const { lease, created, attributes } = reply.body;
    digest = mixed(mixed(digest, lease.kind.length), created ? 1 : 0);
    return attributesDigest(mixed(digest, lease.sequence), attributes) >>> 0;
  }
  if (reply.type === "entry") digest = attributesDigest(digest, reply.body.attributes);
  return digest >>> 0;
}

function attributesDigest(digest: number, attributes: Attributes): number {
  const { ino, generation, mode, linkCount, uid, gid, rdev, sizeBytes, changeCount } = attributes;
  let sum = digest;
  for (const value of [ino, generation, mode, linkCount, uid, gid, rdev, sizeBytes, changeCount])
    sum = mixed(sum, value);
  const { atime, mtime, ctime, birthTime } = attributes;
  for (const time of [atime, mtime, ctime, birthTime]) sum = mixedTime(sum, time);
  return sum;
}

const mixedTime = (digest: number, { seconds, nanos }: Timestamp): number =>
  mixed(mixed(digest, seconds), nanos);

/** FNV-1a by words of 32 bits: both halves of a number up to 2^53. */
function mixed(digest: number, value: number): number {
  const low = Math.imul(digest ^ (value | 0), PRIME);
  return Math.imul(low ^ Math.floor(value / 2 ** 32), PRIME);
}

const BASIS = 0x811c9dc5;
const PRIME = 0x01000193;
