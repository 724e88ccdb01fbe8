import { fromUtf8, type Prng, toUtf8 } from "../../../src/base/index.js";
import type { Cluster, InodeOperations } from "../../../src/client/index.js";
import {
  type Attributes,
  type InodeNumber,
  inodeNumber,
  isDirectory,
  isSymlink,
  MODE_DIRECTORY,
  MODE_FILE,
  MODE_SYMLINK,
  ROOT_INODE,
} from "../../../src/meta/index.js";
import { checkLinearizable, type Operation } from "../checkers/linearizability.js";
import {
  type NodeKind,
  type TreeAction,
  type TreeAnswer,
  TreeModel,
  type TreeRequest,
} from "../checkers/tree-model.js";
import { type Actor, codeOf, type Workload, type WorkloadWorld } from "./workload.js";

interface TreeOperation {
  readonly number: number;
  readonly process: string;
  readonly request: TreeRequest;
  readonly calledAt: number;
  readonly calledMs: number;
  returnedAt: number;
  answer: TreeAnswer | undefined;
  failure: string | undefined;
  /** It was answered early, or by what was, and is lost if its session is lost now. */
  isUnsafe: boolean;
  /** From then on it has no effect any more. */
  fencedAt: number | undefined;
}

/** A few directories in which everybody works at once. */
interface Arena {
  readonly name: string;
  readonly directories: InodeNumber[];
  readonly operations: TreeOperation[];
  /** Inode numbers seen lately. */
  readonly seen: number[];
}

/** These say for certain what happened. Any other failure leaves it open. */
const CERTAIN: ReadonlySet<string> = new Set([
  "not_found",
  "exists",
  "not_directory",
  "is_directory",
  "not_empty",
  "not_permitted",
  "no_such_attribute",
]);
const MODES: Readonly<Record<NodeKind, number>> = {
  file: MODE_FILE | 0o644,
  directory: MODE_DIRECTORY | 0o755,
  symlink: MODE_SYMLINK | 0o777,
};
const NAMES = ["a", "b", "c", "d", "e"];
const XATTR = toUtf8("user.sim");
const REQUEST_MS_MAX = 20_000;
const HOME_RATE = 0.5;

/** Names: created, moved, linked, removed and looked at by several clients at once. */
export class TreeWorkload implements Workload {
  readonly name = "names";
  readonly counts = { begun: 0, succeeded: 0 };
  readonly #world: WorkloadWorld;
  readonly #arenas: Arena[];
  /** Where a client is at home: it is often alone there. */
  readonly #homes: ReadonlyMap<string, Arena>;

  constructor(world: WorkloadWorld, arenaCount: number) {
    this.#world = world;
    const names = Array.from({ length: arenaCount }, (_, i) => `names${i}`);
    const homes = world.simulation.clients.map(({ name }) => name);
    this.#arenas = [...names, ...homes].map((name) => ({ name, directories: [], operations: [], seen: [] }));
    this.#homes = new Map(this.#arenas.map((arena) => [arena.name, arena]));
  }

  async setUp({ fileSystem: { inodes } }: Cluster): Promise<void> {
    for (const { name, directories } of this.#arenas) {
      const mode = MODES.directory;
      const top = await inodes.create({ parent: ROOT_INODE, name: toUtf8(name), mode });
      for (const part of ["x", "y"]) {
        const { ino } = await inodes.create({ parent: top.ino, name: toUtf8(part), mode });
        directories.push(ino);
      }
    }
  }

  async work(actor: Actor): Promise<void> {
    const { prng } = actor;
    const home = this.#homes.get(actor.node.name);
    const arena = home !== undefined && prng.chance(HOME_RATE) ? home : prng.pick(this.#arenas);
    const lanes = prng.between(1, 3);
    const count = prng.between(1, 15);
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        const own = prng.fork();
        for (let i = 0; i < count && !actor.isStopping(); i++) {
          await this.#do(actor, arena, draw(arena, own));
          if (own.chance(0.3)) await actor.node.host.clock.sleep("workload.think", own.between(1, 60));
        }
      }),
    );
  }

  async readBack(actor: Actor): Promise<void> {
    for (const arena of this.#arenas) {
      for (const parent of arena.directories) {
        await this.#do(actor, arena, { type: "list", parent });
        for (const name of NAMES) await this.#do(actor, arena, { type: "lookup", parent, name });
      }
      for (const ino of new Set(arena.seen)) {
        await this.#do(actor, arena, { type: "stat", ino });
        await this.#do(actor, arena, { type: "getXattr", ino });
      }
    }
  }

  fence(isDead: (process: string) => boolean): void {
    const at = this.#world.positions.next();
    for (const { operations } of this.#arenas) {
      for (const operation of operations) {
        const isOpen = operation.returnedAt === Number.POSITIVE_INFINITY || operation.isUnsafe;
        if (isOpen && operation.fencedAt === undefined && isDead(operation.process)) operation.fencedAt = at;
      }
    }
  }

  /** The log of the metadata servers is always synced: nothing is lost. */
  powerFailed(): void {}

  check(): string[] {
    return this.#arenas.flatMap((arena) => checkArena(arena));
  }

  async #do(actor: Actor, arena: Arena, request: TreeRequest): Promise<void> {
    const { positions, simulation } = this.#world;
    this.counts.begun++;
    const operation: TreeOperation = {
      number: arena.operations.length + 1,
      process: actor.process,
      request,
      calledAt: positions.next(),
      calledMs: simulation.simulator.nowMs,
      returnedAt: Number.POSITIVE_INFINITY,
      answer: undefined,
      failure: undefined,
      isUnsafe: actor.node.answersEarly,
      fencedAt: undefined,
    };
    arena.operations.push(operation);
    const { inodes } = actor.cluster.fileSystem;
    const { lossCount } = inodes;
    try {
      // As a mount does; every other time, so that the other way is gone as well.
      const atOnce = this.counts.begun % 2 === 0 ? carryOutAtOnce(inodes, request) : undefined;
      operation.answer = atOnce ?? (await carryOut(inodes, request));
      this.counts.succeeded++;
      this.#remember(arena, operation.answer);
    } catch (error) {
      const code = codeOf(error);
      operation.failure = code;
      if (!CERTAIN.has(code)) return;
      operation.answer = { type: "failure", code };
    }
    operation.returnedAt = positions.next();
    void inodes.commit(lossCount).then(
      () => {
        operation.isUnsafe = false;
      },
      (error) => void codeOf(error),
    );
  }

  #remember({ seen }: Arena, answer: TreeAnswer): void {
    if (answer.type === "node") seen.push(answer.ino);
    if (seen.length > 12) seen.shift();
  }
}

/** Undefined if nothing was done, because the metadata server has to be waited for. */
function carryOutAtOnce(inodes: InodeOperations, request: TreeRequest): TreeAnswer | undefined {
  if (request.type === "create") {
    const { kind, name } = request;
    const target = kind === "symlink" ? toUtf8("somewhere") : undefined;
    const parent = inodeNumber(request.parent);
    const made = inodes.createAtOnce({ parent, name: toUtf8(name), mode: MODES[kind], target });
    return made && nodeOf(made);
  }
  if (request.type !== "remove") return undefined;
  const parent = inodeNumber(request.parent);
  return inodes.removeAtOnce(parent, toUtf8(request.name), request.directory) ? { type: "ok" } : undefined;
}

async function carryOut(inodes: InodeOperations, request: TreeRequest): Promise<TreeAnswer> {
  const limit = { timeoutMs: REQUEST_MS_MAX };
  switch (request.type) {
    case "create": {
      const { kind, name } = request;
      const target = kind === "symlink" ? toUtf8("somewhere") : undefined;
      const parent = inodeNumber(request.parent);
      return nodeOf(await inodes.create({ parent, name: toUtf8(name), mode: MODES[kind], target }, limit));
    }
    case "lookup":
      return nodeOf(await inodes.lookup(inodeNumber(request.parent), toUtf8(request.name), limit));
    case "remove":
      await inodes.remove(inodeNumber(request.parent), toUtf8(request.name), request.directory, limit);
      return { type: "ok" };
    case "rename": {
      const { from, fromName, to, toName, mode } = request;
      const names = { fromName: toUtf8(fromName), toName: toUtf8(toName) };
      await inodes.rename(
        { fromParent: inodeNumber(from), toParent: inodeNumber(to), ...names, mode },
        limit,
      );
      return { type: "ok" };
    }
    case "link": {
      const { ino, parent, name } = request;
      return nodeOf(await inodes.link(inodeNumber(ino), inodeNumber(parent), toUtf8(name), limit));
    }
    case "list": {
      const page = await inodes.readDirectory(
        inodeNumber(request.parent),
        new Uint8Array(0),
        100,
        false,
        limit,
      );
      return {
        type: "entries",
        entries: page.entries.map(({ name, ino }) => [fromUtf8(name), ino] as const),
      };
    }
    case "stat":
      return nodeOf(await inodes.getAttributes(inodeNumber(request.ino), limit));
    case "setXattr":
      await inodes.setXattr(inodeNumber(request.ino), XATTR, toUtf8(request.value), "any", limit);
      return { type: "ok" };
    case "getXattr":
      return {
        type: "value",
        value: fromUtf8(await inodes.getXattr(inodeNumber(request.ino), XATTR, limit)),
      };
  }
}

function nodeOf({ ino, mode, linkCount }: Attributes): TreeAnswer {
  const kind = isDirectory(mode) ? "directory" : isSymlink(mode) ? "symlink" : "file";
  return { type: "node", ino, kind, linkCount };
}

function draw(arena: Arena, prng: Prng): TreeRequest {
  const parent = (): number => prng.pick(arena.directories);
  const name = (): string => prng.pick(NAMES);
  const ino = arena.seen.length > 0 ? prng.pick(arena.seen) : undefined;
  const roll = prng.float();
  if (roll < 0.25) {
    const kind = prng.pick<NodeKind>(["file", "file", "directory", "symlink"]);
    return { type: "create", parent: parent(), name: name(), kind };
  }
  if (roll < 0.4) return { type: "remove", parent: parent(), name: name(), directory: prng.chance(0.3) };
  if (roll < 0.6) {
    const mode = prng.pick(["replace", "replace", "no_replace", "exchange"] as const);
    return { type: "rename", from: parent(), fromName: name(), to: parent(), toName: name(), mode };
  }
  if (roll < 0.75 || ino === undefined) return { type: "lookup", parent: parent(), name: name() };
  if (roll < 0.8) return { type: "link", ino, parent: parent(), name: name() };
  if (roll < 0.88) return { type: "list", parent: parent() };
  if (roll < 0.92) return { type: "stat", ino };
  if (roll < 0.96) return { type: "setXattr", ino, value: `v${prng.uint32()}` };
  return { type: "getXattr", ino };
}

const ASKS: ReadonlySet<string> = new Set(["lookup", "list", "stat", "getXattr"]);

function checkArena({ name, directories, operations }: Arena): string[] {
  const answered = new Set<number>();
  const history: Operation<TreeAction>[] = [];
  for (const { number, request, answer, calledAt, returnedAt, isUnsafe, fencedAt } of operations) {
    if (request.type === "create" && answer?.type === "node") answered.add(answer.ino);
    const isDone = answer !== undefined && !isUnsafe;
    // A question without an answer tells nothing, nor does one about what was lost.
    if (!isDone && (ASKS.has(request.type) || answer?.type === "failure")) continue;
    history.push({
      action: { number, request, answer },
      calledAt,
      returnedAt: isDone ? returnedAt : (fencedAt ?? Number.POSITIVE_INFINITY),
      isOptional: !isDone,
    });
  }
  const verdict = checkLinearizable(new TreeModel(directories, answered), history);
  if (verdict.type === "ok") return [];
  if (verdict.type === "unknown") return [`${name}: too many possible orders to check`];
  const { stuckAt } = verdict;
  const before = history.filter(({ calledAt }) => calledAt <= stuckAt.returnedAt).slice(-25);
  const lines = before.map(({ action }) => `    ${describe(operations[action.number - 1])}`);
  const what = describe(operations[stuckAt.action.number - 1]);
  return [[`${name} is not linearizable, no place for ${what}. History:`, ...lines].join("\n")];
}

function describe(operation: TreeOperation | undefined): string {
  if (operation === undefined) return "?";
  const { number, process, request, answer, failure, calledMs } = operation;
  const said = answer === undefined ? `unknown (${failure ?? "no answer"})` : JSON.stringify(answer);
  const outcome = operation.isUnsafe ? `${said}, unsafe` : said;
  return `#${number} ${process} at ${calledMs.toFixed(1)} ${JSON.stringify(request)} -> ${outcome}`;
}
