import { toUtf8 } from "../../../../src/base/index.js";
import { type CsId, csId, LEVEL } from "../../../../src/chunk/index.js";
import type { Change, Outcome } from "../../../../src/mds/core/command.js";
import type { Effect } from "../../../../src/mds/core/effects.js";
import { answerQuery, type PointQuery } from "../../../../src/mds/core/queries.js";
import { type Applied, apply } from "../../../../src/mds/core/state-machine.js";
import {
  type Access,
  type Attributes,
  sessionId as asSessionId,
  type Create,
  type InodeNumber,
  type LeaseGrant,
  type LeaseKind,
  type MetadataMutation,
  MODE_DIRECTORY,
  MODE_FILE,
  type ReportFile,
  ROOT_INODE,
  type SessionId,
} from "../../../../src/meta/index.js";
import { MemoryTables } from "./memory-tables.js";

type BodyOf<Type extends MetadataMutation["type"]> = Omit<
  Extract<MetadataMutation, { readonly type: Type }>["body"],
  "id" | "written"
> &
  Partial<Pick<ReportFile, "written">>;

/** A cluster as the state machine sees it, with a clock that advances one second a command. */
export class CoreWorld {
  readonly tables = new MemoryTables();
  /** Of the last command. */
  effects: readonly Effect[] = [];
  stampMs = 1_700_000_000_000;
  readonly #sequences = new Map<SessionId, number>();

  /** Of that level; undefined: of a build that knew of none. */
  constructor({ level }: { readonly level?: number } = { level: LEVEL }) {
    this.apply({
      type: "genesis",
      body: {
        clusterId: "c1",
        name: "test",
        secrets: new Uint8Array([1]),
        address: "10.0.0.1:2510",
        hostId: "h1",
        level,
      },
    });
  }

  apply(change: Change): Applied {
    this.stampMs += 1000;
    const applied = apply(this.tables, { stampMs: this.stampMs, change });
    this.effects = applied.effects;
    return applied;
  }

  session(): SessionId {
    const body = { hostname: "host", hostId: "h1", program: "library" };
    const { outcome } = this.apply({ type: "beginSession", body });
    if (outcome.type !== "done") throw new Error("a session begins");
    return asSessionId(outcome.value);
  }

  endSession(sessionId: SessionId): void {
    for (;;) {
      const { outcome } = this.apply({ type: "endSession", body: { sessionId, reason: "expired" } });
      if (outcome.type === "done" && outcome.value === 0) return;
    }
  }

  /** The session's next mutation, as a command. */
  next<Type extends MetadataMutation["type"]>(
    sessionId: SessionId,
    type: Type,
    body: BodyOf<Type>,
  ): Extract<Change, { type: "mutate" }> {
    const sequence = (this.#sequences.get(sessionId) ?? 0) + 1;
    this.#sequences.set(sessionId, sequence);
    const id = { sequence, answeredBelow: sequence, unanswered: [] };
    const whole = type === "reportFile" ? { written: [], ...body } : body;
    const mutation = { type, body: { ...whole, id } } as unknown as MetadataMutation;
    return { type: "mutate", body: { sessionId, mutation } };
  }

  mutate<Type extends MetadataMutation["type"]>(
    sessionId: SessionId,
    type: Type,
    body: BodyOf<Type>,
  ): Outcome {
    return this.apply(this.next(sessionId, type, body)).outcome;
  }

  create(sessionId: SessionId, name: string, more: Partial<Omit<Create, "id" | "name">> = {}): Opened {
    return openedOf(this.mutate(sessionId, "create", createBody(name, more)));
  }

  mkdir(sessionId: SessionId, name: string, parent: InodeNumber = ROOT_INODE, mode = 0o755): InodeNumber {
    return this.create(sessionId, name, { parent, mode: MODE_DIRECTORY | mode, mustBeNew: true }).attributes
      .ino;
  }

  open(sessionId: SessionId, ino: InodeNumber, access: Access): LeaseGrant {
    return openedOf(this.mutate(sessionId, "open", { ino, access })).lease;
  }

  /** The last word of a holder under its present lease. */
  report(
    sessionId: SessionId,
    ino: InodeNumber,
    sizeBytes: number,
    downgradeTo?: LeaseKind,
    ask?: number,
  ): Outcome {
    const leaseSequence = this.tables.opens.get(ino, sessionId)?.leaseSequence ?? 0;
    const mtime = { seconds: Math.floor(this.stampMs / 1000), nanos: 5 };
    return this.mutate(sessionId, "reportFile", { ino, leaseSequence, sizeBytes, mtime, downgradeTo, ask });
  }

  stat(ino: InodeNumber): Attributes {
    return attributesIn(this.query({ type: "getAttributes", body: { ino } }));
  }

  query(query: PointQuery, asker: SessionId = asSessionId(0)): Outcome {
    return { type: "reply", reply: answerQuery(this.tables, asker, query) };
  }

  lookup(parent: InodeNumber, name: string): Attributes {
    return attributesIn(this.query({ type: "lookup", body: { parent, name: toUtf8(name) } }));
  }

  /** A chunk server that is up and has a terabyte free. */
  addServer(number: number): CsId {
    const { outcome } = this.apply({
      type: "addCs",
      body: { hostId: `host${number}`, location: "0.0.0", tier: 0 },
    });
    if (outcome.type !== "done") throw new Error("a chunk server is added");
    const id = csId(outcome.value);
    const body = {
      csId: id,
      address: `10.0.1.${number}:1000`,
      hostId: `host${number}`,
      location: "0.0.0",
      tier: 0,
      incarnation: 1,
      runs: ["run"],
      space: { totalBytes: 2 ** 40, freeBytes: 2 ** 40 },
    };
    this.apply({ type: "registerCs", body });
    this.apply({ type: "setCsActivity", body: { csId: id, activity: "active" } });
    return id;
  }

  /** Carries out all installations that are under way; every member has data up to `highWaterBytes`. */
  installAll(highWaterBytes = 0): Effect[] {
    const effects: Effect[] = [];
    for (let chunk = this.#installing(); chunk !== undefined; chunk = this.#installing()) {
      const { chunkId, version } = chunk;
      const { effects: more } = this.apply({
        type: "chunkInstalled",
        body: { chunkId, version, highWaterBytes },
      });
      effects.push(...more);
    }
    return effects;
  }

  #installing() {
    const chunkId = [...this.tables.installing.values()][0];
    return chunkId === undefined ? undefined : this.tables.chunks.get(chunkId);
  }
}

export interface Opened {
  readonly attributes: Attributes;
  readonly lease: LeaseGrant;
  readonly created: boolean;
}

export function createBody(name: string, more: Partial<Omit<Create, "id" | "name">> = {}): BodyOf<"create"> {
  const target = new Uint8Array(0);
  const plain = { parent: ROOT_INODE, mode: MODE_FILE | 0o644, uid: 0, gid: 0, rdev: 0, target };
  return { ...plain, name: toUtf8(name), mustBeNew: false, ...more };
}

export function openedOf(outcome: Outcome): Opened {
  if (outcome.type !== "reply" || outcome.reply.type !== "opened") throw unexpected(outcome);
  return outcome.reply.body;
}

export function attributesIn(outcome: Outcome): Attributes {
  if (outcome.type !== "reply" || outcome.reply.type !== "entry") throw unexpected(outcome);
  return outcome.reply.body.attributes;
}

/** The code of a failure, or `ok`, `wait`, `done`. */
export function codeOf(outcome: Outcome): string {
  if (outcome.type === "failure") return outcome.failure.code;
  return outcome.type === "reply" ? "ok" : outcome.type;
}

const unexpected = (outcome: Outcome): Error => new Error(`unexpected outcome ${JSON.stringify(outcome)}`);
