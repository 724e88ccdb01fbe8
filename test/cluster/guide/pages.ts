import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What the documents tell people to type. */

export const CHECKOUT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** Paths of all documents, from the checkout. */
export const PAGES: readonly string[] = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(CHECKOUT, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
    .sort(),
];

/** A fenced block. */
export interface Block {
  readonly page: string;
  /** Of the line with the fence, from 1. */
  readonly line: number;
  /** What stands behind the fence; "" if nothing does. */
  readonly language: string;
  /** Without the fences. */
  readonly text: string;
  /** Why nothing runs it: `<!-- not run: REASON -->` right above the fence. */
  readonly notRun: string | undefined;
}

export function pageText(page: string): string {
  return readFileSync(join(CHECKOUT, page), "utf8");
}

export function blocksOf(page: string): Block[] {
  const text = pageText(page);
  const fences = /^(?:<!-- not run: ([^\n]+) -->\n)?( *)```(\w*)\n(.*?)^\2```$/gms;
  return [...text.matchAll(fences)].map((found) => ({
    page,
    line: text.slice(0, found.index).split("\n").length + (found[1] === undefined ? 0 : 1),
    language: found[3] ?? "",
    text: found[4] ?? "",
    notRun: found[1],
  }));
}

/** The blocks of a page that a reader can follow here. */
export function blocksToRun(page: string): Block[] {
  return blocksOf(page).filter(({ language, notRun }) => language === "sh" && notRun === undefined);
}

/** The commands of a block: one a line, but for lines that go on behind a backslash. */
export function commandsOf(block: Block): string[] {
  return block.text
    .replace(/\\\n\s*/g, "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}
