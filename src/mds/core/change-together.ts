import { storageError } from "../../base/index.js";
import {
  CHANGES_MAX,
  type ChangeResult,
  type ChangeTogether,
  type EarlyMutation,
  replyDigest,
} from "../../meta/index.js";
import { type Held, isStamp } from "./answers.js";
import type { Outcome } from "./command.js";
import { reply } from "./replies.js";

/**
 * Mutations that were answered early, in one entry of the log: `one` carries each out. None of them ever has to wait, since
 * nobody else knows what they concern; if one had to after all, it fails, and the others go on as if it had come alone.
 */
export function changeTogether(
  { changes }: ChangeTogether,
  one: (change: EarlyMutation) => Outcome | Held,
): Outcome {
  if (changes.length > CHANGES_MAX) throw storageError("invalid", "too many changes at once");
  if (!changes.every(({ body }) => isStamp(body.body.id.stampMs ?? Number.NaN)))
    throw storageError("malformed", "a change without its time");
  const results = changes.map(({ body }) => resultOf(one(body)));
  return reply({ type: "changedTogether", body: { results } });
}

function resultOf(outcome: Outcome | Held): ChangeResult {
  switch (outcome.type) {
    case "reply":
      return { detail: "", digest: replyDigest(outcome.reply) };
    case "failure":
      return { failure: outcome.failure.code, detail: outcome.failure.detail, digest: 0 };
    default:
      return { failure: "busy", detail: "it would have had to wait", digest: 0 };
  }
}
