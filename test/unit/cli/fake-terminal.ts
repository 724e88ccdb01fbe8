import { fromUtf8, toUtf8 } from "../../../src/base/index.js";
import { runCommandLine } from "../../../src/cli/program.js";
import type { Terminal } from "../../../src/cli/terminal.js";

export interface CommandResult {
  readonly status: number;
  readonly output: string;
  readonly errors: string;
}

export interface FakeInput {
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input, perhaps in parts. */
  readonly input?: string | readonly string[];
  /** What is typed at the questions for a secret, in order; without any there is no terminal. */
  readonly secrets?: readonly string[];
  /** What is typed at other questions, in order; without any there is no terminal. */
  readonly answers?: readonly string[];
  readonly programName?: string;
}

/** Runs a command line inside this process, against a terminal that remembers. */
export async function runCommand(args: readonly string[], fake: FakeInput = {}): Promise<CommandResult> {
  let output = "";
  let errors = "";
  const terminal: Terminal = {
    ...silentTerminal(fake),
    print: (line) => {
      output += `${line}\n`;
    },
    printError: (text) => {
      errors += text;
    },
    write: async (bytes) => {
      output += fromUtf8(bytes);
    },
  };
  const status = await runCommandLine(args, terminal);
  return { status, output, errors };
}

/** A terminal that shows nothing. */
export function silentTerminal(fake: FakeInput): Terminal {
  const answers = [...(fake.answers ?? [])];
  const secrets = [...(fake.secrets ?? [])];
  return {
    env: fake.env ?? {},
    programName: fake.programName ?? "pstorage",
    isWatched: false,
    width: 80,
    outputWidth: Number.POSITIVE_INFINITY,
    hasScreen: false,
    openScreen: () => {
      throw new Error("there is no screen");
    },
    print: () => undefined,
    printError: () => undefined,
    write: async () => undefined,
    read: async function* () {
      for (const part of [fake.input ?? ""].flat()) yield toUtf8(part);
    },
    askSecret: async () => secrets.shift() ?? "",
    ask: async () => answers.shift(),
    onStop: () => undefined,
  };
}
