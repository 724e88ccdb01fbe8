import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { chmod, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installedPath } from "../../src/cli/installation.js";
import { ClusterHarness } from "./harness.js";
import { eventually } from "./ordeal/calls.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";

/** `mdsd` and `csd` by hand, with the flags that entry scripts of the original's containers give them. */

let harness: ClusterHarness;
beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 1, csCount: 2 });
}, TEST_MS);
afterAll(async () => {
  for (const name of ["mdsd", "csd"]) for (const pid of pidsOf(name)) process.kill(pid, "SIGKILL");
  await harness?.close();
});

interface Ended {
  readonly status: number | null;
  readonly errors: string;
}

function run(name: "mdsd" | "csd", host: number, ...args: string[]): Ended {
  const env = { ...process.env, PSTORAGE_ROOT: harness.lab.root(host) };
  const program = installedPath(`bin/${name}.js`);
  const ended = spawnSync(process.execPath, [program, ...args], { env, encoding: "utf8", timeout: TEST_MS });
  return { status: ended.status, errors: ended.stderr.trim() };
}

/** Of daemons of this cluster that were started in the background. */
function pidsOf(name: string): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      if (!(pid > 0)) return false;
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return line[1]?.endsWith(`/${name}.js`) === true && line.includes(`-D`) && line.some(isOurs);
      } catch {
        // It has ended.
        return false;
      }
    });
}

const isOurs = (argument: string): boolean => argument.startsWith(harness.lab.directory);

test.each([
  ["csd", "cs", 2],
  ["mdsd", "mds", 1],
] as const)(
  "%s takes the original's flags, and returns when it serves in the background",
  async (name, kind, host) => {
    const { lab } = harness;
    const repository = lab.repository(kind, host);
    const log = join(lab.directory, `${name}.log`);
    await lab.stopOne(kind, host);
    const started = run(name, host, "-r", repository, "-l", log, "-a", "ssl", "-u", "root", "-v", "-D");
    expect(started).toEqual({ status: 0, errors: "" });
    expect(pidsOf(name)).toHaveLength(1);
    await eventually("it is there", async () => {
      const { chunkServers, mdsServers } = await lab.status(PATIENCE_MS);
      return chunkServers.every(({ status }) => status === "active") && mdsServers[0]?.status === "avail";
    });
    expect(await readFile(log, "utf8")).toContain(`"daemon":"${name}"`);
    for (const pid of pidsOf(name)) process.kill(pid, "SIGTERM");
    await eventually("it has stopped", () => Promise.resolve(pidsOf(name).length === 0));
    await lab.startOne(kind, host);
  },
  TEST_MS,
);

test(
  "what cannot be is said in one line, and starts nothing",
  async () => {
    const { lab } = harness;
    const repository = lab.repository("cs", 1);
    const nowhere = join(lab.directory, "nowhere");
    const refused: readonly (readonly [args: string[], sentence: string])[] = [
      [["-r", repository, "-a", "none"], "authentication by none is not known: leave -a away, or say ssl"],
      [["-r", repository, "-d", "loud"], "log level is one of debug, info, warn, error"],
      [["-r", repository, "-D", "-d", "loud"], "log level is one of debug, info, warn, error"],
      [["-r", nowhere, "-D"], `there is no repository at ${nowhere}`],
      [
        ["-r", repository, "-u", "nobody-of-that-name"],
        "this process cannot become user nobody-of-that-name: is there one, and are you root?",
      ],
    ];
    for (const [args, sentence] of refused)
      expect(run("csd", 1, ...args), args.join(" ")).toEqual({ status: 1, errors: `csd: ${sentence}` });
    expect(readdirSync(lab.directory)).not.toContain("nowhere");

    // Its repository is in use: the daemon in the background says why it ended.
    const twice = run("csd", 1, "-r", repository, "-D");
    expect(twice.status).toBe(1);
    expect(twice.errors).toBe(`csd: the daemon did not start; see ${join(repository, "logs/fatal-log")}`);
    expect(await readFile(join(repository, "logs/fatal-log"), "utf8")).toMatch(/csd: .*(lock|use|another)/i);
  },
  TEST_MS,
);

test(
  "with -u it is that user, who needs the repository and the credential",
  async () => {
    const { lab } = harness;
    await chmod(lab.directory, 0o755);
    const ended = run("csd", 2, "-r", lab.repository("cs", 2), "-u", "nobody");
    expect(ended.status).toBe(1);
    expect(ended.errors).toMatch(/^csd: .*(permission|EACCES|may not)/i);
  },
  TEST_MS,
);
