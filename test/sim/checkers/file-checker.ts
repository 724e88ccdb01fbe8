import { BLOCK_BYTES } from "../../../src/chunk/index.js";
import { type BlockAction, BlockModel, type Candidate, type Source, ZEROS } from "./block-model.js";
import { describeOperation, type FileHistory, type FileOperation } from "./file-history.js";
import { checkLinearizable, type Model, type Operation } from "./linearizability.js";

/** What is wrong with the contents of a file, one text for each fault found; at most a few. */
export function checkFile(history: FileHistory): string[] {
  return [...checkBlocks(history), ...checkSize(history)];
}

/**
 * What a client read while it had a write of its own in its memory that never was safe: it may have seen that write, which
 * may be gone with the buffer; or with the power of the servers that had it and had not synced it, while the client still has
 * it in its caches. Others see only what the servers have. These are the operations without such reads, as far as they are
 * about the same block, if one is given.
 */
function withoutLostSights(history: FileHistory, index?: number): FileOperation[] {
  const lost: { readonly process: string; readonly from: number }[] = [];
  for (const write of history.operations) {
    if (write.isBuffered !== true || (index !== undefined && eventOf(write, index) === undefined)) continue;
    if (write.outcome !== "ok") lost.push({ process: write.process, from: write.calledAt });
    const failure = history.powerFailures.find(({ at }) => at > write.returnedAt);
    if (failure !== undefined && !isSynced(history, write, failure.at))
      lost.push({ process: write.process, from: failure.at });
  }
  if (lost.length === 0) return history.operations;
  return history.operations.filter(
    ({ action, process, returnedAt }) =>
      (action.type !== "read" && action.type !== "size") ||
      !lost.some((write) => write.process === process && write.from < returnedAt),
  );
}

const COMPLAINTS_MAX = 3;

interface Event {
  readonly operation: FileOperation | undefined;
  readonly from: number;
  readonly to: number;
  readonly source: Source;
}

/** Every 4 KiB block is one register, whatever the size of the requests. */
function checkBlocks(history: FileHistory): string[] {
  const complaints: string[] = [];
  const touched = touchedBlocks(history);
  const lowest = [...touched].sort((a, b) => a - b);
  for (const index of lowest) {
    if (complaints.length >= COMPLAINTS_MAX) break;
    const placed = blockOperations(history, index);
    const verdict = checkLinearizable(new BlockModel(index), placed);
    if (verdict.type === "ok") continue;
    if (verdict.type === "unknown") {
      complaints.push(`${history.name} block ${index}: too many possible orders to check`);
      continue;
    }
    complaints.push(explainBlock(history, index, placed, verdict.stuckAt));
  }
  return complaints;
}

/** Those written, and those read. */
function touchedBlocks({ operations }: FileHistory): Set<number> {
  const touched = new Set<number>();
  for (const { action } of operations) {
    const range = rangeOf(action);
    if (range === undefined || range.to === Number.POSITIVE_INFINITY) continue;
    for (let at = Math.floor(range.from / BLOCK_BYTES); at * BLOCK_BYTES < range.to; at++) touched.add(at);
  }
  return touched;
}

/** What of the file an action sets or tells, with the end of file at infinity. */
function rangeOf(action: FileOperation["action"]): { from: number; to: number } | undefined {
  switch (action.type) {
    case "write":
      return { from: action.offset, to: action.offset + action.bytes.length };
    case "punch":
      return { from: action.offset, to: action.offset + action.lengthBytes };
    case "truncate":
      return { from: action.sizeBytes, to: Number.POSITIVE_INFINITY };
    case "read":
      return action.bytes && { from: action.offset, to: action.offset + action.bytes.length };
    default:
      return undefined;
  }
}

interface Placed extends Operation<BlockAction> {
  readonly operation: FileOperation | undefined;
}

function blockOperations(history: FileHistory, index: number): Placed[] {
  const placed: Placed[] = [];
  for (const operation of withoutLostSights(history, index)) {
    const event = eventOf(operation, index);
    if (event === undefined) continue;
    const { calledAt, returnedAt } = operation;
    const type = operation.action.type === "read" ? "read" : "set";
    const { from, to, source } = event;
    const isOptional = operation.outcome !== "ok" && returnedAt !== Number.POSITIVE_INFINITY;
    placed.push({ operation, calledAt, returnedAt, isOptional, action: { type, from, to, source } });
  }
  for (const { at } of history.powerFailures) {
    const action: BlockAction = { type: "powerFailure", candidates: survivors(history, index, at) };
    placed.push({ operation: undefined, calledAt: at, returnedAt: at + 0.5, action });
  }
  return placed;
}

/** What the operation means to that block, if anything. Reads without an answer mean nothing. */
function eventOf(operation: FileOperation, index: number): Event | undefined {
  const { action, number } = operation;
  if (action.type === "read" && operation.outcome !== "ok") return undefined;
  const range = rangeOf(action);
  if (range === undefined) return undefined;
  const start = index * BLOCK_BYTES;
  const from = Math.max(0, range.from - start);
  const to = Math.min(BLOCK_BYTES, range.to - start);
  if (from >= to) return undefined;
  const source =
    action.type === "write"
      ? { number, offset: action.offset, bytes: action.bytes }
      : action.type === "read" && action.bytes !== undefined
        ? { number, offset: action.offset, bytes: action.bytes }
        : ZEROS;
  return { operation, from, to, source };
}

/**
 * What may be in a block after a loss of power at that position: anything that was set before, except what was
 * replaced by something synced.
 */
function survivors(history: FileHistory, index: number, at: number): Candidate[] {
  const sets: { readonly event: Event; readonly operation: FileOperation }[] = [];
  for (const operation of history.operations) {
    if (operation.calledAt > at || operation.action.type === "read") continue;
    const event = eventOf(operation, index);
    if (event !== undefined) sets.push({ event, operation });
  }
  const durable = sets.filter(({ operation }) => isSynced(history, operation, at));
  const candidates: Candidate[] = [];
  const add = (from: number, to: number, source: Source, before: number): void => {
    // Cut away what a later durable operation has replaced.
    let parts = [{ from, to }];
    for (const { event, operation } of durable) {
      if (operation.calledAt <= before) continue;
      parts = parts.flatMap((part) => [
        { from: part.from, to: Math.min(part.to, event.from) },
        { from: Math.max(part.from, event.to), to: part.to },
      ]);
      parts = parts.filter((part) => part.from < part.to);
    }
    candidates.push(...parts.map((part) => ({ ...part, source })));
  };
  add(0, BLOCK_BYTES, ZEROS, 0);
  for (const { event, operation } of sets) add(event.from, event.to, event.source, operation.returnedAt);
  return candidates;
}

/** A sync by the same process began after the operation was acknowledged, and ended before the power was lost. */
function isSynced(history: FileHistory, operation: FileOperation, at: number): boolean {
  if (operation.outcome !== "ok") return false;
  return history.operations.some(
    (other) =>
      other.action.type === "sync" &&
      other.outcome === "ok" &&
      other.process === operation.process &&
      other.calledAt > operation.returnedAt &&
      other.returnedAt < at &&
      !history.powerFailures.some(
        (failure) => failure.at > operation.calledAt && failure.at < other.returnedAt,
      ),
  );
}

function explainBlock(
  history: FileHistory,
  index: number,
  operations: readonly Placed[],
  stuckAt: Operation<BlockAction>,
): string {
  const stuck = stuckAt as Placed;
  const lines = operations
    .filter(({ calledAt }) => calledAt <= stuck.returnedAt)
    .sort((a, b) => a.calledAt - b.calledAt)
    .slice(-12)
    .map(({ operation, action }) => {
      const what = operation === undefined ? "loss of power" : describeOperation(operation);
      const seen = action.type === "read" ? ` saw ${describeContents(history, index, action)}` : "";
      return `    ${what}${seen}`;
    });
  const what = stuck.operation === undefined ? "a loss of power" : describeOperation(stuck.operation);
  return [
    `${history.name} block ${index} is not linearizable, no place for ${what}. History:`,
    ...lines,
  ].join("\n");
}

/** Whose bytes a read saw. */
function describeContents(
  history: FileHistory,
  index: number,
  action: Extract<BlockAction, { type: "read" }>,
): string {
  const start = index * BLOCK_BYTES;
  const runs: { who: string; from: number; to: number }[] = [];
  for (let at = action.from; at < action.to; at++) {
    const position = start + at;
    const byte = action.source.bytes[position - action.source.offset] ?? 0;
    const last = runs.at(-1);
    const who =
      last !== undefined && isByteOf(history, last.who, position, byte)
        ? last.who
        : ownerOf(history, position, byte);
    if (last?.who === who) last.to = at + 1;
    else runs.push({ who, from: at, to: at + 1 });
  }
  return runs
    .slice(0, 8)
    .map(({ who, from, to }) => `${who}[${from},${to})`)
    .join(" ");
}

function ownerOf(history: FileHistory, position: number, byte: number): string {
  const writers = history.operations.filter((operation) =>
    isByteOf(history, `#${operation.number}`, position, byte),
  );
  // The eight bytes around tell more than one.
  return writers.length > 0 ? `#${writers.at(-1)?.number ?? 0}` : byte === 0 ? "zeros" : "nobody";
}

function isByteOf(history: FileHistory, who: string, position: number, byte: number): boolean {
  if (who === "zeros") return byte === 0;
  if (who === "nobody") return false;
  const action = history.operations[Number(who.slice(1)) - 1]?.action;
  if (action?.type !== "write") return false;
  const at = position - action.offset;
  return at >= 0 && at < action.bytes.length && action.bytes[at] === byte;
}

type SizeAction =
  | { readonly type: "grow"; readonly to: number }
  /** A write that came to no good end: any part of it may be there. */
  | { readonly type: "growPartly"; readonly from: number; readonly to: number }
  | { readonly type: "set"; readonly to: number }
  | { readonly type: "is"; readonly min: number; readonly max: number }
  /** It may be anything from then on, until somebody looks. */
  | { readonly type: "lose" };

interface SizeState {
  /** Undefined: anything. */
  readonly size: number | undefined;
  /** Where it may also be, if that is more: `from` excluded. */
  readonly parts: readonly { readonly from: number; readonly to: number }[];
}

/** The size is one register, which writes can only let grow. */
class SizeModel implements Model<SizeState, SizeAction> {
  readonly initial: SizeState = { size: 0, parts: [] };

  step(state: SizeState, action: SizeAction): SizeState | undefined {
    const { size, parts } = state;
    switch (action.type) {
      case "grow":
        return size === undefined ? state : sized(Math.max(size, action.to), parts);
      case "growPartly":
        return sized(size, [...parts, { from: action.from, to: action.to }]);
      case "set":
        return { size: action.to, parts: [] };
      case "lose":
        return { size: undefined, parts: [] };
      case "is":
        return seen(state, action.min, action.max);
    }
  }

  key({ size, parts }: SizeState): string {
    return `${size ?? "?"} ${parts.map(({ from, to }) => `${from}-${to}`).join(" ")}`;
  }
}

/** With as few parts as say the same, so that it is known again in whatever order they came. */
function sized(size: number | undefined, parts: SizeState["parts"]): SizeState {
  const beyond = parts
    .filter(({ to }) => to > (size ?? 0))
    .map(({ from, to }) => ({ from: Math.max(from, size ?? 0), to }));
  const joined: { from: number; to: number }[] = [];
  for (const { from, to } of beyond.sort((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else joined.push({ from, to });
  }
  return { size, parts: joined };
}

function seen(state: SizeState, min: number, max: number): SizeState | undefined {
  const { size, parts } = state;
  if (size === undefined) return min === max ? { size: min, parts } : state;
  if (min <= size && size <= max) return state;
  let lowest = Number.POSITIVE_INFINITY;
  for (const { from, to } of parts) {
    const low = Math.max(min, from + 1, size + 1);
    if (low <= Math.min(max, to)) lowest = Math.min(lowest, low);
  }
  return lowest === Number.POSITIVE_INFINITY ? undefined : { size: lowest, parts };
}

function checkSize(history: FileHistory): string[] {
  const operations: (Operation<SizeAction> & { readonly operation: FileOperation | undefined })[] = [];
  for (const operation of withoutLostSights(history)) {
    const { calledAt, returnedAt } = operation;
    const isOptional = operation.outcome !== "ok" && returnedAt !== Number.POSITIVE_INFINITY;
    for (const action of sizeActionsOf(operation, history))
      operations.push({ action, calledAt, returnedAt, isOptional, operation });
  }
  for (const { at } of history.powerFailures) {
    operations.push({ action: { type: "lose" }, calledAt: at, returnedAt: at + 0.5, operation: undefined });
  }
  const verdict = checkLinearizable(new SizeModel(), operations);
  if (verdict.type === "ok") return [];
  if (verdict.type === "unknown") return [`${history.name} size: too many possible orders to check`];
  const stuck = verdict.stuckAt as (typeof operations)[number];
  const lines = operations
    .filter(({ calledAt }) => calledAt <= stuck.returnedAt)
    .slice(-14)
    .map(
      ({ operation }) => `    ${operation === undefined ? "loss of power" : describeOperation(operation)}`,
    );
  const what = stuck.operation === undefined ? "a loss of power" : describeOperation(stuck.operation);
  return [[`${history.name} size is not linearizable, no place for ${what}. History:`, ...lines].join("\n")];
}

function sizeActionsOf(operation: FileOperation, history: FileHistory): SizeAction[] {
  const { action, outcome } = operation;
  switch (action.type) {
    case "write": {
      const { offset, bytes } = action;
      if (bytes.length === 0) return [];
      if (outcome === "ok")
        return endsOfPieces(operation, offset, bytes.length, history).map((to) => ({ type: "grow", to }));
      return [{ type: "growPartly", from: offset, to: offset + bytes.length }];
    }
    case "truncate":
      return [{ type: "set", to: action.sizeBytes }];
    case "size":
      if (outcome !== "ok" || action.sizeBytes === undefined) return [];
      return [{ type: "is", min: action.sizeBytes, max: action.sizeBytes }];
    case "read":
      if (outcome !== "ok" || action.bytes === undefined || action.lengthBytes === 0) return [];
      return [seenSize(action.offset, action.lengthBytes, action.bytes.length)];
    default:
      return [];
  }
}

/** Where each part of a write ends that lies in one chunk. Nobody can tell them apart but a truncation beside it. */
function endsOfPieces(
  { calledAt, returnedAt }: FileOperation,
  offset: number,
  lengthBytes: number,
  { operations, chunkBytes }: FileHistory,
): number[] {
  const end = offset + lengthBytes;
  const isBeside = (other: FileOperation): boolean =>
    other.calledAt < returnedAt && other.returnedAt > calledAt;
  if (!operations.some((other) => other.action.type === "truncate" && isBeside(other))) return [end];
  const ends: number[] = [];
  for (let at = (Math.floor(offset / chunkBytes) + 1) * chunkBytes; at < end; at += chunkBytes) ends.push(at);
  return [...ends, end];
}

/** What the length of the answer tells of the size. */
function seenSize(offset: number, wanted: number, got: number): SizeAction {
  if (got === wanted) return { type: "is", min: offset + wanted, max: Number.POSITIVE_INFINITY };
  if (got === 0) return { type: "is", min: 0, max: offset };
  return { type: "is", min: offset + got, max: offset + got };
}
