import { spawnSync } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import packageJson from "../../../../package.json" with { type: "json" };
import { examplesOf, wordsOf } from "../../../../src/cli/examples.js";
import { machineHost } from "../../../../src/cli/host.js";
import { Invocation } from "../../../../src/cli/invocation.js";
import { leavesOf } from "../../../../src/cli/manual/man-page.js";
import { writeManPages } from "../../../../src/cli/manual/manual-program.js";
import { makeProgram } from "../../../../src/cli/program.js";
import { runCommand, silentTerminal } from "../fake-terminal.js";
import { temporaryRoot } from "../temporary-root.js";

const program = () => makeProgram(new Invocation(machineHost("/nowhere"), silentTerminal({})));
const commands = leavesOf(program()).map((command) => wordsOf(command).join(" "));

describe("help", () => {
  test.each(commands)("of %s has an example that its arguments fit", async (words) => {
    const { output } = await runCommand([...words.split(" "), "--help"]);
    expect(output).toMatch(/\nExamples?:\n/);
    const command = leavesOf(program()).find((each) => wordsOf(each).join(" ") === words);
    if (command === undefined) throw new Error(words);
    for (const line of examplesOf(command)) {
      const parsed = program();
      let called = "";
      for (const leaf of leavesOf(parsed)) {
        leaf.action(() => {
          called = wordsOf(leaf).join(" ");
        });
      }
      await parsed.parseAsync(line.replace(/ > .*/, "").split(" "), { from: "user" });
      expect(called, line).toBe(words);
    }
  });
});

describe("manual pages", () => {
  test("there are for every program, name every command, and are what man understands", async () => {
    const directory = join(await temporaryRoot(), "man8");
    writeManPages(directory);
    const names = (await readdir(directory)).sort();
    expect(names).toEqual(packageJson.man.map((path) => path.replace("man/", "")).sort());
    const text = (await readFile(join(directory, "pstorage.8"), "utf8")).replaceAll("\\-", "-");
    for (const words of commands) expect(text).toContain(`.B ${words}\n`);
    if (spawnSync("groff", ["--version"]).status !== 0) {
      process.stderr.write("pages not formatted: no groff here\n");
      return;
    }
    for (const name of names.filter((each) => !/^(vstorage|mount[.])/.test(each))) {
      const { stderr, stdout } = spawnSync(
        "groff",
        ["-ww", "-man", "-Tutf8", "-P-cbou", join(directory, name)],
        {
          encoding: "utf8",
        },
      );
      expect(stderr, name).toBe("");
      expect(stdout).toContain("SYNOPSIS");
    }
  });
});

describe("completion", () => {
  /** What TAB offers behind these words, by bash itself. */
  async function offered(root: string, ...words: string[]): Promise<string[]> {
    const { output } = await runCommand(["completion", "bash"]);
    const script = join(root, "completion.bash");
    await writeFile(script, output);
    const quoted = ["pstorage", ...words].map((word) => `'${word}'`).join(" ");
    const line = `. ${script}; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _pstorage; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", line], {
      encoding: "utf8",
      env: { ...process.env, PSTORAGE_ROOT: root },
    });
    expect(stderr).toBe("");
    return stdout.split("\n").filter((text) => text !== "");
  }

  test("offers commands, their options, groups, and clusters", async () => {
    const root = await temporaryRoot();
    await mkdir(join(root, "etc/pstorage/clusters/stor1"), { recursive: true });
    expect(await offered(root, "make-")).toEqual(["make-mds", "make-cs"]);
    expect(await offered(root, "-c", "")).toEqual(["stor1"]);
    expect(await offered(root, "-c", "stor1", "make-cs", "--rep")).toEqual(["--repository"]);
    expect(await offered(root, "fs", "m")).toEqual(["mkdir", "mv"]);
    expect(await offered(root, "fs", "rm", "--re")).toEqual(["--recursive"]);
    expect(await offered(root, "get-attr", "")).toEqual([]);
  });

  test("is offered to zsh too, and to no other shell", async () => {
    const { output } = await runCommand(["completion", "zsh"]);
    expect(output).toMatch(/^#compdef pstorage vstorage\n/);
    if (spawnSync("zsh", ["--version"]).status === 0) {
      const script = join(await temporaryRoot(), "_pstorage");
      await writeFile(script, output);
      // What zsh itself would call at the TAB key, with the words that it would give.
      const line = `autoload -U compinit && compinit -u -D; . ${script}; print $_comps[pstorage]; COMP_WORDS=(pstorage make-); COMP_CWORD=1; emulate ksh -c _pstorage; print -l $COMPREPLY`;
      const { stdout, stderr } = spawnSync("zsh", ["-fc", line], { encoding: "utf8" });
      expect(stderr).toBe("");
      expect(stdout).toContain("_bash_complete");
      expect(stdout.split("\n")).toEqual(expect.arrayContaining(["make-mds", "make-cs"]));
    } else process.stderr.write("completion not tried: no zsh here\n");
    expect((await runCommand(["completion", "fish"])).errors).toContain("Allowed choices are bash, zsh");
  });
});
