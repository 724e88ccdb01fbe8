/**
 * `npm test`: set-up, then every check and test, and a summary. Arguments go to vitest.
 * The suites run one after the other, because the cluster tests need the machine for themselves.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root, setup } from "./setup.mjs";

setup();
const bin = (name) => join(root, "node_modules", name);
const vitest = (...paths) => [bin("vitest/vitest.mjs"), "run", ...paths];
const extra = process.argv.slice(2);
const steps =
  extra.length > 0
    ? [["tests", vitest(...extra)]]
    : [
        ["format and lint", [bin("@biomejs/biome/bin/biome"), "check", "."]],
        ["types", [bin("typescript/bin/tsc"), "--noEmit"]],
        ["generated code is fresh", [join(root, "scripts/proto.mjs"), "--check"]],
        [
          "unit, contract and golden tests",
          vitest("test/tidy.test.ts", "test/unit", "test/golden", "test/contract"),
        ],
        ["simulation", vitest("test/sim")],
        ["real clusters", vitest("test/cluster")],
        ["mounts", vitest("test/mount", "--no-file-parallelism")],
      ];

const summary = [];
for (const [name, args] of steps) {
  const began = Date.now();
  process.stdout.write(`\n== ${name}\n`);
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  summary.push({ name, passed: status === 0, seconds: Math.round((Date.now() - began) / 1000) });
}
process.stdout.write("\n== summary\n");
for (const { name, passed, seconds } of summary) {
  process.stdout.write(`${passed ? "passed" : "FAILED"}  ${String(seconds).padStart(4)} s  ${name}\n`);
}
const failures = summary.filter(({ passed }) => !passed).length;
process.stdout.write(failures === 0 ? "all passed\n" : `${failures} of ${summary.length} failed\n`);
process.exit(failures === 0 ? 0 : 1);
