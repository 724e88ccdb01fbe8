import { storageError } from "../../base/index.js";
import type { MutationId } from "../../meta/index.js";
import type { Outcome } from "./command.js";
import type { Context } from "./context.js";
import type { SessionRecord } from "./records.js";
import type { Answer, Tables } from "./tables.js";

/**
 * Each mutation is carried out at most once, however often it is proposed.
 *
 * A session's mutations are settled (the client has the answer, or does not care) or open. Settled are all below
 * `answeredBelow` but those in `unanswered`: their answers are forgotten, and a late copy of one is refused. What the
 * client says was true when it said it, and nothing settled ever opens again; so what it says now is added to what is
 * known, in whatever order its words come. Answers are kept of what is open: `unanswered`, and the window
 * [answeredBelow, answeredBelow + ANSWERS_KEPT). A mutation that waits for long goes into `unanswered`, so that it does
 * not hold up those behind it.
 *
 * Failures are kept too: a second copy of a request that failed must not succeed behind the client's back. Waiting is
 * no answer, since nothing was done.
 */

/** How far a mutation may be ahead of `answeredBelow`; beyond that it is refused with `busy`, which is not kept. */
export const ANSWERS_KEPT = 4096;
/** Of `unanswered`. A client has fewer requests under way. */
const UNANSWERED_MAX = 1024;
/** Pruning rewrites the session's record, so it is done for several answers at a time. */
const PRUNE_BATCH = 32;

/** Which mutations of a session are settled. */
type Window = Pick<SessionRecord, "answeredBelow" | "unanswered">;

/** What was answered before, or undefined if the mutation is new. Forgets what the client has confirmed. */
export function earlierAnswer(context: Context, session: SessionRecord, id: MutationId): Outcome | undefined {
  checkId(id);
  const { tables } = context;
  if (isSettled(session, id.sequence)) throw storageError("conflict", "this mutation was answered long ago");
  const answeredBelow = prune(context, session, id);
  const answer = tables.answers.get(session.sessionId, id.sequence);
  if (answer !== undefined) return outcomeOf(context, session, id, answer);
  if (id.sequence >= answeredBelow + ANSWERS_KEPT)
    throw storageError("busy", "too many unconfirmed mutations");
  return undefined;
}

/** Whether the mutation that this one must come after was carried out: it is answered, or the client has its answer. */
export function isInOrder({ tables }: Context, { sessionId }: SessionRecord, id: MutationId): boolean {
  const { after } = id;
  if (after === undefined || isSettled(id, after)) return true;
  const session = tables.sessions.get(sessionId);
  if (session !== undefined && isSettled(session, after)) return true;
  return tables.answers.get(sessionId, after) !== undefined;
}

export function keepAnswer(context: Context, session: SessionRecord, id: MutationId, outcome: Outcome): void {
  if (outcome.type !== "reply" && outcome.type !== "failure") return;
  context.tables.answers.put(outcome, session.sessionId, id.sequence);
}

/** The change is made, but its reply waits. */
export function holdAnswer(context: Context, session: SessionRecord, id: MutationId, held: Held): Outcome {
  context.tables.answers.put(held, session.sessionId, id.sequence);
  return outcomeOf(context, session, id, held);
}

/** An answer that waits for installations. */
export type Held = Extract<Answer, { readonly type: "held" }>;

/** Of a session that is over. */
export function forgetAnswers(tables: Tables, session: SessionRecord): void {
  forget(tables, session, session.unanswered);
  forgetRange(tables, session, session.answeredBelow + ANSWERS_KEPT);
}

function outcomeOf(context: Context, session: SessionRecord, id: MutationId, answer: Answer): Outcome {
  if (answer.type !== "held") return answer;
  const pending = answer.chunks.find((chunkId) => context.tables.chunks.get(chunkId)?.installed === false);
  if (pending !== undefined) return { type: "wait", key: { type: "chunk", chunkId: pending } };
  const outcome: Outcome = { type: "reply", reply: answer.reply };
  keepAnswer(context, session, id, outcome);
  return outcome;
}

function checkId(id: MutationId): void {
  const { sequence, answeredBelow, unanswered } = id;
  const isRight =
    Number.isSafeInteger(sequence) &&
    Number.isSafeInteger(answeredBelow) &&
    sequence >= 1 &&
    answeredBelow >= 0 &&
    (id.after ?? 0) < sequence &&
    isStamp(id.stampMs ?? 0) &&
    unanswered.length <= UNANSWERED_MAX &&
    unanswered.every((open, i) => Number.isSafeInteger(open) && open > (unanswered[i - 1] ?? 0)) &&
    (unanswered.at(-1) ?? -1) < answeredBelow &&
    !isSettled(id, sequence);
  if (!isRight) throw storageError("malformed", "not the number of a mutation");
}

/** Of a time that any machine may have. */
export const isStamp = (ms: number): boolean => ms >= 0 && ms < STAMP_MS_MAX;
const STAMP_MS_MAX = 2 ** 47;

const isSettled = ({ answeredBelow, unanswered }: Window, sequence: number): boolean =>
  sequence < answeredBelow && !unanswered.includes(sequence);

/** Adds what the client says to what is known. Returns the new `answeredBelow`. */
function prune({ tables }: Context, session: SessionRecord, said: Window): number {
  const { answeredBelow } = said;
  if (answeredBelow < session.answeredBelow + PRUNE_BATCH) return session.answeredBelow;
  const unanswered = said.unanswered.filter((sequence) => !isSettled(session, sequence));
  const open = new Set(unanswered);
  forget(
    tables,
    session,
    session.unanswered.filter((sequence) => !open.has(sequence)),
  );
  forgetRange(tables, session, Math.min(answeredBelow, session.answeredBelow + ANSWERS_KEPT), open);
  tables.sessions.put({ ...session, answeredBelow, unanswered }, session.sessionId);
  return answeredBelow;
}

function forgetRange(
  tables: Tables,
  session: SessionRecord,
  end: number,
  except?: ReadonlySet<number>,
): void {
  for (let sequence = session.answeredBelow; sequence < end; sequence++) {
    if (except?.has(sequence) !== true) forget(tables, session, [sequence]);
  }
}

function forget(tables: Tables, { sessionId }: SessionRecord, sequences: readonly number[]): void {
  for (const sequence of sequences) {
    if (tables.answers.get(sessionId, sequence) !== undefined) tables.answers.delete(sessionId, sequence);
  }
}
