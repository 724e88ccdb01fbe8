import { storageError, unreachable } from "../base/index.js";
import { LEVEL_OF, levelRefusal, toldLevel } from "../chunk/index.js";
import type {
  Hello,
  MetadataMutation,
  MetadataPush,
  MetadataQuery,
  MetadataReply,
  MetadataRequest,
  SessionId,
  Welcome,
} from "../meta/index.js";
import { sessionId } from "../meta/index.js";
import type { StreamMethod } from "../rpc/index.js";
import {
  type CallContext,
  type CallServer,
  type CallTimes,
  type Channel,
  METADATA_SESSION,
  type Service,
  serveCalls,
} from "../rpc/index.js";
import type { RequestTimes } from "../telemetry/index.js";
import { reportedChunk } from "./chunk-reports.js";
import { coherentMutation, coherentQuery } from "./coherent-answers.js";
import { withInline, withInlineOfCut } from "./core/inline-contents.js";
import { attributesAskedBy } from "./core/queries.js";
import { ORDERLY_END } from "./core/sessions.js";
import type { Leadership } from "./leadership.js";
import { answerQuery, freshAttributes } from "./query-service.js";
import { noteRefusal } from "./refusal-log.js";

/** The version of the conversation between clients and metadata servers. */
export const PROTOCOL_VERSION = 2;
/** A waiting request looks again at least this often, so that a lost wake costs no more. */
const WAIT_MS_MAX = 1000;

const OK: MetadataReply = { type: "ok", body: {} };

/** What the streams of clients need of this node. */
export interface ClientServiceWorld {
  readonly clusterId: string;
  readonly mdsId: number;
  /** Of all its requests, by their types. */
  readonly times: RequestTimes;
  /** The present leadership of this node; throws `not_leader` with a hint if it does not lead. */
  readonly leadership: () => Leadership;
}

type SessionDown = Parameters<typeof METADATA_SESSION.down.encode>[0];
type SessionUp = Parameters<typeof METADATA_SESSION.up.encode>[0];

/** Answers clients: one stream a session, the first request is `hello`. */
export class ClientService {
  readonly #world: ClientServiceWorld;
  readonly #times: CallTimes<MetadataRequest>;

  constructor(world: ClientServiceWorld) {
    this.#world = world;
    const { times } = world;
    this.#times = {
      begin: () => times.begin(),
      end: ({ type }, beganMs) => times.end(type, beganMs),
    };
  }

  define(service: Service): void {
    const method: StreamMethod<SessionUp, SessionDown> = METADATA_SESSION;
    service.stream(method, (channel) => this.#accept(channel));
  }

  #accept(channel: Channel<SessionDown, SessionUp>): void {
    const conversation = new Conversation(this.#world);
    const connection: CallServer<MetadataPush> = serveCalls<MetadataRequest, MetadataReply, MetadataPush>(
      channel,
      (request, context) => conversation.answer(request, context, connection),
      { concurrencyMax: 512, times: this.#times },
    );
    connection.onClose(() => conversation.end(connection));
  }
}

/** One stream: who speaks, and under which leadership it was let in. */
class Conversation {
  readonly #world: ClientServiceWorld;
  #session: SessionId | undefined;
  #leadership: Leadership | undefined;

  constructor(world: ClientServiceWorld) {
    this.#world = world;
  }

  async answer(
    request: MetadataRequest,
    context: CallContext,
    connection: CallServer<MetadataPush>,
  ): Promise<MetadataReply> {
    const leadership = this.#world.leadership();
    if (request.type === "hello") {
      return await this.#hello(leadership, request.body, connection).catch((error: unknown) => {
        noteRefusal(leadership.log, "a client was refused", context.peer, error);
        throw error;
      });
    }
    if (this.#session === undefined || this.#leadership !== leadership) {
      throw storageError("session_lost", "a stream begins with hello");
    }
    const session = this.#session;
    if (leadership.tables.sessions.get(session) === undefined)
      throw storageError("session_lost", "the session is over");
    leadership.sessions.heard(session);
    switch (request.type) {
      case "keepAlive":
        if (request.body.load !== undefined) leadership.sessions.told(session, request.body.load);
        // Only who surely leads may prolong a lease.
        await leadership.readBarrier();
        return OK;
      case "goodbye":
        await leadership.propose({
          type: "endSession",
          body: { sessionId: session, reason: ORDERLY_END },
        });
        return OK;
      case "mapDropped":
        leadership.sessions.mapDropped(session, request.body.chunkId, request.body.version);
        return OK;
      case "invalidated":
        leadership.coherence.acknowledged(session, request.body.number, request.body.released);
        return OK;
      case "awaitLock":
        leadership.locks.await(session, request.body, connection);
        return OK;
      case "forgetLockWait":
        leadership.locks.forget(session, request.body.waitId);
        return OK;
      case "reportChunk":
        return ticketed(leadership, session, request, await reportedChunk(leadership, request.body, context));
      default:
        return ticketed(
          leadership,
          session,
          request,
          isQuery(request)
            ? await coherentQuery(leadership.coherence, session, request, context, (seen) =>
                answerQuery(leadership, session, request, context, seen),
              )
            : await coherentMutation(leadership.coherence, session, request, context, () =>
                this.#mutate(leadership, session, request, context),
              ),
        );
    }
  }

  end(connection: CallServer<MetadataPush>): void {
    if (this.#session === undefined) return;
    this.#leadership?.sessions.disconnect(this.#session, connection);
    this.#leadership?.locks.drop(this.#session, connection);
  }

  async #hello(
    leadership: Leadership,
    hello: Hello,
    connection: CallServer<MetadataPush>,
  ): Promise<MetadataReply> {
    if (hello.clusterId !== this.#world.clusterId) {
      throw storageError(
        "wrong_cluster",
        "this is another cluster; check bs.list and the credential of this host",
      );
    }
    if (hello.protocolVersion !== PROTOCOL_VERSION) {
      throw storageError(
        "unsupported",
        `this MDS speaks protocol ${PROTOCOL_VERSION}; update the older side`,
      );
    }
    if (this.#session !== undefined) throw storageError("malformed", "one hello a stream");
    await leadership.readBarrier();
    const level = toldLevel(hello.level);
    if (level < leadership.level) throw storageError("unsupported", levelRefusal(leadership.level, level));
    const wanted = sessionId(hello.sessionId);
    const present = hello.sessionId === 0 ? undefined : leadership.tables.sessions.get(wanted);
    // The numbers of sessions are no secret: another host may not speak for it.
    if (present !== undefined && present.hostId !== connection.peer.hostId)
      throw storageError("unauthorized", "the session is one of another host");
    const resumed = present !== undefined;
    const session = resumed ? wanted : await this.#begin(leadership, hello, connection);
    this.#session = session;
    this.#leadership = leadership;
    const caches = leadership.tables.sessions.get(session)?.caches === true;
    if (caches) leadership.coherence.attached(session, hello.earlyCount);
    leadership.sessions.connect(session, connection, level);
    // It may have been raised meanwhile.
    if (level < leadership.level) throw storageError("unsupported", levelRefusal(leadership.level, level));
    if (caches) leadership.coherence.sole.connected(session);
    if (resumed) leadership.repeatPushes(session);
    connection.push(leadership.mdsServers());
    const welcome: Welcome = {
      sessionId: session,
      leaseMs: leadership.sessionLeaseMs,
      mdsId: this.#world.mdsId,
      resumed,
      clusterName: leadership.tables.cluster.get()?.name ?? "",
      level: leadership.level,
    };
    return { type: "welcome", body: welcome };
  }

  async #begin(
    leadership: Leadership,
    { hostname, program, caches }: Hello,
    { peer }: CallServer<MetadataPush>,
  ): Promise<SessionId> {
    const names = { hostname: hostname.slice(0, 255), hostId: peer.hostId, program: program.slice(0, 64) };
    const body = { ...names, caches };
    const outcome = await leadership.propose({ type: "beginSession", body });
    if (outcome.type !== "done") throw storageError("busy", "no session can be begun now");
    return sessionId(outcome.value);
  }

  async #mutate(
    leadership: Leadership,
    session: SessionId,
    mutation: MetadataMutation,
    { deadlineMs, signal, peer }: CallContext,
  ): Promise<MetadataReply> {
    if (mutation.type === "changeTogether" && leadership.level < LEVEL_OF.changeTogether)
      throw storageError("unsupported", "the cluster is not at that level yet");
    const endMs = leadership.clock.monotonicMs() + deadlineMs;
    const asked = attributesAskedBy(mutation);
    // What was answered early concerns nothing that others know better, and is proposed in the order in which it came.
    if (asked !== undefined && mutation.body.id.stampMs === undefined) {
      await leadership.readBarrier();
      await freshAttributes(leadership, session, asked, { deadlineMs, signal, peer });
    }
    for (;;) {
      const since = leadership.waiters.now;
      const outcome = await leadership.propose({ type: "mutate", body: { sessionId: session, mutation } });
      if (outcome.type === "reply") return answered(leadership, session, mutation, outcome.reply);
      if (outcome.type === "done") return OK;
      const leftMs = endMs - leadership.clock.monotonicMs();
      if (leftMs <= 0 || signal.aborted)
        throw storageError("timed_out", "the request had to wait for too long");
      await leadership.waiters.wait(outcome.key, since, Math.min(leftMs, WAIT_MS_MAX), signal);
      leadership.requireLeading();
    }
  }
}

/** With what the session shows to chunk servers, if it was given maps. */
function ticketed(
  { tickets }: Leadership,
  session: SessionId,
  { body }: MetadataRequest,
  reply: MetadataReply,
): MetadataReply {
  if (reply.type !== "chunkMaps" || !("ino" in body) || body.ino === undefined) return reply;
  return { ...reply, body: { ...reply.body, maps: tickets.withTickets(session, body.ino, reply.body.maps) } };
}

/** With the contents of a small file, where they belong to the answer. */
function answered(
  { tables }: Leadership,
  session: SessionId,
  { type }: MetadataMutation,
  reply: MetadataReply,
): MetadataReply {
  return type === "truncate" ? withInlineOfCut(tables, session, reply) : withInline(tables, session, reply);
}

function isQuery(request: MetadataQuery | MetadataMutation): request is MetadataQuery {
  switch (request.type) {
    case "lookup":
    case "getAttributes":
    case "resolvePath":
    case "readDirectory":
    case "readSymlink":
    case "getXattr":
    case "listXattrs":
    case "statFilesystem":
    case "getChunkMaps":
    case "testLock":
      return true;
    case "create":
    case "link":
    case "remove":
    case "rename":
    case "setAttributes":
    case "truncate":
    case "setXattr":
    case "removeXattr":
    case "setStorage":
    case "open":
    case "openAhead":
    case "markAccessed":
    case "close":
    case "reportFile":
    case "settleFiles":
    case "reserveNumbers":
    case "changeTogether":
    case "allocateChunk":
    case "revoke":
    case "extend":
    case "setLock":
      return false;
    default:
      return unreachable(request);
  }
}
