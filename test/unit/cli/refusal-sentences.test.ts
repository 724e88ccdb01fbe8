import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

/** Whoever adds a sentence that a command refuses with adds a test that has the command say it. */

const root = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** Sentences that no test causes, by words of theirs, and why. */
const UNCAUSED: Readonly<Record<string, string>> = {
  "a name with a slash": "only a metadata server that lies has such names",
  "no free pair of ports between": "every port of the machine would have to be taken",
  "does not stop": "it takes a minute, and a daemon that hangs at its end",
  "the mount daemon does not become ready": "it takes a minute, and a daemon that hangs at its beginning",
  "the server of the flush test is gone": "it goes on until it is told to end; only a bug ends it otherwise",
  "the server of the flush test hung up": "as above",
  "may not be looked at": "tests run as root, who may look at everything",
  "this machine was not started by systemd":
    "only where units go to the machine itself, which tests do not do",
  "no metadata server is known": "never said: whoever asks has looked for addresses before",
  "is a dead mount that cannot be unmounted": "it takes a mount that is dead and busy",
  "is the mount point of something that does not answer":
    "it takes a kernel that waits for a file system for ever",
  "another pstorage lab up has just begun": "it takes two that begin in the same moment",
  "loses flushed data with its power":
    "the program needs the lossy disk for itself; what it is told is tested there",
};

function filesOf(directory: string): string[] {
  return readdirSync(join(root, directory), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|py)$/.test(name))
    .map((name) => join(root, directory, name));
}

const TESTS = filesOf("test")
  .filter((path) => path !== fileURLToPath(import.meta.url))
  .map((path) => readFileSync(path, "utf8"))
  .join("\n");

/** Sentences that are no more than what happened: nobody reads them. */
const BARE: readonly string[] = ["no metadata server is known"];

interface Sentence {
  /** As it is written. */
  readonly text: string;
  readonly file: string;
  /** What is always in it. */
  readonly pieces: readonly string[];
}

/** The texts of every `storageError("code", ...)`; those that are made of other sentences alone are left out. */
function sentencesOf(path: string): Sentence[] {
  const text = readFileSync(path, "utf8");
  return [...text.matchAll(/storageError\(\s*"\w+",\s*(?:"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g)].flatMap(
    ([, plain, template]) => {
      const pieces = (plain ?? template ?? "")
        .split(/\$\{(?:[^{}]|\{[^}]*\})*\}/)
        .map((piece) => piece.replace(/^[\s:;",]+|[\s:;",\\]+$/g, ""));
      const long = pieces.filter((piece) => piece.split(" ").length >= 2 && piece.length >= 8);
      return long.length === 0
        ? []
        : [{ file: relative(root, path), pieces: long, text: plain ?? template ?? "" }];
    },
  );
}

/** Some words of it that follow each other are looked for. */
function isLookedFor({ pieces }: Sentence): boolean {
  return pieces.some((piece) => {
    const words = piece.split(" ");
    const count = Math.min(4, words.length);
    return words.some((_, at) => {
      const part = words.slice(at, at + count).join(" ");
      return at + count <= words.length && part.length >= 8 && TESTS.includes(part);
    });
  });
}

const SENTENCES = filesOf("src/cli").flatMap(sentencesOf);
const reasonOf = ({ pieces }: Sentence): string | undefined =>
  Object.keys(UNCAUSED).find((words) => pieces.some((piece) => piece.includes(words)));

describe("what commands refuse with", () => {
  test("is looked for by a test, every sentence of it", () => {
    expect(SENTENCES.length).toBeGreaterThan(90);
    const silent = SENTENCES.filter((sentence) => reasonOf(sentence) === undefined && !isLookedFor(sentence));
    expect(silent).toEqual([]);
  });

  test("says what to do, or what would have been right", () => {
    const isHelpful = ({ text }: Sentence): boolean =>
      /[;:,] |\b(give|say|use|is one of|are|must be|must hold|has 1 to|is 0 to 3|goes with|go with|goes on)\b/.test(
        text,
      );
    expect(SENTENCES.filter((sentence) => !isHelpful(sentence)).map(({ text }) => text)).toEqual(BARE);
  });

  test("has no exceptions that nobody needs", () => {
    const needed = new Set(SENTENCES.map(reasonOf));
    expect(Object.keys(UNCAUSED).filter((words) => !needed.has(words))).toEqual([]);
  });

  test("is one line", () => {
    expect(SENTENCES.filter(({ pieces }) => pieces.some((piece) => piece.includes("\\n")))).toEqual([]);
  });
});
