import { defined } from "../../../src/base/index.js";
import {
  BLOCK_BYTES,
  type ChainMember,
  chunkId,
  chunkVersion,
  csId,
  type ForwardWrite,
} from "../../../src/chunk/index.js";
import type { ChainAnswer, ChainEffect, ForwardResult } from "../../../src/cs/core/chain-types.js";
import { ReplicaChain } from "../../../src/cs/core/replica-chain.js";

interface Node {
  readonly name: string;
  readonly chain: ReplicaChain;
  readonly requests: Map<number, (answer: ChainAnswer) => void>;
  /** Names of changes by their ids here. */
  readonly names: Map<number, string>;
  readonly disk: string[];
  nextRequest: number;
  isAutomatic: boolean;
}

interface Message {
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly deliver: () => void;
}

/** Plays a transcript: each block of commands up to a line "----" is followed by what it caused. */
export function play(text: string): string {
  const player = new Player();
  const result: string[] = [];
  let isOutput = false;
  for (const line of text.split("\n")) {
    if (line === "----") {
      isOutput = true;
      result.push(line, ...player.takeOutput());
      continue;
    }
    if (isOutput && line !== "") continue;
    isOutput = false;
    result.push(line);
    if (line !== "" && !line.startsWith("#")) player.command(line);
  }
  return result.join("\n");
}

class Player {
  readonly #nodes = new Map<string, Node>();
  #messages: Message[] = [];
  #output: string[] = [];

  takeOutput(): string[] {
    return this.#output.splice(0);
  }

  command(line: string): void {
    const [verb = "", ...words] = line.split(/\s+/);
    const [name = "", ...rest] = words;
    if (verb === "chain") for (const one of words) this.#nodes.set(one, this.#newNode(one, words, 1));
    else if (verb === "restart")
      this.#nodes.set(name, this.#newNode(name, rest.slice(1), Number(rest[0]), 2));
    else if (verb === "kill") this.#kill(name);
    else if (verb === "write") this.#write(name, rest);
    else if (verb === "read") this.#read(name, rest);
    else if (verb === "install") this.#install(name, rest);
    else if (verb === "deliver") this.#deliver(name);
    else if (verb === "prepared" || verb === "marked" || verb === "stored")
      this.#disk(verb, name, rest[0] ?? "");
    else if (verb === "retry")
      this.#carry(this.#node(name), this.#node(name).chain.retryLink(Number(rest[0])));
    else if (verb === "automatic") for (const one of words) this.#node(one).isAutomatic = true;
    else throw new Error(`unknown command ${line}`);
  }

  #newNode(name: string, names: readonly string[], version: number, incarnation = 1): Node {
    const chain = new ReplicaChain({
      selfId: csId(numberOf(name)),
      incarnation,
      version: chunkVersion(version),
      chain: names.map(member),
      refusal: undefined,
    });
    return {
      name,
      chain,
      requests: new Map(),
      names: new Map(),
      disk: [],
      nextRequest: 1,
      isAutomatic: false,
    };
  }

  /** `write NODE NAME BLOCK [COUNT]`: a client's write; its name is its write id. */
  #write(name: string, [what = "", block = "0", count = "1"]: readonly string[]): void {
    const node = this.#node(name);
    const requestId = this.#request(node, (answer) => this.#say(`client hears of ${what}: ${told(answer)}`));
    const changeId = node.chain.newOperationId();
    node.names.set(changeId, what);
    const submission = {
      writeId: { sessionId: 1, sequence: sequenceOf(what), acknowledgedBelow: 0 },
      kind: "write" as const,
      offset: Number(block) * BLOCK_BYTES,
      lengthBytes: Number(count) * BLOCK_BYTES,
    };
    this.#carry(node, node.chain.submit(changeId, submission, requestId));
  }

  /** `read NODE BLOCK`. */
  #read(name: string, [block = "0"]: readonly string[]): void {
    const node = this.#node(name);
    const operationId = node.chain.newOperationId();
    node.names.set(operationId, `read of block ${block}`);
    const effects = node.chain.enter(operationId, "read", Number(block) * BLOCK_BYTES, BLOCK_BYTES);
    if (effects.length === 0) this.#say(`${name} read of block ${block} waits`);
    this.#carry(node, effects);
  }

  /** `install NODE VERSION MEMBER...`. */
  #install(name: string, [version = "", ...names]: readonly string[]): void {
    const node = this.#node(name);
    const requestId = this.#request(node, (answer) => {
      this.#say(`${name} answers install of ${version}: ${told(answer)}`);
    });
    const chain = names.map(member);
    const install = { version: chunkVersion(Number(version)), chain, truncate: undefined };
    this.#carry(node, node.chain.install(install, requestId));
  }

  #disk(verb: "prepared" | "marked" | "stored", name: string, what: string): void {
    const node = this.#node(name);
    const [id] = [...node.names].filter(([, one]) => one === what).map(([one]) => one);
    const changeId = defined(id, `${name} knows ${what}`);
    if (verb === "prepared") this.#carry(node, node.chain.prepared(changeId, 0));
    else if (verb === "marked") this.#carry(node, node.chain.marked(changeId));
    else this.#carry(node, node.chain.stored(changeId));
  }

  /** `deliver A>B`: everything that is on its way there now. */
  #deliver(way: string): void {
    const [from, to] = way.split(">");
    const now = this.#messages.filter((message) => message.from === from && message.to === to);
    this.#messages = this.#messages.filter((message) => !now.includes(message));
    if (now.length === 0) this.#say(`nothing from ${from} to ${to}`);
    for (const message of now) {
      this.#say(`${way} ${message.text}`);
      message.deliver();
    }
  }

  /** Whatever was on its way to it fails. */
  #kill(name: string): void {
    this.#nodes.delete(name);
    const lost = this.#messages.filter((message) => message.to === name);
    this.#messages = this.#messages.filter((message) => message.to !== name && message.from !== name);
    for (const message of lost) message.deliver();
  }

  #carry(node: Node, effects: readonly ChainEffect[]): void {
    for (const effect of effects) this.#carryOne(node, effect);
  }

  #carryOne(node: Node, effect: ChainEffect): void {
    switch (effect.type) {
      case "prepare":
      case "mark":
      case "store":
        this.#diskWork(node, effect.type, effect.change.id);
        return;
      case "forward":
        this.#forward(node, effect);
        return;
      case "answer": {
        const answer = node.requests.get(effect.requestId);
        node.requests.delete(effect.requestId);
        answer?.(effect.answer);
        return;
      }
      case "begin":
        this.#say(`${node.name} ${node.names.get(effect.operationId)} begins`);
        this.#carry(node, node.chain.leave(effect.operationId));
        return;
      case "report":
        this.#say(`${node.name} reports ${nameOf(effect.csId)} of version ${effect.version}: ${effect.code}`);
        return;
      case "retryLater":
        this.#say(`${node.name} tries again in ${effect.delayMs} ms (attempt ${effect.attempt})`);
        return;
      case "release":
        this.#say(`${node.name} forgets ${node.names.get(effect.change.id)}`);
        return;
      default:
        this.#say(`${node.name} ${effect.type}`);
        return;
    }
  }

  #diskWork(node: Node, type: "prepare" | "mark" | "store", changeId: number): void {
    const what = node.names.get(changeId);
    this.#say(`${node.name} ${type}s ${what}`);
    if (!node.isAutomatic) return;
    if (type === "prepare") this.#carry(node, node.chain.prepared(changeId, 0));
    else if (type === "mark") this.#carry(node, node.chain.marked(changeId));
    else this.#carry(node, node.chain.stored(changeId));
  }

  #forward(node: Node, effect: Extract<ChainEffect, { type: "forward" }>): void {
    const { change, epoch, floor, attempt } = effect;
    const what = defined(node.names.get(change.id), "a change has a name");
    const target = nameOf(defined(node.chain.successor, "somebody is behind").csId);
    const { version } = node.chain;
    const { order, offset, lengthBytes, writeId, kind } = change;
    const forward: ForwardWrite = {
      ...{ chunkId: chunkId(1), version, ...writeId, kind, epoch, order, floor, offset, lengthBytes },
      endBytes: 0,
      checksums: new Uint8Array(0),
    };
    this.#say(`${node.name} forwards ${what} to ${target}: version ${version} order ${order} floor ${floor}`);
    const answer = (text: string, result: ForwardResult): void => {
      const deliver = (): void => this.#carry(node, node.chain.forwarded(change.id, attempt, result));
      this.#messages.push({ from: target, to: node.name, text, deliver });
    };
    const deliver = (): void => this.#arrive(target, forward, what, node, answer, change.id, attempt);
    this.#messages.push({ from: node.name, to: target, text: what, deliver });
  }

  #arrive(
    target: string,
    forward: ForwardWrite,
    what: string,
    sender: Node,
    answer: (text: string, result: ForwardResult) => void,
    changeId: number,
    attempt: number,
  ): void {
    const node = this.#nodes.get(target);
    if (node === undefined) {
      const result = { type: "failed", code: "unavailable" } as const;
      this.#carry(sender, sender.chain.forwarded(changeId, attempt, result));
      return;
    }
    const requestId = this.#request(node, (result) => {
      const text = `${what}: ${told(result)}`;
      answer(text, result.type === "failed" ? { type: "failed", code: result.failure.code } : result);
    });
    const id = node.chain.newOperationId();
    node.names.set(id, what);
    this.#carry(node, node.chain.receive(id, forward, requestId));
    if (!node.chain.holds(id)) node.names.delete(id);
  }

  #request(node: Node, onAnswer: (answer: ChainAnswer) => void): number {
    const requestId = node.nextRequest++;
    node.requests.set(requestId, onAnswer);
    return requestId;
  }

  #node(name: string): Node {
    return defined(this.#nodes.get(name), `there is a server ${name}`);
  }

  #say(text: string): void {
    this.#output.push(text);
  }
}

function told(answer: ChainAnswer): string {
  if (answer.type === "done") return "done";
  if (answer.type === "failed") return answer.failure.code;
  return `held at version ${answer.body.installedVersion}${answer.body.successorFailed ? ", successor failed" : ""}`;
}

function member(name: string): ChainMember {
  return { csId: csId(numberOf(name)), address: name, hostId: "", syncing: false };
}

function numberOf(name: string): number {
  return name.charCodeAt(0) - 64;
}

function nameOf(id: number): string {
  return String.fromCharCode(64 + id);
}

/** `w12` is the twelfth write of the client. */
function sequenceOf(what: string): number {
  return Number(what.slice(1));
}
