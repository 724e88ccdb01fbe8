import { expect } from "vitest";
import type { ClusterStatus } from "../../../src/meta/index.js";
import type { Machines } from "../ordeal/machines.js";
import { PATIENCE_MS } from "../ordeal/patience.js";
import { blocksToRun, CHECKOUT, commandsOf } from "./pages.js";
import { PrivateMachine } from "./private-machine.js";
import { Reader } from "./reader.js";

/** How a reader follows one block of a page. What is not said is as it stands on the page, on the first machine. */
export interface Scene {
  /** The first command of the block, or how it begins. */
  readonly begins: string;
  /** Numbers of the machines, one after the other. */
  readonly on?: readonly number[];
  /** What the reader writes instead of a word of the page: an id, an address, a directory of theirs. */
  readonly as?: (guide: Guide, machine: number) => Readonly<Record<string, string>>;
  /** What the page says must have come before. */
  readonly before?: (guide: Guide) => Promise<void>;
  /** On the screen, each of them. */
  readonly shows?: readonly RegExp[];
  /** The last command has no end of its own: it runs on until the page is read. */
  readonly stays?: true;
  /** What the page says is so then. */
  readonly after?: (guide: Guide, machine: number) => Promise<void>;
}

export interface PageStory {
  readonly page: string;
  readonly scenes: readonly Scene[];
}

/** Machines whose only knowledge of the programs is what the documents say, read one after the other. */
export class Guide {
  readonly readers: readonly Reader[];
  /** What scenes tell each other: ids of servers that were made on the way. */
  readonly ids = new Map<string, string>();

  readonly #staying: (() => Promise<void>)[] = [];

  private constructor(readers: readonly Reader[]) {
    this.readers = readers;
  }

  /** Nothing is installed yet. */
  static async start(machines: Machines): Promise<Guide> {
    const readers: Reader[] = [];
    for (const [index, machine] of machines.list.entries()) {
      const reader = new Reader(await PrivateMachine.start(machine, `host${index + 1}`));
      readers.push(reader);
    }
    return new Guide(readers);
  }

  /** Of the machines. */
  get numbers(): readonly number[] {
    return this.readers.map((_, index) => index + 1);
  }

  reader(number: number): Reader {
    const reader = this.readers[number - 1];
    if (reader === undefined) throw new Error(`there is no machine ${number}`);
    return reader;
  }

  /** Follows a page from its beginning to its end. Scenes that are in no block are mistakes. */
  async read({ page, scenes }: PageStory): Promise<void> {
    const left = [...scenes];
    for (const block of blocksToRun(page)) {
      const commands = commandsOf(block);
      const isNext = left[0] !== undefined && commands[0]?.startsWith(left[0].begins) === true;
      await this.#follow(`${page}:${block.line}`, commands, isNext ? left.shift() : undefined);
    }
    for (const leave of this.#staying.splice(0).reverse()) await leave();
    expect(
      left.map(({ begins }) => begins),
      `${page} has no block that begins so`,
    ).toEqual([]);
  }

  async #follow(where: string, commands: readonly string[], scene?: Scene): Promise<void> {
    await scene?.before?.(this);
    for (const number of scene?.on ?? [1]) {
      const reader = this.reader(number);
      let screen = "";
      for (const [index, command] of commands.entries()) {
        const line = replaced(command, scene?.as?.(this, number) ?? {});
        const stays = scene?.stays === true && index === commands.length - 1;
        const output = stays ? await this.#begin(reader, line) : await this.#type(reader, line, where);
        screen += output;
      }
      for (const shown of scene?.shows ?? []) expect(screen, where).toMatch(shown);
      await scene?.after?.(this, number);
    }
  }

  async #type(reader: Reader, line: string, where: string): Promise<string> {
    const { status, output } = await reader.type(line);
    expect(status, `${where}: ${line}\n${output}`).toBe(0);
    return output;
  }

  /** Resolves when the command has shown what it is for. */
  async #begin(reader: Reader, line: string): Promise<string> {
    let leave = (): void => undefined;
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    return await new Promise<string>((resolve, reject) => {
      const typed = reader.type(line, async () => {
        resolve("");
        await left;
      });
      typed.then(({ output }) => reject(new Error(`${line} ended: ${output}`)), reject);
      this.#staying.push(async () => {
        leave();
        const { status, output } = await typed;
        expect(status, `${line}\n${output}`).toBe(0);
      });
    });
  }

  /** Like `do`, at the terminal: the password can be asked for, and variables and directories stay. */
  async type(number: number, line: string): Promise<string> {
    return await this.#type(this.reader(number), line, "besides");
  }

  /** A line that no page has, and that must succeed: what happens to the reader's machines, and what they had before. */
  async do(number: number, line: string): Promise<string> {
    const { status, output, errors } = await this.reader(number).machine.run(`cd ${CHECKOUT}; ${line}`);
    expect(status, `${line}\n${output}${errors}`).toBe(0);
    return output;
  }

  async until(what: string, isSo: (status: ClusterStatus) => boolean, number = 1): Promise<ClusterStatus> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const { machine } = this.reader(number);
      const { status, output } = await machine.run("pstorage -q -c stor1 stat --json");
      if (status === 0 && isSo(JSON.parse(output) as ClusterStatus))
        return JSON.parse(output) as ClusterStatus;
      if (Date.now() > end) throw new Error(`it did not come true that ${what}: ${output}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** What a line prints comes to be so: a server has just been started. */
  async eventually(number: number, line: string, shown: RegExp): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const { output, errors } = await this.reader(number).machine.run(line);
      if (shown.test(output)) return;
      if (Date.now() > end) throw new Error(`${line} never printed ${shown}: ${output}${errors}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  transcript(): string {
    return this.readers.flatMap((reader) => reader.transcript).join("\n");
  }

  async close(): Promise<void> {
    for (const { machine } of this.readers) await machine.destroy();
  }
}

function replaced(command: string, words: Readonly<Record<string, string>>): string {
  let line = command;
  for (const [word, own] of Object.entries(words)) line = line.replaceAll(word, own);
  return line;
}
