import { isFailureCode, storageError } from "../base/index.js";
import {
  type ChangedTogether,
  type ChangeResult,
  type Coherence,
  FAILURE_DOMAINS,
  LOCK_FAMILIES,
  LOCK_KINDS,
  type MetadataPush,
  type MetadataReply,
  type MetadataRequest,
  type Settled,
  type SettleResult,
} from "../meta/index.js";
import { callDownCodec, callUpCodec } from "./call-codecs.js";
import type { CallDown, CallUp } from "./calls.js";
import {
  type InvalidItem,
  type Attributes as WireAttributes,
  type EarlyChange as WireChange,
  type ChangedTogether as WireChanged,
  type Coherence as WireCoherence,
  SessionCallDown as WireDown,
  type FileLock as WireFileLock,
  type Settled as WireSettled,
  SessionCallUp as WireUp,
} from "./gen/messages.js";
import type { StreamMethod } from "./transport.js";

/** A client's session with the leading MDS: numbered requests up, replies and pushes down. */
export const METADATA_SESSION: StreamMethod<
  CallUp<MetadataRequest>,
  CallDown<MetadataReply | MetadataPush>
> = {
  path: "/pstorage.Metadata/Session",
  up: callUpCodec<MetadataRequest, WireUp>(
    WireUp,
    (id, deadlineMs, body) => ({ id, deadlineMs, body }),
    ({ body }) => body && requestFromWire(body),
  ),
  down: callDownCodec<MetadataReply | MetadataPush, WireDown>(
    WireDown,
    (id, failure, body) => ({ id, failure, body, coherence: body && coherenceOf(body) }),
    ({ body, coherence }) => body && withCoherence(replyFromWire(body), coherence),
  ),
};

/*
 * The bodies have the same fields here and there. They differ in the brands of ids, and in strings that are unions
 * here: those are checked, and then the cast is true.
 */

const ACCESSES: readonly string[] = ["read", "write", "exclusive"];
const LEASE_KINDS: readonly string[] = ["none", "read", "exclusive", "shared"];
const RENAME_MODES: readonly string[] = ["replace", "no_replace", "exchange"];
const XATTR_MODES: readonly string[] = ["any", "create", "replace"];
const DOMAINS: readonly string[] = FAILURE_DOMAINS;
const FAMILIES: readonly string[] = LOCK_FAMILIES;
const KINDS: readonly string[] = LOCK_KINDS;
const INVALID_KINDS: readonly string[] = ["inode", "contents", "entry", "entries", "sole"];

function requestFromWire(request: NonNullable<WireUp["body"]>): MetadataRequest {
  switch (request.type) {
    case "create":
      if (request.body.open !== undefined) oneOf(ACCESSES, request.body.open, "access");
      break;
    case "changeTogether":
      for (const { body } of request.body.changes) checkEarlyChange(body);
      break;
    case "open":
    case "close":
      oneOf(ACCESSES, request.body.access, "access");
      break;
    case "rename":
      oneOf(RENAME_MODES, request.body.mode, "mode of rename");
      break;
    case "setXattr":
      oneOf(XATTR_MODES, request.body.mode, "mode of setXattr");
      break;
    case "setStorage":
      if (request.body.failureDomain !== undefined) oneOf(DOMAINS, request.body.failureDomain, "domain");
      break;
    case "reportFile":
      if (request.body.downgradeTo !== undefined) oneOf(LEASE_KINDS, request.body.downgradeTo, "lease");
      break;
    case "settleFiles":
      for (const { closes } of request.body.files)
        for (const access of closes) oneOf(ACCESSES, access, "access");
      break;
    case "setLock":
      oneOf(FAMILIES, request.body.family, "family of locks");
      if (request.body.kind !== "none") oneOf(KINDS, request.body.kind, "kind of lock");
      break;
    case "testLock":
    case "awaitLock":
      checkFileLock(request.body.lock);
      break;
    case "reportChunk":
      // A code this program does not know is a failure of the replica all the same.
      if (isFailureCode(request.body.code)) break;
      return { type: "reportChunk", body: { ...request.body, code: "io_error" } } as MetadataRequest;
  }
  return request as MetadataRequest;
}

function replyFromWire(reply: NonNullable<WireDown["body"]>): MetadataReply | MetadataPush {
  switch (reply.type) {
    case "entry":
    case "extended":
      checkAttributes(reply.body.attributes);
      break;
    case "opened":
      checkAttributes(reply.body.attributes);
      oneOf(LEASE_KINDS, reply.body.lease.kind, "lease");
      break;
    case "openedAhead":
      for (const { attributes, lease } of reply.body.files) {
        checkAttributes(attributes);
        oneOf(LEASE_KINDS, lease.kind, "lease");
      }
      break;
    case "settled":
      return { type: "settled", body: settledFromWire(reply.body) };
    case "changedTogether":
      return { type: "changedTogether", body: changedFromWire(reply.body) };
    case "entries":
      for (const { attributes } of reply.body.entries)
        if (attributes !== undefined) checkAttributes(attributes);
      break;
    case "lockState":
      if (reply.body.lock !== undefined) checkFileLock(reply.body.lock);
      break;
    case "recallLease":
      oneOf(LEASE_KINDS, reply.body.to, "lease");
      break;
    case "invalidate":
      checkItems(reply.body.items);
      break;
  }
  return reply as MetadataReply | MetadataPush;
}

function checkEarlyChange({ type, body }: WireChange["body"]): void {
  if (type === "create" && body.open !== undefined) oneOf(ACCESSES, body.open, "access");
}

/** A failure that this program does not know stays one. */
function changedFromWire({ results }: WireChanged): ChangedTogether {
  const read = results.map(({ failure, detail, digest }) => {
    const code = failure === undefined || isFailureCode(failure) ? failure : "refused";
    return { failure: code, detail, digest } as ChangeResult;
  });
  return { results: read };
}

/** A failure that this program does not know stays one. */
function settledFromWire({ results }: WireSettled): Settled {
  const read = results.map(({ failure, detail, attributes }) => {
    if (attributes !== undefined) checkAttributes(attributes);
    const code = failure === undefined || isFailureCode(failure) ? failure : "refused";
    return { failure: code, detail, attributes } as SettleResult;
  });
  return { results: read };
}

/** Pushes have none. */
const coherenceOf = (body: MetadataReply | MetadataPush): Coherence | undefined =>
  "coherence" in body ? body.coherence : undefined;

function withCoherence(
  reply: MetadataReply | MetadataPush,
  coherence: WireCoherence | undefined,
): MetadataReply | MetadataPush {
  if (coherence === undefined) return reply;
  for (const attributes of coherence.changed) checkAttributes(attributes);
  checkItems(coherence.dropped);
  const { type, body } = reply;
  return { type, body, coherence } as MetadataReply;
}

function checkItems(items: readonly InvalidItem[]): void {
  for (const { kind } of items) oneOf(INVALID_KINDS, kind, "kind of what is invalid");
}

function checkAttributes({ storage }: WireAttributes): void {
  oneOf(DOMAINS, storage.failureDomain, "domain");
}

function checkFileLock({ family, kind }: WireFileLock): void {
  oneOf(FAMILIES, family, "family of locks");
  oneOf(KINDS, kind, "kind of lock");
}

function oneOf(allowed: readonly string[], text: string, what: string): void {
  if (!allowed.includes(text)) throw storageError("malformed", `unknown ${what}`);
}
