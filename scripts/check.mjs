/** `npm run check`: what to run before a commit; under two minutes. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { install, root } from "./setup.mjs";

install();
const bin = (name) => join(root, "node_modules", name);
const steps = [
  [bin("@biomejs/biome/bin/biome"), "check", "."],
  [bin("typescript/bin/tsc"), "--noEmit"],
  [join(root, "scripts/proto.mjs"), "--check"],
  [bin("vitest/vitest.mjs"), "run", "test/tidy.test.ts", "test/unit", "test/golden", "test/contract"],
];
for (const step of steps) {
  const { status } = spawnSync(process.execPath, step, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
