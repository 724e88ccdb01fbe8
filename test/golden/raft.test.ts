import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as raft from "../../src/raft/index.js";
import { play } from "./raft/script.js";

const folder = new URL("raft/", import.meta.url);
const isUpdate = process.env["UPDATE_GOLDEN"] === "1";

for (const name of readdirSync(folder).sort()) {
  if (!name.endsWith(".txt") || name === "README.txt") continue;
  test(`raft behaves as ${name} tells`, () => {
    const path = new URL(name, folder);
    const text = readFileSync(path, "utf8");
    const now = play(text, raft);
    if (isUpdate) writeFileSync(path, now);
    else expect(now).toBe(text);
  });
}
