import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { play } from "./cs/script.js";

const folder = new URL("cs/", import.meta.url);
const isUpdate = process.env["UPDATE_GOLDEN"] === "1";

for (const name of readdirSync(folder).sort()) {
  if (!name.endsWith(".txt") || name === "README.txt") continue;
  test(`a chain behaves as ${name} tells`, () => {
    const path = new URL(name, folder);
    const text = readFileSync(path, "utf8");
    const now = play(text);
    if (isUpdate) writeFileSync(path, now);
    else expect(now).toBe(text);
  });
}
