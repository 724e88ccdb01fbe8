import { execFileSync } from "node:child_process";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ClusterHarness } from "./harness.js";
import { eventually } from "./ordeal/calls.js";
import { TEST_MS } from "./ordeal/patience.js";
import { Pty } from "./pty.js";

/** The screens, on real terminals over a real cluster of one MDS and two CSs. */

vi.setConfig({ testTimeout: TEST_MS, hookTimeout: TEST_MS });

const PROGRAM = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "bin/pstorage.js");
const LEAVES_THE_OTHER_SCREEN = "\u001b[?1049l";
let harness: ClusterHarness;
const terminals: Pty[] = [];

beforeAll(async () => {
  harness = await ClusterHarness.start({ mdsCount: 1, csCount: 2 });
});

afterAll(async () => {
  for (const terminal of terminals) terminal.close();
  await harness.close();
});

function start(columns: number, args: readonly string[], term = "xterm"): Pty {
  const env = { ...process.env, ...harness.lab.env(1), TERM: term };
  const pty = new Pty({ rows: 40, columns }, [process.execPath, PROGRAM, ...args], env);
  terminals.push(pty);
  return pty;
}

const widest = (picture: readonly string[]): number => Math.max(...picture.map((line) => line.length));

test("top shows the cluster, follows keys and sizes, and leaves the terminal as it was", async () => {
  const top = start(80, ["top", "-n", "-T", "300"]);
  const first = await top.shows("both servers are active", (picture) =>
    picture.some((line) => line.includes("CS nodes:  2 of 2 (2 avail")),
  );
  expect(first[0]).toMatch(/^Cluster 'lab': /);
  expect(widest(first)).toBeLessThanOrEqual(80);
  expect(first.length).toBeLessThanOrEqual(40);
  const text = first.join(" ").replaceAll(/ +/g, " ");
  expect(text).toMatch(/ chunk maps, \d+ chunk nodes /);
  expect(first.filter((line) => /^ +102[56] active .* 127\.0\.0\.1:\d{4,5}$/.test(line))).toHaveLength(2);
  top.resize(40, 70);
  await top.shows("there is no room for it", (picture) =>
    picture.every((line) => line.length <= 70 && !line.includes("UNIQUE")),
  );
  top.send("i");
  await top.shows("the columns that had no room", (picture) =>
    picture.some((line) => /^ +CSID STATUS +UNIQUE( QDEPTH)? HOST$/.test(line)),
  );
  top.send("e");
  await top.shows(
    "events are alone",
    (picture) => picture.some((line) => /became master/.test(line)) && !picture.join().includes("CSID"),
  );
  top.send("c");
  top.resize(30, 120);
  const wide = await top.shows("flags are there", (picture) => picture.some((line) => / FLAGS$/.test(line)));
  expect(wide.filter((line) => /^ +102[56] /.test(line))).toHaveLength(2);
  top.resize(10, 40);
  const small = await top.shows("it is small", (picture) => widest(picture) <= 40);
  expect(small.length).toBeLessThanOrEqual(10);
  top.send("q");
  expect(await top.ended()).toEqual({ status: 0, restored: true });
  expect(top.output).toContain(LEAVES_THE_OTHER_SCREEN);
});

test.each(["Ctrl-C", "SIGTERM", "SIGHUP"])("%s ends top, and the terminal is as it was", async (how) => {
  const top = start(100, ["top", "-n"]);
  await top.shows("the cluster", (picture) => picture.some((line) => line.startsWith("Cluster 'lab'")));
  if (how === "Ctrl-C") top.send("\u0003");
  else top.signal(how === "SIGTERM" ? constants.signals.SIGTERM : constants.signals.SIGHUP);
  expect(await top.ended()).toEqual({ status: 0, restored: true });
  expect(top.output).toContain(LEAVES_THE_OTHER_SCREEN);
});

test("on a terminal that knows no positions one picture follows the other", async () => {
  const top = start(80, ["top", "-n", "-T", "300"], "dumb");
  await eventually("two pictures", async () => top.output.split("Cluster 'lab'").length > 3);
  expect(top.output).not.toContain("\u001b");
  top.send("q");
  expect(await top.ended()).toEqual({ status: 0, restored: true });
});

test("stat on a narrow terminal goes on below, and has one line for each server in a pipe", async () => {
  const narrow = start(60, ["-q", "stat", "-n"]);
  expect((await narrow.ended()).status).toBe(0);
  const lines = narrow.output.split("\r\n");
  expect(widest(lines)).toBeLessThanOrEqual(60);
  expect(lines.filter((line) => /^ +1025 active .* 127\.0\.0\.1:\d+$/.test(line)).length).toBeGreaterThan(1);
  const { output } = await harness.run(["-q", "stat", "-n"], { host: 1 });
  expect(output).toMatch(/^ +1025 active .* 127\.0\.0\.1:\d+$/m);
});

test("top in a pipe says what to use instead", async () => {
  const { status, errors } = await harness.run(["top"], { host: 1 });
  expect(status).toBe(1);
  expect(errors).toContain('top needs a terminal; use "stat"');
});

test("while the cluster does not answer top says for how long, and goes on when it does", async () => {
  const top = start(100, ["top", "-n", "-T", "300"]);
  await top.shows("the cluster", (picture) => picture.some((line) => line.startsWith("Cluster 'lab'")));
  await harness.lab.stopOne("mds", 1);
  const lost = await top.shows("it reconnects", (picture) =>
    /^RECONNECTING, no answer for [1-9]/.test(picture[0] ?? ""),
  );
  expect(lost.some((line) => line.includes("Cluster 'lab'"))).toBe(true);
  await harness.lab.startOne("mds", 1);
  await top.shows("the cluster answers", (picture) => picture[0]?.startsWith("Cluster 'lab'") === true);
  top.send("q");
  expect((await top.ended()).status).toBe(0);
});

test("get-event -f goes on with what comes, also from a new leader, and each event once", async () => {
  const events = start(200, ["-q", "get-event", "-n", "1", "--severity", "info", "-f"]);
  await eventually("the last event", async () => /TIME +SYS +SEV +MESSAGE/.test(events.output));
  const before = events.output.split("became master").length;
  await harness.lab.stopOne("mds", 1);
  await harness.lab.startOne("mds", 1);
  await eventually("the new leader", async () => events.output.split("became master").length === before + 1);
  events.send("\u0003");
  expect((await events.ended()).status).toBe(0);
  const lines = events.output.split(/\r+\n/).filter((line) => line.includes("became master"));
  expect(new Set(lines).size).toBe(lines.length);
});

test("filters of get-event narrow the log, and stat -X is XML", async () => {
  const cs = await harness.run(["-q", "get-event", "--system", "CS", "--since", "1d"], { host: 1 });
  expect(cs.output).toMatch(/ CS +info CS#1025 registered for the first time/);
  expect(cs.output).not.toContain("became master");
  const { output } = await harness.run(["stat", "-X"], { host: 1 });
  const program = "import sys, xml.dom.minidom as m; print(m.parse(sys.stdin).documentElement.tagName)";
  expect(execFileSync("python3", ["-c", program], { input: output, encoding: "utf8" })).toBe("cluster\n");
});
