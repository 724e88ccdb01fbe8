import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { topLines } from "../../../../src/cli/screen/top-lines.js";
import type { TopState } from "../../../../src/cli/screen/top-state.js";
import { PLAIN_VIEW, statLines, UNSORTED } from "../../../../src/cli/screen/view.js";
import type { ClusterStatus } from "../../../../src/meta/index.js";
import { EVENTS, STATUS, sampleCs } from "./sample.js";

const GOLDEN = join(dirname(fileURLToPath(import.meta.url)), "golden");
const STATE: TopState = {
  shown: "all",
  columnSet: 0,
  isVerbose: false,
  isHelp: false,
  orders: UNSORTED,
  scrolled: 0,
};

function top(state: Partial<TopState>, width: number, height: number, status: ClusterStatus = STATUS) {
  const picture = { status, events: EVENTS };
  const view = { width, height, show: PLAIN_VIEW.show, thresholds: PLAIN_VIEW.thresholds, notice: "" };
  return topLines(picture, { ...STATE, ...state }, view);
}

const stat = (isVerbose = false): string[] => statLines(STATUS, { ...PLAIN_VIEW, isVerbose });

describe("the screens look as they are written down in golden/", () => {
  const pictures: Readonly<Record<string, () => string[]>> = {
    "stat.txt": () => stat(),
    "stat-verbose.txt": () => stat(true),
    "top-80.txt": () => top({}, 80, 40),
    "top-200.txt": () => top({ columnSet: 1, isVerbose: true }, 200, 50),
    "top-traffic-200.txt": () => top({ shown: "cs", columnSet: 2 }, 200, 50),
    "top-place-80.txt": () => top({ shown: "cs", columnSet: 3 }, 80, 50),
    "top-help-80.txt": () => top({ isHelp: true }, 80, 40),
    "top-clients-200.txt": () => top({ shown: "clients", columnSet: 1 }, 200, 24),
  };
  test.each(Object.keys(pictures))("%s", async (name) => {
    process.env["TZ"] = "UTC";
    const lines = pictures[name]?.() ?? [];
    await expect(`${lines.join("\n")}\n`).toMatchFileSnapshot(join(GOLDEN, name));
  });
});

test("a server in maintenance is no more there than an inactive one, and the line of servers says so", () => {
  const there = STATUS.chunkServers.filter(({ status }) => status !== "dropped");
  const [first, ...others] = there.map((server) => ({ ...server, status: "active" }));
  const resting = { ...first, status: "maintenance" } as ClusterStatus["chunkServers"][number];
  const lines = statLines(
    { ...STATUS, chunkServers: [resting, ...others] },
    { ...PLAIN_VIEW, isVerbose: false },
  );
  expect(lines).toContain("CS nodes:  3 of 4 (3 avail, 0 inactive, 0 offline, 1 maintenance)");
  expect(lines.some((line) => /^ *\d+ maintenance /.test(line))).toBe(true);
});

describe.each([20, 80, 132, 200])("at %i columns", (width) => {
  test.each([5, 24, 50])("and %i lines nothing is longer than the screen", (height) => {
    const many = {
      ...STATUS,
      chunkServers: Array.from({ length: 120 }, (_, index) => sampleCs({ csId: 1025 + index })),
    };
    for (const shown of ["all", "mds", "cs", "clients", "events"] as const) {
      for (const columnSet of [0, 1, 2, 3]) {
        for (const flag of [true, false]) {
          const lines = top(
            { shown, columnSet, isVerbose: flag, isHelp: !flag && shown === "mds" },
            width,
            height,
            many,
          );
          expect(lines.length).toBeLessThanOrEqual(height);
          expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
        }
      }
    }
  });
});

test("tables with few rows are whole, and the others share what is left", () => {
  const many = {
    ...STATUS,
    chunkServers: Array.from({ length: 120 }, (_, index) => sampleCs({ csId: 1025 + index })),
  };
  const lines = top({}, 100, 50, many);
  expect(lines.filter((line) => / 10\.30\.17\.1\d:2510$/.test(line))).toHaveLength(3);
  expect(lines.some((line) => /^ {2}\.\.\. \d+ more$/.test(line))).toBe(true);
  // The latest event is the last line.
  expect(lines.at(-1)).toContain("CS#1054");
  expect(lines).toHaveLength(50);
});

test("a table that is shown alone can be scrolled to its end and no further", () => {
  const many = {
    ...STATUS,
    chunkServers: Array.from({ length: 60 }, (_, index) => sampleCs({ csId: 1025 + index })),
  };
  expect(top({ shown: "cs" }, 100, 24, many).join("\n")).toContain("  1025 active");
  const scrolled = top({ shown: "cs", scrolled: 1000 }, 100, 24, many);
  expect(scrolled.at(-1)).toContain("1084 active");
  expect(scrolled.join("\n")).not.toContain("  1025 active");
});

test("names from other machines cannot steer the terminal", () => {
  const clients = [{ ...STATUS.clients[0], hostname: "bad\u001b[2Jhost" }] as ClusterStatus["clients"];
  const text = statLines({ ...STATUS, clients }, PLAIN_VIEW).join("\n");
  expect(text).toContain("bad?[2Jhost");
  expect(text).not.toContain("\u001b");
});

test("a limit on capacity is shown, and that it is reached", () => {
  const line = (usedBytes: number): string => {
    const space = { ...STATUS.space, capacityBytes: 1e12, usedBytes };
    return statLines({ ...STATUS, space }, PLAIN_VIEW).find((text) => text.startsWith("License")) ?? "";
  };
  expect(line(5e11)).toBe("License: none needed (ACTIVE), 466GB of 931GB used");
  expect(line(1e12)).toContain("(LIMIT REACHED)");
});

/** What operators' scripts do with `stat`, with the programs they do it with. */
describe("a script that reads stat", () => {
  const shell = (script: string): string =>
    execFileSync("sh", ["-c", script], { input: `${stat().join("\n")}\n`, encoding: "utf8" }).trim();

  test("finds the state behind the first colon of the first line", () => {
    expect(shell("head -1 | awk -F': ' '{print $2}'")).toBe("degraded");
  });

  test("finds the number of metadata servers between `of ` and a comma", () => {
    expect(shell("grep '^MDS nodes' | sed 's/.*of \\([0-9]*\\), .*/\\1/'")).toBe("3");
  });

  test("finds the number of chunk servers between `of ` and a bracket", () => {
    expect(shell("grep '^CS nodes' | sed 's/.*of \\([0-9]*\\) (.*/\\1/'")).toBe("4");
  });

  test("finds one line for each metadata server under MDSID, the master's with an M", () => {
    expect(shell("grep -A 3 MDSID | tail -3 | awk '{print $NF}'").split("\n")).toEqual([
      "10.30.17.11:2510",
      "10.30.17.12:2510",
      "10.30.17.13:2510",
    ]);
    expect(shell("grep -A 3 MDSID | grep '^M' | awk '{print $2, $3}'")).toBe("2 avail");
    expect(shell("grep -A 3 MDSID | tail -3 | grep -vcw avail")).toBe("1");
  });

  test("finds one line for each chunk server under CSID, with its host in the tenth column", () => {
    expect(shell("grep -A 4 CSID | tail -4 | awk '{print $1, $2, $10}'").split("\n")).toEqual([
      "1025 active 10.30.17.38:41123",
      "1026 active 10.30.17.39:33345",
      "1027 inactive 10.30.17.40:45555",
      "1029 active 10.30.17.42:45557",
    ]);
  });

  test("finds whether there is space enough", () => {
    expect(shell("grep -c '^Space: \\[OK\\]'")).toBe("1");
  });
});
