/**
 * `npm test`: set-up, then every check and test, and a summary. Arguments go to vitest.
 * The suites run one after the other, because the cluster tests need the machine for themselves.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
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
/** They take minutes more than there are: `npm run test:long`. */
const LONG = ["clocks", "far-behind", "guide-long", "upgrade"].map((name) => `test/cluster/${name}.test.ts`);
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
          // Modules are loaded once for many files: that is half of the time.
          vitest("test/tidy.test.ts", "test/unit", "test/golden", "test/contract", "--no-isolate"),
        ],
        ["simulation", vitest("test/sim", "--no-isolate")],
        // They wait more than they work: for elections, restarts, and times to run out.
        [
          "real clusters and mounts",
          vitest(
            "test/cluster",
            "test/mount",
            "--poolOptions.forks.maxForks=4",
            ...LONG.map((path) => `--exclude=${path}`),
          ),
        ],
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
    const path = relative(root, name);
    if (failed.length === 0 && status === "failed") return [{ path, title: "", text: message }];
    return failed.map((test) => ({ path, title: test.fullName, text: test.failureMessages.join("\n") }));
  });
}

function sayFailure({ path, title, text }) {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.includes("node_modules"));
  const shown = lines.slice(0, FAILURE_LINES).map((line) => `    ${line.slice(0, FAILURE_COLUMNS)}\n`);
  process.stdout.write(`  ${path}: ${title}\n${shown.join("")}`);
}

/** What daemons complained of, in so many lines at most. */
const COMPLAINTS = 10;
const COMPLAINT = /"level":"error"|^(mdsd|csd|pstorage-mount): |Error\b/;

function complaintsIn(directory) {
  if (!existsSync(directory)) return [];
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const complaints = files.flatMap((entry) => {
    const path = join(entry.parentPath, entry.name);
    const lines = readFileSync(path, "utf8")
      .split("\n")
      .filter((line) => COMPLAINT.test(line));
    return lines.slice(-2).map((line) => `${path.slice(directory.length + 1)}: ${line}`);
  });
  return complaints.slice(0, COMPLAINTS);
}

const summary = [];
for (const [name, args] of steps) {
  const began = Date.now();
  process.stdout.write(`\n== ${name}\n`);
  const resultsPath = join(results, `${summary.length}.json`);
  const reporting = args[1] === "run" ? [`--outputFile.json=${resultsPath}`] : [];
  const logs = join(results, `logs-${summary.length}`);
  const { status } = spawnSync(process.execPath, [...args, ...reporting], {
    cwd: root,
    stdio: "inherit",
    env: { PSTORAGE_KEEP_LOGS: logs, ...process.env },
  });
  if (status === 0) rmSync(logs, { recursive: true, force: true });
  summary.push({
    name,
    passed: status === 0,
    seconds: Math.round((Date.now() - began) / 1000),
    failures: failuresIn(resultsPath),
    logs,
  });
}
process.stdout.write("\n== summary\n");
for (const { name, passed, seconds, failures, logs } of summary) {
  process.stdout.write(`${passed ? "passed" : "FAILED"}  ${String(seconds).padStart(4)} s  ${name}\n`);
  failures.forEach(sayFailure);
  for (const path of new Set(failures.map((failure) => failure.path))) {
    for (const line of complaintsIn(join(logs, basename(path))))
      process.stdout.write(`    ${line.slice(0, FAILURE_COLUMNS)}\n`);
  }
}
const failed = summary.filter(({ passed }) => !passed).length;
if (failed === 0) rmSync(results, { recursive: true });
else process.stdout.write(`logs of daemons: ${results}\n`);
process.stdout.write(failed === 0 ? "all passed\n" : `${failed} of ${summary.length} failed\n`);
process.exit(failed === 0 ? 0 : 1);
