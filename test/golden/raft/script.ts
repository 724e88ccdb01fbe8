import { defined, fromUtf8, Prng, toUtf8 } from "../../../src/base/index.js";
import {
  type Entry,
  encodeMembership,
  type Member,
  NO_MEMBERS,
  RAFT_DEFAULTS,
  type Raft,
  type RaftId,
  type RaftMessage,
  type Ready,
  raftId,
} from "../../../src/raft/index.js";
import type { RaftModule } from "../../sim/raft/sim-node.js";
import { SimStore } from "../../sim/raft/sim-store.js";

/** Every election timeout is the longest, so that nobody stands for election by surprise. */
class Unhurried extends Prng {
  override between(_min: number, max: number): number {
    return max;
  }
}

interface Node {
  readonly store: SimStore;
  raft: Raft | undefined;
  /** Readys whose writes wait because the disk is held; undefined when it is not. */
  held: Ready[] | undefined;
}

/**
 * A group of cores that does only what a script says, and tells what happens. Messages wait until they are delivered;
 * disks write at once unless they are held. `README.txt` beside the scripts lists the commands.
 */
export class Script {
  readonly #module: RaftModule;
  readonly #nodes = new Map<RaftId, Node>();
  #waiting: RaftMessage[] = [];
  readonly #isolated = new Set<RaftId>();
  #nowMs = 0;
  #maxMessageBytes = RAFT_DEFAULTS.maxMessageBytes;
  #lines: string[] = [];

  /** `module` is the door of the room, or a mutant of it. */
  constructor(module: RaftModule) {
    this.#module = module;
  }

  /** Carries out one command and returns what happened, a line each. */
  execute(line: string): string[] {
    this.#lines = [];
    const [command = "", ...words] = line.split(/\s+/);
    const action = defined(this.#commands[command], `there is a command ${command}`);
    action(words[0] ?? "", words[1] ?? "", words);
    return this.#lines.length === 0 ? ["ok"] : this.#lines;
  }

  readonly #commands: Readonly<Record<string, (first: string, second: string, all: string[]) => void>> = {
    group: (size) => this.#group(Number(size)),
    bytes: (count) => {
      this.#maxMessageBytes = Number(count);
    },
    node: (at) => this.#add(id(at), []),
    tick: (at, count) => this.#tick(this.#ids(at), Number(count || 1)),
    campaign: (at) => this.#campaign(id(at)),
    time: (ms) => {
      this.#nowMs += Number(ms);
    },
    deliver: (_first, _second, ways) => this.#deliver(ways),
    stabilize: () => this.#stabilize(),
    drop: (_first, _second, ways) => this.#drop(ways),
    isolate: (at) => this.#isolated.add(id(at)),
    join: (at) => this.#isolated.delete(id(at)),
    propose: (at, _second, [, ...words]) =>
      this.#act(id(at), (raft) => this.#tellOutcome(raft.propose([toUtf8(words.join(" "))]))),
    add: (at, other) => this.#change(at, { type: "add_learner", id: id(other), address: `n${other}` }),
    promote: (at, other) => this.#change(at, { type: "promote", id: id(other) }),
    remove: (at, other) => this.#change(at, { type: "remove", id: id(other) }),
    transfer: (at, to) =>
      this.#act(id(at), (raft) => this.#tell(raft.transferLeadership(id(to)) ?? "under way")),
    read: (at, context) =>
      this.#act(id(at), (raft) => {
        if (!raft.readIndex(Number(context), this.#nowMs)) this.#tell("not the leader");
      }),
    hold: (at) => {
      this.#node(id(at)).held ??= [];
    },
    release: (at) => this.#release(id(at)),
    crash: (at) => this.#crash(id(at)),
    restart: (at) => this.#start(id(at)),
    compact: (at, index) => this.#compact(id(at), Number(index)),
    status: () => this.#status(),
    log: (at) => this.#log(id(at)),
    peers: (at) =>
      this.#tell(
        this.#raft(id(at))
          .peers.map((peer) => peer.id)
          .join(" "),
      ),
  };

  #tell(line: string): void {
    this.#lines.push(line);
  }

  #ids(word: string): RaftId[] {
    return word === "all" ? [...this.#nodes.keys()] : [id(word)];
  }

  #node(nodeId: RaftId): Node {
    return defined(this.#nodes.get(nodeId), `there is a node ${nodeId}`);
  }

  #raft(nodeId: RaftId): Raft {
    return defined(this.#node(nodeId).raft, `node ${nodeId} is up`);
  }

  #group(size: number): void {
    const members = Array.from({ length: size }, (_, i): Member => {
      return { id: raftId(i + 1), address: `n${i + 1}`, role: "voter" };
    });
    const data = encodeMembership({ members });
    for (const member of members) this.#add(member.id, [{ index: 1, term: 1, type: "membership", data }]);
  }

  #add(nodeId: RaftId, entries: readonly Entry[]): void {
    const hardState = { term: entries.length, vote: undefined, commit: entries.length };
    const store = new SimStore({ index: 0, term: 0, membership: NO_MEMBERS }, entries, hardState);
    this.#nodes.set(nodeId, { store, raft: undefined, held: undefined });
    this.#start(nodeId);
    this.#lines = [];
  }

  #start(nodeId: RaftId): void {
    const node = this.#node(nodeId);
    const { store } = node;
    const history = new this.#module.MembershipHistory(store.start());
    const first = store.start().index + 1;
    const entries = store.lastIndex() < first ? [] : store.entries(first, store.lastIndex() + 1, 1e9);
    for (const { index, type, data } of entries) {
      if (type === "membership") history.append(index, JSON.parse(fromUtf8(data)));
    }
    const start = { reader: store, hardState: store.hardState, history, applied: store.machine.index };
    const maxMessageBytes = this.#maxMessageBytes;
    const config = { ...RAFT_DEFAULTS, id: nodeId, caughtUpEntries: 2, maxMessageBytes };
    node.raft = new this.#module.Raft(config, start, new Unhurried(nodeId));
    this.#pump(nodeId);
  }

  #crash(nodeId: RaftId): void {
    const node = this.#node(nodeId);
    node.raft = undefined;
    const lost = node.held ?? [];
    node.held = undefined;
    this.#tell(`${nodeId} is down, ${lost.length} writes are lost`);
  }

  #act(nodeId: RaftId, action: (raft: Raft) => void): void {
    action(this.#raft(nodeId));
    this.#pump(nodeId);
  }

  #tick(ids: readonly RaftId[], count: number): void {
    for (let i = 0; i < count; i++) {
      this.#nowMs += RAFT_DEFAULTS.tickMs;
      for (const nodeId of ids) {
        if (this.#node(nodeId).raft !== undefined) this.#act(nodeId, (raft) => raft.tick(this.#nowMs));
      }
    }
  }

  /** Time passes for this node alone until it wants to be elected. */
  #campaign(nodeId: RaftId): void {
    for (let i = 0; i < 20; i++) {
      this.#tick([nodeId], 1);
      if (this.#raft(nodeId).role !== "follower") return;
    }
    this.#tell(`${nodeId} does not stand for election`);
  }

  #tellOutcome(outcome: ReturnType<Raft["propose"]>): void {
    if (outcome.ok) this.#tell(`at ${outcome.position.index}/${outcome.position.term}`);
    else this.#tell(`refused: ${outcome.refusal}`);
  }

  #change(at: string, change: Parameters<Raft["proposeMembership"]>[0]): void {
    this.#act(id(at), (raft) => this.#tellOutcome(raft.proposeMembership(change)));
  }

  #pump(nodeId: RaftId): void {
    const node = this.#node(nodeId);
    while (node.raft?.hasReady === true) {
      const ready = node.raft.ready();
      this.#tellReady(nodeId, ready);
      this.#waiting.push(...ready.messages);
      if (node.held !== undefined) node.held.push(ready);
      else this.#persist(nodeId, node, ready);
      const last = ready.committed.at(-1);
      if (last === undefined) continue;
      node.store.machine = { index: last.index, digest: 0 };
      node.raft.applied(last.index);
    }
  }

  #persist(nodeId: RaftId, node: Node, ready: Ready): void {
    node.store.write(ready);
    this.#raft(nodeId).persisted(ready.number, this.#nowMs);
    this.#waiting.push(...ready.messagesAfterPersist);
  }

  #release(nodeId: RaftId): void {
    const node = this.#node(nodeId);
    const held = node.held ?? [];
    node.held = undefined;
    for (const ready of held) this.#persist(nodeId, node, ready);
    this.#pump(nodeId);
  }

  #tellReady(nodeId: RaftId, ready: Ready): void {
    const { softState, snapshot, entries, committed } = ready;
    if (softState !== undefined) {
      const { role, term, leaderId } = softState;
      this.#tell(`${nodeId}: ${role} in term ${term}, leader ${leaderId ?? "-"}`);
    }
    if (snapshot !== undefined)
      this.#tell(`${nodeId}: log starts anew behind ${snapshot.index}/${snapshot.term}`);
    if (entries.length > 0) this.#tell(`${nodeId}: writes ${entries.map(show).join(", ")}`);
    if (committed.length > 0) this.#tell(`${nodeId}: applies ${committed.map(show).join(", ")}`);
    for (const { context, index } of ready.readStates) this.#tell(`${nodeId}: read ${context} at ${index}`);
    for (const context of ready.abortedReads) this.#tell(`${nodeId}: read ${context} is aborted`);
  }

  /** `deliver`: what waits now, but not what it causes. `deliver 1>2`: only what goes that way. */
  #deliver(ways: readonly string[]): void {
    const due = this.#take(ways);
    for (const message of due) this.#arrive(message);
  }

  #take(ways: readonly string[]): RaftMessage[] {
    const isMeant = ({ from, to, type }: RaftMessage): boolean =>
      ways.length === 0 || ways.includes(`${from}>${to}`) || ways.includes(type);
    const taken = this.#waiting.filter(isMeant);
    this.#waiting = this.#waiting.filter((message) => !isMeant(message));
    return taken;
  }

  #stabilize(): void {
    for (let round = 0; this.#waiting.length > 0; round++) {
      if (round === 100) throw new Error("it does not come to rest");
      this.#deliver([]);
    }
  }

  #drop(ways: readonly string[]): void {
    for (const message of this.#take(ways)) this.#tell(`lost: ${describe(message)}`);
  }

  #arrive(message: RaftMessage): void {
    const target = this.#nodes.get(message.to);
    const isCut = this.#isolated.has(message.from) || this.#isolated.has(message.to);
    if (isCut || target?.raft === undefined) {
      this.#tell(`lost: ${describe(message)}`);
      return;
    }
    this.#tell(describe(message));
    if (message.type === "snapshot" && target.raft.wantsSnapshot(message)) {
      target.store.machine = { index: message.snapshot.index, digest: 0 };
      target.raft.restored(message.snapshot);
      this.#act(message.from, (raft) => raft.snapshotEnded(message.to, true));
    }
    this.#act(message.to, (raft) => raft.step(message, this.#nowMs));
  }

  #compact(nodeId: RaftId, index: number): void {
    const { store } = this.#node(nodeId);
    const raft = this.#raft(nodeId);
    const place = Math.min(index, raft.compactionLimit);
    store.compact(place, defined(store.termAt(place), "the place is in the log"), raft.membershipAt(place));
    raft.compacted(place);
    this.#tell(`${nodeId}: log begins behind ${place}`);
  }

  #status(): void {
    for (const [nodeId, { raft }] of this.#nodes) {
      if (raft === undefined) {
        this.#tell(`${nodeId}: down`);
        continue;
      }
      const { role, term, commitIndex, lastIndex, membership } = raft;
      const members = membership.members.map(({ id: other, role: kind }) =>
        kind === "voter" ? other : `(${other})`,
      );
      this.#tell(
        `${nodeId}: ${role} t${term} commit ${commitIndex} last ${lastIndex} members ${members.join(" ")}`,
      );
    }
  }

  #log(nodeId: RaftId): void {
    const { store } = this.#node(nodeId);
    const first = store.start().index + 1;
    const entries = store.lastIndex() < first ? [] : store.entries(first, store.lastIndex() + 1, 1e9);
    this.#tell(entries.map(show).join(", ") || "empty");
  }
}

/** The transcript of the script's commands, with what happens now instead of what it tells. */
export function play(text: string, module: RaftModule): string {
  const script = new Script(module);
  const output: string[] = [];
  let isExpectation = false;
  for (const line of text.split("\n")) {
    if (line === "") isExpectation = false;
    if (isExpectation || line === "----") {
      isExpectation = true;
      continue;
    }
    output.push(line);
    if (line === "" || line.startsWith("#")) continue;
    output.push("----", ...script.execute(line));
    isExpectation = true;
  }
  return output.join("\n");
}

function id(word: string): RaftId {
  return raftId(Number(word));
}

function show(entry: Entry): string {
  const place = `${entry.index}/${entry.term}`;
  if (entry.type === "empty") return `${place} empty`;
  if (entry.type === "command") return `${place} ${fromUtf8(entry.data)}`;
  const { members } = JSON.parse(fromUtf8(entry.data)) as { members: Member[] };
  const text = members.map((member) => (member.role === "voter" ? `${member.id}` : `(${member.id})`));
  return `${place} members ${text.join(" ")}`;
}

function describe(message: RaftMessage): string {
  const head = `${message.from}>${message.to} ${message.type} t${message.term}`;
  switch (message.type) {
    case "pre_vote":
      return `${head} last ${message.lastIndex}/${message.lastTerm}`;
    case "vote":
      return `${head} last ${message.lastIndex}/${message.lastTerm}${message.transfer ? " transfer" : ""}`;
    case "pre_vote_reply":
    case "vote_reply":
      return `${head} ${message.granted ? "granted" : "refused"}`;
    case "append": {
      const entries = message.entries.length === 0 ? "nothing" : message.entries.map(show).join(", ");
      return `${head} behind ${message.previousIndex}/${message.previousTerm}: ${entries}; commit ${message.commit}`;
    }
    case "append_reply": {
      const hint = `rejected ${message.index}, try ${message.hintIndex}/${message.hintTerm}`;
      return `${head} ${message.rejected ? hint : `accepted ${message.index}`}`;
    }
    case "heartbeat":
      return `${head} commit ${message.commit} round ${message.round}`;
    case "heartbeat_reply":
      return `${head} round ${message.round}`;
    case "snapshot":
      return `${head} at ${message.snapshot.index}/${message.snapshot.term}`;
    case "timeout_now":
      return head;
  }
}
