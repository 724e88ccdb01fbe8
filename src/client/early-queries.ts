import type { Attributes, InodeNumber, MetadataReply } from "../meta/index.js";
import type { CoherentCache } from "./coherent-cache.js";
import type { EarlyAnswers } from "./early-answers.js";

/** Asks the MDS. What it does not know yet, because it was answered early, is known here or waited for. */
export async function askBeside(
  cache: CoherentCache,
  early: EarlyAnswers,
  request: { readonly type: string; readonly body: object },
  ask: () => Promise<MetadataReply>,
  signal: AbortSignal | undefined,
): Promise<MetadataReply> {
  const named = namedBy(request);
  for (;;) {
    if (cache.isUnconfirmed(named)) await early.answered(signal);
    const reply = await ask();
    const whole = withAttributes(reply, (ino) => cache.unconfirmedAttributes(ino));
    const isOld = inosOfReply(reply).some(
      (ino) => cache.isUnconfirmed([ino]) && cache.unconfirmedAttributes(ino) === undefined,
    );
    if (!isOld) return whole;
    await early.answered(signal);
  }
}

/** The inodes and directories that a request is about, by the usual names of its fields; a path may lead anywhere. */
function namedBy({
  type,
  body,
}: {
  readonly type: string;
  readonly body: object;
}): readonly InodeNumber[] | "all" {
  if (type === "resolvePath") return "all";
  const named: Readonly<Record<string, unknown>> = { ...body };
  const found: InodeNumber[] = [];
  for (const field of ["ino", "parent"]) {
    const ino = named[field];
    if (typeof ino === "number") found.push(ino as InodeNumber);
  }
  return found;
}

/** Whose attributes an answer to a query has. */
function inosOfReply(reply: MetadataReply): InodeNumber[] {
  if (reply.type === "entry") return [reply.body.attributes.ino];
  if (reply.type !== "entries") return [];
  return reply.body.entries.flatMap(({ attributes }) => (attributes === undefined ? [] : [attributes.ino]));
}

/** The answer, with newer attributes where there are some. */
function withAttributes(
  reply: MetadataReply,
  newer: (ino: InodeNumber) => Attributes | undefined,
): MetadataReply {
  if (reply.type === "entry") {
    const attributes = newer(reply.body.attributes.ino) ?? reply.body.attributes;
    return { ...reply, body: { ...reply.body, attributes } };
  }
  if (reply.type !== "entries") return reply;
  const entries = reply.body.entries.map((entry) => {
    const attributes = entry.attributes && newer(entry.ino);
    return attributes === undefined ? entry : { ...entry, attributes };
  });
  return { ...reply, body: { ...reply.body, entries } };
}
