import { storageError } from "../../base/index.js";
import type { MutationId } from "../../meta/index.js";
import type { Outcome } from "./command.js";
import type { Context } from "./context.js";
import type { SessionRecord } from "./records.js";
import type { Answer, Tables } from "./tables.js";

/**
 * Each mutation is carried out at most once, however often it is proposed.
 *
 * A session's answers lie in the window [answeredBelow, answeredBelow + ANSWERS_KEPT) of sequences. Failures are kept
 * too: a second copy of a request that failed must not succeed behind the client's back. Waiting is no answer, since
 * nothing was done.
 */

/** Mutations of one session whose answers it has not confirmed; more are refused with `busy`, which is not kept. */
export const ANSWERS_KEPT = 4096;
/** Pruning rewrites the session's record, so it is done for several answers at a time. */
const PRUNE_BATCH = 32;

/** What was answered before, or undefined if the mutation is new. Forgets what the client has confirmed. */
export function earlierAnswer(context: Context, session: SessionRecord, id: MutationId): Outcome | undefined {
  checkId(id);
  const { tables } = context;
  if (id.sequence < session.answeredBelow)
    throw storageError("conflict", "this mutation was answered long ago");
  const answeredBelow = prune(context, session, id.answeredBelow);
  const answer = tables.answers.get(session.sessionId, id.sequence);
  if (answer !== undefined) return outcomeOf(context, session, id, answer);
  if (id.sequence >= answeredBelow + ANSWERS_KEPT)
    throw storageError("busy", "too many unconfirmed mutations");
  return undefined;
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
  for (let sequence = session.answeredBelow; sequence < session.answeredBelow + ANSWERS_KEPT; sequence++) {
    if (tables.answers.get(session.sessionId, sequence) === undefined) continue;
    tables.answers.delete(session.sessionId, sequence);
  }
}

function outcomeOf(context: Context, session: SessionRecord, id: MutationId, answer: Answer): Outcome {
  if (answer.type !== "held") return answer;
  const pending = answer.chunks.find((chunkId) => context.tables.chunks.get(chunkId)?.installed === false);
  if (pending !== undefined) return { type: "wait", key: { type: "chunk", chunkId: pending } };
  const outcome: Outcome = { type: "reply", reply: answer.reply };
  keepAnswer(context, session, id, outcome);
  return outcome;
}

function checkId({ sequence, answeredBelow }: MutationId): void {
  const isRight =
    Number.isSafeInteger(sequence) &&
    Number.isSafeInteger(answeredBelow) &&
    sequence >= 1 &&
    answeredBelow >= 0 &&
    answeredBelow <= sequence;
  if (!isRight) throw storageError("malformed", "not the number of a mutation");
}

function prune(context: Context, session: SessionRecord, answeredBelow: number): number {
  if (answeredBelow < session.answeredBelow + PRUNE_BATCH) return session.answeredBelow;
  const end = Math.min(answeredBelow, session.answeredBelow + ANSWERS_KEPT);
  for (let sequence = session.answeredBelow; sequence < end; sequence++) {
    context.tables.answers.delete(session.sessionId, sequence);
  }
  context.tables.sessions.put({ ...session, answeredBelow }, session.sessionId);
  return answeredBelow;
}
