import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { flushCommand } from "../../../src/cli/flush-check/flush-program.js";
import { machineHost } from "../../../src/cli/host.js";
import { Invocation } from "../../../src/cli/invocation.js";
import { mountCommand } from "../../../src/cli/mount/mount-program.js";
import { allCommands, makeProgram } from "../../../src/cli/program.js";
import { reportCommand } from "../../../src/cli/report/report-program.js";
import { serviceCommand } from "../../../src/cli/service-program.js";
import { blocksOf, blocksToRun, CHECKOUT, commandsOf, PAGES, pageText } from "../../cluster/guide/pages.js";
import { STORIES } from "../../cluster/guide/stories.js";
import { silentTerminal } from "./fake-terminal.js";

/** What documents tell people to type exists. That it works is shown by test/cluster/guide-long.test.ts. */

/** A call of one of our programs. */
interface Call {
  readonly where: string;
  readonly program: string;
  readonly args: readonly string[];
}

/** A command line, by its first word. */
const TYPED =
  /^(npm|npx|node|docker|ssh|systemctl|u?mount|cat|ln|cp|df|apt(-get)?|export|printf|[pv]storage(-mdsd|-csd|-mount|-make-report|-hwflush-check)?) /;
const PROGRAM =
  /^(?:bin\/)?[pv]storage((?:-mdsd|-csd|-mount|-make-report|-hwflush-check)?)(?:\.js)?((?: .+)?)$/;

function callOf(where: string, line: string): Call | undefined {
  const found = PROGRAM.exec(line);
  if (found === null) return undefined;
  return { where: `${where}: ${line}`, program: found[1] ?? "", args: (found[2] ?? "").trim().split(/\s+/) };
}

/** In the blocks of a page, whether they can run here or not. */
function callsInBlocks(page: string): Call[] {
  return blocksOf(page)
    .filter(({ language }) => language === "sh")
    .flatMap((block) => commandsOf(block).flatMap((line) => callOf(`${page}:${block.line}`, line) ?? []));
}

/** In the sentences of a page: `pstorage stat`. Often they are cut short, so that only what is there counts. */
function callsInText(page: string): Call[] {
  return inlineCode(page).flatMap((code) => callOf(page, code) ?? []);
}

function inlineCode(page: string): string[] {
  const text = pageText(page).replace(/^ *```.*?^ *```$/gms, "");
  return [...text.matchAll(/`([^`\n]+)`/g)].map((found) => found[1] ?? "");
}

function pstorage(): Command {
  return makeProgram(new Invocation(machineHost("/nowhere"), silentTerminal({})));
}

/** Nothing is carried out. */
function programOf(name: string): Command {
  if (name === "-mdsd") return quiet(serviceCommand("mds"));
  if (name === "-csd") return quiet(serviceCommand("cs"));
  if (name === "-mount") return quiet(mountCommand("pstorage-mount"));
  if (name === "-make-report") return quiet(reportCommand("pstorage-make-report"));
  if (name === "-hwflush-check") return quiet(flushCommand("pstorage-hwflush-check"));
  return quiet(pstorage());
}

function quiet(program: Command): Command {
  for (const command of [program, ...allCommands(program)]) {
    command.exitOverride().configureOutput({ writeOut: () => undefined, outputError: () => undefined });
    if (command.commands.length === 0) command.action(() => undefined);
  }
  return program;
}

/** What is wrong with a call that may lack arguments. Undefined: nothing. */
function wrongIn({ program, args }: Call): string | undefined {
  let command = programOf(program);
  const options = [...command.options];
  for (const arg of args) {
    if (arg.startsWith("-") && arg !== "-" && !["--help", "-h"].includes(arg)) {
      const isKnown = options.some(({ short, long }) => [short, long].includes(arg.split("=")[0]));
      if (!isKnown) return `${command.name()} has no option ${arg}`;
    }
    const next = command.commands.find((each) => each.name() === arg || each.aliases().includes(arg));
    if (next === undefined) continue;
    command = next;
    options.push(...command.options);
  }
  const isNamed = args.some((arg) => /^[a-z]/.test(arg));
  if (command.commands.length > 0 && isNamed && !args.some((arg) => arg.startsWith("--")))
    return `${command.name()} has no such command`;
  return undefined;
}

describe.each(PAGES)("%s", (page) => {
  test("has every command in a block that takes its arguments", async () => {
    for (const { where, program, args } of callsInBlocks(page)) {
      const parsed = programOf(program).parseAsync([...args], { from: "user" });
      await expect(parsed, where).resolves.toBeDefined();
    }
  });

  test("names no command or option of ours that there is not", () => {
    const wrong = callsInText(page).flatMap((call) => {
      const why = wrongIn(call);
      return why === undefined ? [] : [`${call.where}: ${why}`];
    });
    expect(wrong).toEqual([]);
  });

  test("names no script that package.json has not", () => {
    const { scripts } = JSON.parse(readFileSync(join(CHECKOUT, "package.json"), "utf8")) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    const named = [...pageText(page).matchAll(/\bnpm run ([a-z:]+)/g)].map((found) => found[1] ?? "");
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });

  test("has what people type in `sh` blocks, where it is seen to work", () => {
    const indented = pageText(page)
      .replace(/^ *```.*?^ *```$/gms, "")
      .split("\n")
      .filter((line) => /^( {4}|\t)/.test(line) && TYPED.test(line.trim()) && !/^ {5}/.test(line));
    const otherwise = blocksOf(page)
      .filter(({ language, text }) => language === "" && TYPED.test(text))
      .map(({ line }) => line);
    expect({ indented, otherwise }).toEqual({ indented: [], otherwise: [] });
    const languages = blocksOf(page).map(({ language }) => language);
    expect(languages.filter((language) => !["sh", "ts", "crontab", ""].includes(language))).toEqual([]);
  });

  test("has its scenes, if anything on it can run", () => {
    const readers = STORIES.filter((story) => story.page === page);
    expect(readers.length).toBe(blocksToRun(page).length === 0 ? 0 : 1);
  });

  test("has no link that leads to nothing", () => {
    const targets = [...pageText(page).matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)].map(
      (found) => found[1] ?? "",
    );
    expect(targets.filter((target) => !exists(join(CHECKOUT, dirname(page), target)))).toEqual([]);
  });
});

test("a command that there is not is found, and an option too", () => {
  const call = (line: string): Call => callOf("", line) ?? { where: "", program: "none", args: [] };
  expect(wrongIn(call("pstorage -c stor1 stat --json"))).toBeUndefined();
  expect(wrongIn(call("pstorage set-config mds.alloc.capacity_max=..."))).toBeUndefined();
  expect(wrongIn(call("pstorage -c stor1 statistics"))).toBe("pstorage has no such command");
  expect(wrongIn(call("pstorage -c stor1 stat --colour"))).toBe("stat has no option --colour");
  expect(wrongIn(call("pstorage-mdsd begin"))).toBe("pstorage-mdsd has no such command");
});

test("the README fits on a screen, more or less", () => {
  expect(pageText("README.md").split("\n").length).toBeLessThan(75);
});

function exists(path: string): boolean {
  try {
    readdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOTDIR";
  }
}
