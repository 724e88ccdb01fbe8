import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Lab } from "../../src/cli/lab/lab.js";
import type { ClusterStatus } from "../../src/meta/index.js";
import { ClusterDirectory, type CommandResult, runProgram } from "./harness.js";
import { eventually } from "./ordeal/calls.js";
import { PATIENCE_MS, TEST_MS } from "./ordeal/patience.js";

/** `pstorage lab`, as `npm start` uses it. The tests tell one story, on a lab of one MDS and two CSs. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const CHECKOUT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
let directory: ClusterDirectory;

const labPath = (): string => join(directory.path, "lab");
const roots = (): string[] => [1, 2, 3].map((host) => join(labPath(), "hosts", String(host)));

function lab(line: string): Promise<CommandResult> {
  return runProgram("pstorage", ["lab", ...line.split(" "), "--dir", labPath()], { root: directory.path });
}

function files(args: readonly string[], input = ""): Promise<CommandResult> {
  return runProgram("pstorage", args, { root: roots()[0] ?? "", cluster: "lab", input });
}

/** `lab up` in the foreground. */
class Foreground {
  readonly #child: ChildProcess;
  #output = "";
  #readCount = 0;

  constructor() {
    const program = join(CHECKOUT, "bin/pstorage.js");
    this.#child = spawn(process.execPath, [program, "lab", "up", "--dir", labPath()], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#child.stdout?.on("data", (bytes: Buffer) => {
      this.#output += bytes.toString();
    });
  }

  get output(): string {
    return this.#output;
  }

  /** Resolves when it has said that, after what was waited for before. */
  async says(text: string): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = this.#output.indexOf(text, this.#readCount);
      if (found >= 0) {
        this.#readCount = found + text.length;
        return;
      }
      if (Date.now() > end || this.#child.exitCode !== null)
        throw new Error(`not said: ${text}\n${this.#output}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Resolves with its exit status. */
  async stop(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode !== null) return this.#child.exitCode;
    const ended = new Promise<number | null>((resolve) => this.#child.once("exit", resolve));
    this.#child.kill(signal);
    return await ended;
  }
}

const foregrounds: Foreground[] = [];

function up(): Foreground {
  const foreground = new Foreground();
  foregrounds.push(foreground);
  return foreground;
}

const activeCount = ({ chunkServers }: ClusterStatus): number =>
  chunkServers.filter(({ status }) => status === "active").length;

async function runningCount(): Promise<number> {
  return (await (await Lab.open(labPath())).services()).filter(({ pid }) => pid !== undefined).length;
}

beforeAll(async () => {
  directory = await ClusterDirectory.make();
});

afterAll(async () => {
  await Promise.all(foregrounds.map((foreground) => foreground.stop("SIGTERM")));
  await directory.remove(roots());
});

test("lab up makes a lab, says what it does, and with --detach leaves it running", async () => {
  const { status, output, errors } = await lab("up --mds 1 --cs 2 --detach");
  expect({ status, errors }).toEqual({ status: 0, errors: "" });
  expect(output).toContain("CS#1026 made on host 2");
  expect(output).toContain("new files are kept in 2 copies (replicas=2:1)");
  expect(output).toContain("Cluster 'lab': healthy");
  expect(await runningCount()).toBe(3);
  expect((await readFile(join(labPath(), "password"), "utf8")).length).toBeGreaterThan(16);
});

test("the commands it suggests work as they are printed", async () => {
  const put = await files(["fs", "put", "-r", join(CHECKOUT, "docs"), "/docs"]);
  expect(put).toMatchObject({ status: 0, errors: "", output: "" });
  expect((await files(["fs", "ls", "/docs"])).output).toContain("README.md\n");
  const original = await readFile(join(CHECKOUT, "docs/README.md"), "utf8");
  expect((await files(["fs", "cat", "/docs/README.md"])).output).toBe(original);
});

test("lab status shows every daemon, and its exit status is 3 when one does not run", async () => {
  const all = await lab("status");
  expect(all.status).toBe(0);
  expect(all.output.match(/ running /g)).toHaveLength(3);
  await (await Lab.open(labPath())).stopOne("cs", 2);
  const some = await lab("status");
  expect(some.output).toMatch(/^CS +1026 stopped/m);
  expect(some.status).toBe(3);
});

test("a daemon whose starter is killed before it serves goes on, and is known", async () => {
  const own = await Lab.open(labPath());
  for (const [kind, host] of [
    ["cs", 2],
    ["mds", 1],
  ] as const) {
    await own.stopOne(kind, host);
    const program = join(CHECKOUT, `bin/pstorage-${kind}d.js`);
    const starter = spawn(process.execPath, [program, "start"], {
      env: { ...process.env, ...own.env(host) },
      stdio: "ignore",
    });
    const pid = await eventually("it is known", async () => (await own.service(kind, host)).pid);
    starter.kill("SIGKILL");
    await eventually(
      "both chunk servers are active",
      async () => activeCount(await own.status(PATIENCE_MS)) === own.size.csCount,
    );
    expect((await own.service(kind, host)).pid).toBe(pid);
  }
});

test("lab down stops everything, and the next lab up finds the same data", async () => {
  expect((await lab("down")).output).toContain("is down");
  expect(await runningCount()).toBe(0);
  const front = up();
  await front.says("Ctrl-C stops it");
  expect(front.output).toContain("Starting a cluster of 1 metadata servers and 2 chunk servers");
  const original = await readFile(join(CHECKOUT, "docs/README.md"), "utf8");
  expect((await files(["fs", "cat", "/docs/README.md"])).output).toBe(original);
  expect(await front.stop("SIGINT")).toBe(0);
  expect(front.output).toContain("The lab is down; its data are kept.");
  expect(await runningCount()).toBe(0);
});

test("in the foreground a daemon that is killed is started again; one that is stopped stays down", async () => {
  const front = up();
  await front.says("Ctrl-C stops it");
  const second = await lab("up --detach");
  expect(second.errors).toContain("pstorage lab up runs on");
  expect(second.status).toBe(1);
  const own = await Lab.open(labPath());
  await own.kill("cs", 1);
  await front.says("CS#1025 ended by itself");
  await front.says("CS#1025 started");
  await own.stopOne("cs", 2);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  expect(await runningCount()).toBe(2);
  expect(front.output).not.toContain("CS#1026 ended");
  expect(await front.stop("SIGTERM")).toBe(0);
  expect(await runningCount()).toBe(0);
});

test("a lab grows, and what was interrupted while it was made is completed", async () => {
  const own = await Lab.plan(labPath(), { csCount: 3 });
  expect(own.isComplete).toBe(false);
  const { status, output } = await lab("up --detach");
  expect(output).toContain("CS#1027 made on host 3");
  expect(status).toBe(0);
  expect((await lab("up --cs 2")).errors).toContain("does not shrink");
  expect((await lab("down")).status).toBe(0);
});

test("lab destroy asks unless told, and removes nothing that is not the lab's", async () => {
  await mkdir(join(labPath(), "mine"));
  await writeFile(join(labPath(), "mine/letter"), "dear");
  expect((await lab("destroy")).errors).toContain("say --yes");
  expect(existsSync(join(labPath(), "lab.json"))).toBe(true);
  expect((await lab("destroy --yes")).status).toBe(0);
  expect(existsSync(join(labPath(), "hosts"))).toBe(false);
  expect(await readFile(join(labPath(), "mine/letter"), "utf8")).toBe("dear");
  await rm(labPath(), { recursive: true });
});
