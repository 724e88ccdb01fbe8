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
  /** Standard input. */
  readonly input?: string;
  /** What is typed at the questions for a secret, in order; without any there is no terminal. */
  readonly secrets?: readonly string[];
  readonly programName?: string;
}

/** Runs a command line inside this process, against a terminal that remembers. */
export async function runCommand(args: readonly string[], fake: FakeInput = {}): Promise<CommandResult> {
  let output = "";
  let errors = "";
  const secrets = [...(fake.secrets ?? [])];
  const terminal: Terminal = {
    env: fake.env ?? {},
    programName: fake.programName ?? "pstorage",
    isWatched: false,
    width: 80,
    print: (line) => {
      output += `${line}\n`;
    },
    printError: (text) => {
      errors += text;
    },
    write: async (bytes) => {
      output += fromUtf8(bytes);
    },
    read: async function* () {
      yield toUtf8(fake.input ?? "");
    },
    askSecret: async () => secrets.shift() ?? "",
    ask: async () => undefined,
    onStop: () => undefined,
  };
  const status = await runCommandLine(args, terminal);
  return { status, output, errors };
}
