import { failureOf } from "../base/index.js";
import {
  type Coherence,
  type InodeNumber,
  isDirectory,
  type MetadataMutation,
  type MetadataQuery,
  type MetadataReply,
  type SessionId,
} from "../meta/index.js";
import type { CallContext } from "../rpc/index.js";
import type { CacheCoherence } from "./coherence.js";
import type { Concern } from "./core/sole-interest.js";

/**
 * Answers a query: a session that caches hears of every change from the moment in which the answer was read, and
 * nobody is shown a change that somebody else may still not know, nor a state from before a change that was answered
 * early. `answer` calls `seen` with every answer it reads from the state, in the same moment.
 */
export async function coherentQuery(
  coherence: CacheCoherence,
  session: SessionId,
  query: MetadataQuery,
  context: CallContext,
  answer: (seen: (reply: MetadataReply) => void) => Promise<MetadataReply>,
): Promise<MetadataReply> {
  if (coherence.isIdle) return await answer(() => undefined);
  // The path may have led anywhere.
  const asked: Asking["asked"] = query.type === "resolvePath" ? "all" : inosOfBody(query.body);
  const unknown = asked === "all" ? [] : coherence.sole.unknownOf(session, asked);
  if (unknown.length > 0) await coherence.sole.learn(unknown, context);
  const asking = { coherence, session, query, context, answer, asked };
  const { sole } = coherence;
  let concern: Concern | undefined;
  /** Until this is answered nobody gets alone with these. */
  const keepFree = (inos: Concern["inos"]): void => {
    if (concern !== undefined) sole.end(concern);
    concern = sole.begin({ sessionId: session, inos, directories: [] });
  };
  try {
    for (;;) {
      if (sole.mustWait(session, asked)) {
        keepFree(asked);
        await sole.free(session, asked, context);
      }
      if (isOfNoCache(query)) return await answer(() => undefined);
      const outcome = await askOnce(asking);
      if (outcome.type === "answered") return outcome.reply;
      keepFree(asked === "all" ? asked : [...asked, ...outcome.inos]);
      await sole.free(session, outcome.inos, context);
    }
  } finally {
    if (concern !== undefined) sole.end(concern);
  }
}

/** Or it has to be asked again, when another session has given these up. */
type Outcome =
  | { readonly type: "answered"; readonly reply: MetadataReply }
  | { readonly type: "held"; readonly inos: readonly InodeNumber[] };

interface Asking {
  readonly coherence: CacheCoherence;
  readonly session: SessionId;
  readonly query: MetadataQuery;
  readonly context: CallContext;
  readonly answer: (seen: (reply: MetadataReply) => void) => Promise<MetadataReply>;
  readonly asked: readonly InodeNumber[] | "all";
}

async function askOnce(asking: Asking): Promise<Outcome> {
  const { coherence, session, query, context, answer, asked } = asking;
  const { sole } = coherence;
  const keeps = coherence.caches(session);
  const fleeting = new Set<InodeNumber>();
  const foreign = new Set<InodeNumber>();
  if (keeps) noteAsked(coherence, session, query);
  const seen = (reply: MetadataReply): void => {
    for (const ino of inosOf(reply)) {
      // Not noted: the holder must not have to wait for this session before it gives the inode up.
      if (sole.mustWait(session, [ino])) foreign.add(ino);
      else if (keeps && !coherence.noteAttributes(session, ino)) fleeting.add(ino);
    }
  };
  try {
    const reply = await answer(seen);
    const inos = inosOf(reply);
    if (foreign.size > 0) return { type: "held", inos: [...foreign] };
    if (sole.mustWait(session, asked === "all" ? asked : [...asked, ...inos])) return { type: "held", inos };
    await coherence.settled(session, asked === "all" ? asked : [...asked, ...inos], context);
    if (!keeps) return { type: "answered", reply };
    const granted = sole.grant(session, query.type === "lookup" ? [...inos, query.body.parent] : inos);
    const told = { changed: [], fleeting: [...fleeting], dropped: [], sole: granted };
    return { type: "answered", reply: withCoherence(reply, told) };
  } catch (error) {
    if (failureOf(error) === undefined) throw error;
    if (sole.mustWait(session, asked)) return { type: "held", inos: [] };
    await coherence.settled(session, asked, context);
    throw error;
  }
}

/** Answers a mutation, which `carryOut` does: only when nobody keeps any more what it made untrue. */
export async function coherentMutation(
  coherence: CacheCoherence,
  session: SessionId,
  mutation: MetadataMutation,
  context: CallContext,
  carryOut: () => Promise<MetadataReply>,
): Promise<MetadataReply> {
  if (coherence.isIdle || isOfHolder(mutation)) {
    return await answerMutation(coherence, session, mutation, context, carryOut);
  }
  if (isEarly(mutation)) {
    for (const { type, body } of partsOf(mutation)) {
      if (type === "create" && body.ino !== undefined)
        coherence.createdEarly(session, body.ino, isDirectory(body.mode));
    }
    return await answerMutation(coherence, session, mutation, context, carryOut);
  }
  // What need not wait is proposed in the order in which it came.
  const unknown = coherence.sole.unknownOf(session, inosOfBody(mutation.body));
  if (unknown.length > 0) await coherence.sole.learn(unknown, context);
  let concern = coherence.concernOf(session, mutation, inosOfBody(mutation.body));
  while (coherence.sole.mustWait(session, concern.inos)) {
    // Nobody gets alone with them before it is their turn.
    coherence.sole.begin(concern);
    try {
      await coherence.sole.free(session, concern.inos, context);
    } finally {
      coherence.sole.end(concern);
    }
    concern = coherence.concernOf(session, mutation, inosOfBody(mutation.body));
  }
  coherence.sole.begin(concern);
  return await answerMutation(coherence, session, mutation, context, async () => {
    try {
      return await carryOut();
    } finally {
      coherence.sole.end(concern);
    }
  });
}

async function answerMutation(
  coherence: CacheCoherence,
  session: SessionId,
  mutation: MetadataMutation,
  context: CallContext,
  carryOut: () => Promise<MetadataReply>,
): Promise<MetadataReply> {
  const asked = partsOf(mutation).flatMap(({ body }) => inosOfBody(body));
  const { sequence } = mutation.body.id;
  // It knows what becomes of the names it changes: it hears what others make of them before its answer.
  if (coherence.caches(session))
    for (const directory of new Set(partsOf(mutation).flatMap(directoriesOf)))
      coherence.noteNames(session, directory);
  try {
    const reply = await carryOut();
    if (coherence.isIdle) return reply;
    const own = coherence.ownChange(session, sequence);
    const inos = [...asked, ...inosOf(reply)];
    // If that fails the mutation is repeated, and waits for the same.
    await coherence.settled(session, inos, context, own?.waits);
    coherence.answered(session, sequence);
    if (!coherence.caches(session)) return reply;
    if (isEarly(mutation)) {
      // It knows all of that already.
      coherence.toldEarly(session, own?.inos ?? []);
      return reply;
    }
    const changed = [...(own?.inos ?? []), ...inosOf(reply)];
    return withCoherence(reply, coherence.besides(session, changed, own?.dropped ?? []));
  } catch (error) {
    if (failureOf(error) !== undefined) {
      const isOfVictim = partsOf(mutation).some(({ type }) => type === "remove" || type === "rename");
      const own = coherence.ownChange(session, sequence);
      await coherence.settled(session, isOfVictim ? "all" : asked, context, own?.waits);
    }
    throw error;
  }
}

/** Its caller has its answer already. */
const isEarly = (mutation: MetadataMutation): boolean => mutation.body.id.stampMs !== undefined;

/** The mutations of which it consists. */
const partsOf = (mutation: MetadataMutation): readonly MetadataMutation[] =>
  mutation.type === "changeTogether" ? mutation.body.changes.map(({ body }) => body) : [mutation];

/**
 * What whoever has a file open says of it: nobody else is alone with it. Leases come down by that, so it waits for nobody.
 */
function isOfHolder({ type }: MetadataMutation): boolean {
  switch (type) {
    case "close":
    case "reportFile":
    case "settleFiles":
    case "allocateChunk":
    case "extend":
    case "reserveNumbers":
      return true;
    default:
      return false;
  }
}

/** Nobody keeps the answers, and they show nothing that anybody keeps. */
function isOfNoCache(query: MetadataQuery): boolean {
  switch (query.type) {
    case "getAttributes":
      return query.body.forData === true;
    case "statFilesystem":
    case "getChunkMaps":
    case "testLock":
      return true;
    default:
      return false;
  }
}

/** Before anything is read. */
function noteAsked(coherence: CacheCoherence, session: SessionId, query: MetadataQuery): void {
  switch (query.type) {
    case "lookup":
      coherence.noteNames(session, query.body.parent);
      return;
    case "readDirectory":
      coherence.noteNames(session, query.body.ino);
      return;
    case "readSymlink":
    case "getXattr":
    case "listXattrs":
      coherence.noteInode(session, query.body.ino);
      return;
  }
}

/** Whatever a request names, by the usual names of its fields. */
function inosOfBody(body: MetadataQuery["body"] | MetadataMutation["body"]): InodeNumber[] {
  const found: InodeNumber[] = "files" in body ? body.files.map(({ ino }) => ino) : [];
  const named: Readonly<Record<string, unknown>> = { ...body };
  for (const field of ["ino", "parent", "fromParent", "toParent"]) {
    const ino = named[field];
    if (typeof ino === "number") found.push(ino as InodeNumber);
  }
  return found;
}

function directoriesOf(mutation: MetadataMutation): InodeNumber[] {
  switch (mutation.type) {
    case "create":
    case "link":
    case "remove":
      return [mutation.body.parent];
    case "rename":
      return [mutation.body.fromParent, mutation.body.toParent];
    default:
      return [];
  }
}

/** Whose attributes an answer has. */
function inosOf(reply: MetadataReply): InodeNumber[] {
  switch (reply.type) {
    case "entry":
    case "opened":
    case "extended":
      return [reply.body.attributes.ino];
    case "openedAhead":
      return reply.body.files.map(({ attributes }) => attributes.ino);
    case "settled":
      return reply.body.results.flatMap(({ attributes }) =>
        attributes === undefined ? [] : [attributes.ino],
      );
    case "entries":
      return reply.body.entries.flatMap(({ attributes }) =>
        attributes === undefined ? [] : [attributes.ino],
      );
    default:
      return [];
  }
}

const withCoherence = ({ type, body }: MetadataReply, coherence: Coherence): MetadataReply =>
  ({ type, body, coherence }) as MetadataReply;
