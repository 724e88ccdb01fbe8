import { type StorageError, storageError } from "../../base/index.js";
import {
  type Attributes,
  type ChangeResult,
  isSameTime,
  type MetadataReply,
  replyDigest,
} from "../../meta/index.js";

/** An early answer that was not the right one. */
export interface Surprise {
  /** It was refused. */
  readonly error?: StorageError;
  /** Or came out otherwise. */
  readonly difference?: string;
}

/** What the MDS answers to mutations that were sent together, or to a single one, otherwise than it was foretold. */
export function surprisesIn(foretold: readonly MetadataReply[], reply: MetadataReply): Surprise[] {
  const [only] = foretold;
  if (reply.type === "changedTogether")
    return foretold.flatMap((each, i) => surpriseOf(each, reply.body.results[i]));
  const difference = foretold.length === 1 && only !== undefined ? differsFrom(only, reply) : "one answer";
  return difference === undefined ? [] : [{ difference }];
}

function surpriseOf(foretold: MetadataReply, result: ChangeResult | undefined): Surprise[] {
  if (result === undefined) return [{ difference: "no answer" }];
  const { failure, detail, digest } = result;
  if (failure !== undefined) return [{ error: storageError(failure, detail) }];
  return digest === replyDigest(foretold) ? [] : [{ difference: "another answer" }];
}

/** In what a reply of the MDS differs from how it was foretold; undefined: in nothing that anybody could have seen. */
export function differsFrom(foretold: MetadataReply, reply: MetadataReply): string | undefined {
  if (foretold.type !== reply.type) return `answered by ${reply.type} instead of ${foretold.type}`;
  if (foretold.type === "opened" && reply.type === "opened") {
    const [was, is] = [foretold.body, reply.body];
    if (was.lease.kind !== is.lease.kind || was.lease.sequence !== is.lease.sequence) return "another lease";
    if (was.created !== is.created) return "not created";
    return differingAttribute(was.attributes, is.attributes);
  }
  if (foretold.type === "entry" && reply.type === "entry")
    return differingAttribute(foretold.body.attributes, reply.body.attributes);
  return undefined;
}

const PLAIN = [
  "ino",
  "generation",
  "mode",
  "linkCount",
  "uid",
  "gid",
  "rdev",
  "sizeBytes",
  "changeCount",
] as const satisfies readonly (keyof Attributes)[];
const TIMES = ["atime", "mtime", "ctime", "birthTime"] as const satisfies readonly (keyof Attributes)[];

function differingAttribute(foretold: Attributes, is: Attributes): string | undefined {
  for (const name of PLAIN)
    if (foretold[name] !== is[name]) return `${name} ${is[name]}, not ${foretold[name]}`;
  return TIMES.find((name) => !isSameTime(foretold[name], is[name]));
}
