import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { GOLDEN_PATH } from "./golden-messages.js";

const hasCompiler = spawnSync("gcc", ["--version"]).status === 0;
const hasHeader = existsSync("/usr/include/linux/fuse.h");
const why = hasCompiler && hasHeader ? "" : " (skipped: it takes gcc and linux-libc-dev)";

test.skipIf(why !== "")(`the golden messages are what the kernel's own header makes${why}`, () => {
  const directory = mkdtempSync(join(tmpdir(), "pstorage-fuse-wire-"));
  try {
    const program = join(directory, "kernel-messages");
    const source = fileURLToPath(new URL("./kernel-messages.c", import.meta.url));
    execFileSync("gcc", ["-Wall", "-Werror", "-o", program, source]);

    const printed = execFileSync(program, { encoding: "utf8" });

    expect(printed).toBe(readFileSync(GOLDEN_PATH, "utf8"));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
