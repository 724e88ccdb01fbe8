import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { machineHost } from "../../../src/cli/host.js";
import { Invocation } from "../../../src/cli/invocation.js";
import { mountCommand } from "../../../src/cli/mount/mount-program.js";
import { allCommands, makeProgram } from "../../../src/cli/program.js";
import { silentTerminal } from "./fake-terminal.js";

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** The documents whose commands people paste. */
const DOCUMENTS = [
  "README.md",
  ...readdirSync(join(root, "docs/operating")).map((name) => `docs/operating/${name}`),
];

interface CommandLine {
  readonly where: string;
  readonly program: string;
  readonly args: readonly string[];
}

/** The calls of our programs in the `sh` blocks of a document. */
function commandLines(document: string): CommandLine[] {
  const text = readFileSync(join(root, document), "utf8");
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map((found) => found[1] ?? "");
  return blocks.flatMap((block) =>
    block.split("\n").flatMap((line) => {
      const found = /^(?:bin\/)?([pv]storage(?:-mdsd|-csd|-mount)?)(?:\.js)? (.+)$/.exec(line);
      if (found === null) return [];
      return [{ where: `${document}: ${line}`, program: found[1] ?? "", args: (found[2] ?? "").split(" ") }];
    }),
  );
}

/** Parses as the program does, and carries nothing out. */
async function parse(args: readonly string[]): Promise<string> {
  const host = machineHost("/nowhere");
  const program = makeProgram(new Invocation(host, silentTerminal({})));
  let called = "";
  for (const command of allCommands(program)) {
    if (command.commands.length === 0) {
      command.action(() => {
        called = command.name();
      });
    }
  }
  await program.parseAsync([...args], { from: "user" });
  return called;
}

const SERVICE_VERBS = ["start", "stop", "restart", "reload", "status"];

test.each(DOCUMENTS)("every command in %s exists and takes its arguments", async (document) => {
  const lines = commandLines(document);
  expect(lines.length).toBeGreaterThan(0);
  for (const { where, program, args } of lines) {
    if (/-(mdsd|csd)$/.test(program)) expect(SERVICE_VERBS, where).toContain(args[0]);
    else if (program.endsWith("-mount")) mountCommand(program).parse(args, { from: "user" });
    else await expect(parse(args), where).resolves.not.toBe("");
  }
});

test("every link in the documents leads to a file", () => {
  const dead = DOCUMENTS.flatMap((document) => {
    const text = readFileSync(join(root, document), "utf8");
    const targets = [...text.matchAll(/\]\(([^)#:]+)\)/g)].map((found) => found[1] ?? "");
    return targets
      .filter((target) => !exists(join(root, dirname(document), target)))
      .map((target) => `${document}: ${target}`);
  });
  expect(dead).toEqual([]);
});

test("the README fits on a screen, more or less", () => {
  expect(readFileSync(join(root, "README.md"), "utf8").split("\n").length).toBeLessThan(75);
});

function exists(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOTDIR";
  }
}
