import type { Model } from "./linearizability.js";

export type NodeKind = "file" | "directory" | "symlink";

/**
 * What clients do to names. Inode numbers of parents are of directories that always exist; those of nodes were seen in an
 * earlier answer.
 */
export type TreeRequest =
  | { readonly type: "create"; readonly parent: number; readonly name: string; readonly kind: NodeKind }
  | { readonly type: "lookup"; readonly parent: number; readonly name: string }
  | { readonly type: "remove"; readonly parent: number; readonly name: string; readonly directory: boolean }
  | {
      readonly type: "rename";
      readonly from: number;
      readonly fromName: string;
      readonly to: number;
      readonly toName: string;
      readonly mode: "replace" | "no_replace" | "exchange";
    }
  | { readonly type: "link"; readonly ino: number; readonly parent: number; readonly name: string }
  | { readonly type: "list"; readonly parent: number }
  | { readonly type: "stat"; readonly ino: number }
  | { readonly type: "setXattr"; readonly ino: number; readonly value: string }
  | { readonly type: "getXattr"; readonly ino: number };

/** What they were answered: the fields that the request asks for, or the code of a failure. */
export type TreeAnswer =
  | { readonly type: "ok" }
  | { readonly type: "failure"; readonly code: string }
  | { readonly type: "node"; readonly ino: number; readonly kind: NodeKind; readonly linkCount: number }
  | { readonly type: "value"; readonly value: string }
  | { readonly type: "entries"; readonly entries: readonly (readonly [name: string, ino: number])[] };

export interface TreeAction {
  /** Unique in the history; names the node that a creation of unknown outcome may have made. */
  readonly number: number;
  readonly request: TreeRequest;
  /** Undefined: nobody knows. */
  readonly answer: TreeAnswer | undefined;
}

/** A node is known by its inode number, or, before anybody saw that, by minus the number of its creation. */
interface Node {
  readonly kind: NodeKind;
  readonly xattr: string | undefined;
}

export interface TreeState {
  readonly directories: ReadonlyMap<number, ReadonlyMap<string, number>>;
  readonly nodes: ReadonlyMap<number, Node>;
  /** Files without a name: by their numbers they may be seen as long as somebody has them open, by opening ahead for one. */
  readonly nameless: ReadonlyMap<number, Node>;
}

type Change =
  | { readonly type: "failure"; readonly code: string }
  | { readonly type: "done"; readonly state: TreeState; readonly answer?: TreeAnswer };

/** Some directories with files, links and empty directories in them, as POSIX has it. */
export class TreeModel implements Model<TreeState, TreeAction> {
  readonly initial: TreeState;
  /** Inode numbers whose creation was answered, so that no other creation can have made them. */
  readonly #answered: ReadonlySet<number>;

  constructor(directories: readonly number[], answered: ReadonlySet<number>) {
    this.initial = {
      directories: new Map(directories.map((ino) => [ino, new Map()])),
      nodes: new Map(),
      nameless: new Map(),
    };
    this.#answered = answered;
  }

  step(state: TreeState, { number, request, answer }: TreeAction): TreeState | undefined {
    const known = answer === undefined ? state : this.#identify(state, request, answer);
    if (known === undefined) return undefined;
    const created = answer?.type === "node" ? answer.ino : -number;
    const change = carryOut(known, request, created);
    if (answer === undefined) return change.type === "done" ? change.state : state;
    if (change.type === "failure") {
      if (answer.type === "failure" && answer.code === change.code) return known;
      return asIfOpen(known, request, answer);
    }
    const expected = change.answer ?? { type: "ok" };
    return isSame(expected, answer) ? change.state : undefined;
  }

  key({ directories, nodes, nameless }: TreeState): string {
    const parts: string[] = [];
    for (const [ino, entries] of directories) {
      const names = [...entries].map(([name, node]) => `${name}=${node}`).sort();
      parts.push(`${ino}:${names.join(",")}`);
    }
    const attributes = [...nodes]
      .map(([ino, { kind, xattr }]) => `${ino}${kind[0] ?? ""}${xattr ?? ""}`)
      .sort();
    const gone = [...nameless].map(([ino, { xattr }]) => `${ino}${xattr ?? ""}`).sort();
    return `${parts.join(";")}|${attributes.join(",")}|${gone.join(",")}`;
  }

  /** Learns the numbers of nodes whose creation was never answered. Undefined if that cannot be. */
  #identify(state: TreeState, request: TreeRequest, answer: TreeAnswer): TreeState | undefined {
    if (request.type === "lookup" && answer.type === "node") {
      return this.#bind(state, state.directories.get(request.parent)?.get(request.name), answer.ino);
    }
    if (request.type === "list" && answer.type === "entries") {
      let known: TreeState | undefined = state;
      for (const [name, ino] of answer.entries) {
        known = known && this.#bind(known, known.directories.get(request.parent)?.get(name), ino);
      }
      return known;
    }
    return state;
  }

  #bind(state: TreeState, node: number | undefined, ino: number): TreeState | undefined {
    if (node === undefined || node >= 0) return node === ino ? state : undefined;
    if (this.#answered.has(ino) || state.nodes.has(ino)) return undefined;
    const rename = (old: number): number => (old === node ? ino : old);
    return {
      ...state,
      directories: new Map(
        [...state.directories].map(([directory, entries]) => [
          directory,
          new Map([...entries].map(([name, old]) => [name, rename(old)])),
        ]),
      ),
      nodes: new Map([...state.nodes].map(([old, value]) => [rename(old), value])),
    };
  }
}

/** What is answered of a file that was removed, by its number, while it is open. Undefined if that is not the answer. */
function asIfOpen(state: TreeState, request: TreeRequest, answer: TreeAnswer): TreeState | undefined {
  if (!("ino" in request)) return undefined;
  const { ino } = request;
  const node = state.nameless.get(ino);
  if (node === undefined) return undefined;
  if (request.type === "link") {
    // It gets no name any more; but that the name is taken may be said first.
    const isTaken = entryOf(state, request.parent, request.name) !== undefined;
    return isTaken && answer.type === "failure" && answer.code === "exists" ? state : undefined;
  }
  const open: TreeState = { ...state, nodes: new Map([[ino, node]]) };
  const change = carryOut(open, request, 0);
  if (change.type === "failure")
    return answer.type === "failure" && answer.code === change.code ? state : undefined;
  if (!isSame(change.answer ?? { type: "ok" }, answer)) return undefined;
  const after = change.state.nodes.get(ino) ?? node;
  return { ...state, nameless: new Map(state.nameless).set(ino, after) };
}

function isSame(expected: TreeAnswer, answer: TreeAnswer): boolean {
  return JSON.stringify(expected) === JSON.stringify(answer);
}

const fail = (code: string): Change => ({ type: "failure", code });

function carryOut(state: TreeState, request: TreeRequest, created: number): Change {
  switch (request.type) {
    case "create":
      return create(state, request, created);
    case "lookup": {
      const ino = entryOf(state, request.parent, request.name);
      return ino === undefined ? fail("not_found") : { type: "done", state, answer: nodeAnswer(state, ino) };
    }
    case "remove":
      return remove(state, request);
    case "rename":
      return rename(state, request);
    case "link":
      return link(state, request);
    case "list": {
      const entries = [...(state.directories.get(request.parent) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
      return { type: "done", state, answer: { type: "entries", entries } };
    }
    case "stat":
      if (!state.nodes.has(request.ino)) return fail("not_found");
      return { type: "done", state, answer: nodeAnswer(state, request.ino) };
    case "setXattr": {
      const node = state.nodes.get(request.ino);
      if (node === undefined) return fail("not_found");
      return { type: "done", state: withNode(state, request.ino, { ...node, xattr: request.value }) };
    }
    case "getXattr": {
      const node = state.nodes.get(request.ino);
      if (node === undefined) return fail("not_found");
      if (node.xattr === undefined) return fail("no_such_attribute");
      return { type: "done", state, answer: { type: "value", value: node.xattr } };
    }
  }
}

function create(
  state: TreeState,
  { parent, name, kind }: Extract<TreeRequest, { type: "create" }>,
  ino: number,
): Change {
  if (entryOf(state, parent, name) !== undefined) return fail("exists");
  const made = withEntry(withNode(state, ino, { kind, xattr: undefined }), parent, name, ino);
  return { type: "done", state: made, answer: nodeAnswer(made, ino) };
}

function remove(
  state: TreeState,
  { parent, name, directory }: Extract<TreeRequest, { type: "remove" }>,
): Change {
  const ino = entryOf(state, parent, name);
  if (ino === undefined) return fail("not_found");
  const isDirectory = kindOf(state, ino) === "directory";
  if (isDirectory && !directory) return fail("is_directory");
  if (!isDirectory && directory) return fail("not_directory");
  return { type: "done", state: withoutUnused(withEntry(state, parent, name, undefined), ino) };
}

function rename(state: TreeState, request: Extract<TreeRequest, { type: "rename" }>): Change {
  const { from, fromName, to, toName, mode } = request;
  const source = entryOf(state, from, fromName);
  const target = entryOf(state, to, toName);
  if (source === undefined) return fail("not_found");
  if (mode === "exchange") {
    if (target === undefined) return fail("not_found");
    return { type: "done", state: withEntry(withEntry(state, from, fromName, target), to, toName, source) };
  }
  if (target !== undefined && mode === "no_replace") return fail("exists");
  if (target === source) return { type: "done", state };
  if (target !== undefined) {
    const isDirectory = kindOf(state, source) === "directory";
    const replacesDirectory = kindOf(state, target) === "directory";
    if (isDirectory && !replacesDirectory) return fail("not_directory");
    if (!isDirectory && replacesDirectory) return fail("is_directory");
  }
  const moved = withEntry(withEntry(state, from, fromName, undefined), to, toName, source);
  return { type: "done", state: target === undefined ? moved : withoutUnused(moved, target) };
}

function link(state: TreeState, { ino, parent, name }: Extract<TreeRequest, { type: "link" }>): Change {
  // Which of several reasons is told is the order in which a server looks.
  if (!state.nodes.has(ino)) return fail("not_found");
  if (entryOf(state, parent, name) !== undefined) return fail("exists");
  if (kindOf(state, ino) === "directory") return fail("not_permitted");
  const linked = withEntry(state, parent, name, ino);
  return { type: "done", state: linked, answer: nodeAnswer(linked, ino) };
}

function nodeAnswer(state: TreeState, ino: number): TreeAnswer {
  const kind = kindOf(state, ino);
  return { type: "node", ino, kind, linkCount: kind === "directory" ? 2 : linkCountOf(state, ino) };
}

function kindOf(state: TreeState, ino: number): NodeKind {
  return state.nodes.get(ino)?.kind ?? "file";
}

function linkCountOf({ directories }: TreeState, ino: number): number {
  let count = 0;
  for (const entries of directories.values()) for (const node of entries.values()) if (node === ino) count++;
  return count;
}

function entryOf({ directories }: TreeState, parent: number, name: string): number | undefined {
  return directories.get(parent)?.get(name);
}

function withEntry(state: TreeState, parent: number, name: string, ino: number | undefined): TreeState {
  const entries = new Map(state.directories.get(parent));
  if (ino === undefined) entries.delete(name);
  else entries.set(name, ino);
  return { ...state, directories: new Map(state.directories).set(parent, entries) };
}

function withNode(state: TreeState, ino: number, node: Node): TreeState {
  return { ...state, nodes: new Map(state.nodes).set(ino, node) };
}

/** A node without names is gone, but for who has it open. */
function withoutUnused(state: TreeState, ino: number): TreeState {
  if (linkCountOf(state, ino) > 0) return state;
  const nodes = new Map(state.nodes);
  const node = nodes.get(ino);
  nodes.delete(ino);
  if (node?.kind !== "file") return { ...state, nodes };
  return { ...state, nodes, nameless: new Map(state.nameless).set(ino, node) };
}
