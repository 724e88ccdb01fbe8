/**
 * `npm test`: set-up, then every check and test, and a summary. Arguments go to vitest.
 * The suites run one after the other, because the cluster tests need the machine for themselves.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, setup } from "./setup.mjs";

setup();
const bin = (name) => join(root, "node_modules", name);
const vitest = (...paths) => [
  bin("vitest/vitest.mjs"),
  "run",
  "--reporter=default",
  "--reporter=json",
  ...paths,
];
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

/** What a failed test says, in few lines: a log of thousands may be read from its end only. */
const FAILURE_LINES = 4;
const FAILURE_COLUMNS = 300;

const results = mkdtempSync(join(tmpdir(), "pstorage-test-"));

/** The failed tests in the JSON that vitest wrote, if it came that far. */
function failuresIn(path) {
  let report;
  try {
    report = JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return [];
  }
  return report.testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === "failed");
    if (failed.length === 0 && status === "failed") return [{ title: name, text: message }];
    return failed.map((test) => ({ title: test.fullName, text: test.failureMessages.join("\n") }));
  });
}

function sayFailure({ title, text }) {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.includes("node_modules"));
  const shown = lines.slice(0, FAILURE_LINES).map((line) => `    ${line.slice(0, FAILURE_COLUMNS)}\n`);
  process.stdout.write(`  ${title}\n${shown.join("")}`);
}

const summary = [];
for (const [name, args] of steps) {
  const began = Date.now();
  process.stdout.write(`\n== ${name}\n`);
  const resultsPath = join(results, `${summary.length}.json`);
  const reporting = args[1] === "run" ? [`--outputFile.json=${resultsPath}`] : [];
  const { status } = spawnSync(process.execPath, [...args, ...reporting], { cwd: root, stdio: "inherit" });
  summary.push({
    name,
    passed: status === 0,
    seconds: Math.round((Date.now() - began) / 1000),
    failures: failuresIn(resultsPath),
  });
}
rmSync(results, { recursive: true });
process.stdout.write("\n== summary\n");
for (const { name, passed, seconds, failures } of summary) {
  process.stdout.write(`${passed ? "passed" : "FAILED"}  ${String(seconds).padStart(4)} s  ${name}\n`);
  failures.forEach(sayFailure);
}
const failed = summary.filter(({ passed }) => !passed).length;
process.stdout.write(failed === 0 ? "all passed\n" : `${failed} of ${summary.length} failed\n`);
process.exit(failed === 0 ? 0 : 1);
