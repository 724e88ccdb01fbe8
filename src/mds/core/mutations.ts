import { failureOf, unreachable } from "../../base/index.js";
import type { MetadataMutation, MutationId, ReserveNumbers, SessionId } from "../../meta/index.js";
import { earlierAnswer, type Held, holdAnswer, isInOrder, keepAnswer } from "./answers.js";
import { changeTogether } from "./change-together.js";
import type { Mutate, Outcome } from "./command.js";
import { type Context, fail } from "./context.js";
import { markAccessed, setAttributes } from "./inode-attributes.js";
import { close, openInode } from "./lease-open.js";
import { openAhead } from "./lease-open-ahead.js";
import { allocateChunk, extend, reportFile } from "./lease-report.js";
import { revoke } from "./lease-revoke.js";
import { settleFiles } from "./lease-settle.js";
import { setLock } from "./locks.js";
import { create } from "./namespace-create.js";
import { link, remove } from "./namespace-link.js";
import { rename } from "./namespace-rename.js";
import { reserveNumbers } from "./reserved-numbers.js";
import { setStorage } from "./storage-attributes.js";
import { truncate } from "./truncate.js";
import { removeXattr, setXattr } from "./xattr.js";

/**
 * A client's mutation: carried out once, and answered the same however often it is proposed. The functions below check
 * everything before they change anything, so that a failure leaves no trace but its answer.
 */
export function mutate(context: Context, { sessionId, mutation }: Mutate): Outcome {
  const session = context.tables.sessions.get(sessionId);
  if (session === undefined || session.isEnding) return fail("session_lost", "the session has ended");
  const { id } = mutation.body;
  const earlier = earlierAnswer(context, session, id);
  if (earlier !== undefined) return earlier;
  if (!isInOrder(context, session, id)) return fail("busy", "another mutation comes first");
  const outcome = attempt(stamped(context, id), sessionId, mutation);
  if (outcome.type === "held") return holdAnswer(context, session, id, outcome);
  keepAnswer(context, session, id, outcome);
  return outcome;
}

function reserve(context: Context, sessionId: SessionId, body: ReserveNumbers): Outcome {
  const session = context.tables.sessions.get(sessionId);
  return session === undefined ? fail("session_lost") : reserveNumbers(context, session, body);
}

/** What was answered early is as it was answered. */
const stamped = (context: Context, { stampMs }: MutationId): Context =>
  stampMs === undefined ? context : { ...context, stampMs };

function attempt(context: Context, sessionId: SessionId, mutation: MetadataMutation): Outcome | Held {
  try {
    return carryOut(context, sessionId, mutation);
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    return { type: "failure", failure };
  }
}

function carryOut(context: Context, sessionId: SessionId, mutation: MetadataMutation): Outcome | Held {
  switch (mutation.type) {
    case "create":
      return create(context, sessionId, mutation.body);
    case "link":
      return link(context, mutation.body);
    case "remove":
      return remove(context, mutation.body);
    case "rename":
      return rename(context, mutation.body);
    case "setAttributes":
      return setAttributes(context, sessionId, mutation.body);
    case "truncate":
      return truncate(context, sessionId, mutation.body);
    case "setXattr":
      return setXattr(context, mutation.body);
    case "removeXattr":
      return removeXattr(context, mutation.body);
    case "setStorage":
      return setStorage(context, sessionId, mutation.body);
    case "open":
      return openInode(context, sessionId, mutation.body.ino, mutation.body.access);
    case "markAccessed":
      return markAccessed(context, mutation.body);
    case "openAhead":
      return openAhead(context, sessionId, mutation.body);
    case "close":
      return close(context, sessionId, mutation.body);
    case "reportFile":
      return reportFile(context, sessionId, mutation.body);
    case "settleFiles":
      return settleFiles(context, sessionId, mutation.body);
    case "reserveNumbers":
      return reserve(context, sessionId, mutation.body);
    case "changeTogether":
      return changeTogether(mutation.body, (change) =>
        attempt(stamped(context, change.body.id), sessionId, change),
      );
    case "allocateChunk":
      return allocateChunk(context, sessionId, mutation.body);
    case "revoke":
      return revoke(context, sessionId, mutation.body);
    case "extend":
      return extend(context, sessionId, mutation.body);
    case "setLock":
      return setLock(context, sessionId, mutation.body);
    default:
      return unreachable(mutation);
  }
}
