import { type Attributes, isSameTime, type MetadataReply } from "../../meta/index.js";

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
