import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { headerLines } from "../../../../src/cli/screen/header.js";
import { parseSettings } from "../../../../src/cli/screen/settings.js";
import { type TableColumn, wrapped } from "../../../../src/cli/screen/table.js";
import { allColumns, clientColumns, csColumns, mdsColumns } from "../../../../src/cli/screen/tables.js";
import { topLines } from "../../../../src/cli/screen/top-lines.js";
import type { TopState } from "../../../../src/cli/screen/top-state.js";
import { PLAIN_VIEW, statLines, type TableName, UNSORTED } from "../../../../src/cli/screen/view.js";
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

/** Every page of what is shown, one under the other: what somebody sees who presses `i` again and again. */
function leafedThrough(state: Partial<TopState>, width: number): string[] {
  return Array.from({ length: 12 }, (_, columnSet) => top({ ...state, columnSet }, width, 200)).flat();
}

/** The words, whatever lines they are on. */
const words = (lines: readonly string[]): string => lines.join(" ").replaceAll(/ +/g, " ").trim();

describe.each([80, 120, 200])("at %i columns everything can be read", (width) => {
  const wide = { ...PLAIN_VIEW, isVerbose: true, width };

  test("in the header, to the end of each line", () => {
    const whole = headerLines(STATUS, { ...wide, width: Number.POSITIVE_INFINITY });
    expect(words(headerLines(STATUS, wide))).toBe(words(whole));
    expect(words(top({ isVerbose: true }, width, 200))).toContain(words(whole));
  });

  const tables: readonly (readonly [TableName, readonly TableColumn<never>[], readonly unknown[]])[] = [
    ["mds", allColumns(mdsColumns(PLAIN_VIEW.show)), STATUS.mdsServers],
    [
      "cs",
      allColumns(csColumns(PLAIN_VIEW.show)),
      STATUS.chunkServers.filter(({ status }) => status !== "dropped"),
    ],
    ["clients", allColumns(clientColumns(PLAIN_VIEW.show)), STATUS.clients],
  ];
  test.each(tables)("in the table of %s, page after page", (shown, columns, rows) => {
    const lines = leafedThrough({ shown }, width);
    for (const row of rows as readonly never[]) {
      const [id = "", ...cells] = columns.map((column) => column.cell(row).trim());
      const ofRow = lines.flatMap((line) => {
        const found = line.replace(/^M/, " ").trim().split(/ +/);
        return id.replace(/^M/, "").trim() === found[0] ? found : [];
      });
      expect(ofRow).toEqual(expect.arrayContaining(cells.flatMap((cell) => cell.split(" "))));
    }
    const titles = lines.filter((line) => line.includes("HOST")).flatMap((line) => line.trim().split(/ +/));
    expect([...new Set(titles)].sort()).toEqual(columns.map(({ title }) => title.trim()).sort());
  });

  test("in the log, to the end of each message", () => {
    const shown = words(top({ shown: "events" }, width, 200));
    for (const { message } of EVENTS) expect(shown).toContain(message);
  });

  test("in stat on a terminal, which goes on below", () => {
    const lines = statLines(STATUS, { ...PLAIN_VIEW, width });
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    const whole = stat().flatMap((line) => line.split(/ +/));
    expect(new Set(lines.flatMap((line) => line.split(/ +/)))).toEqual(new Set(whole));
  });
});

test("what is much too long for a screen is broken, and loses nothing", () => {
  const address = "[2001:db8:0123:4567:89ab:cdef:0123:4567]:41123";
  const servers = [sampleCs({ csId: 1025, address })];
  const lines = statLines({ ...STATUS, chunkServers: servers }, { ...PLAIN_VIEW, width: 80 });
  expect(lines.filter((line) => line.endsWith(address)).length).toBeGreaterThan(1);
  expect(wrapped("a".repeat(25), 10, 2)).toEqual([
    "a".repeat(10),
    `  ${"a".repeat(8)}`,
    `  ${"a".repeat(7)}`,
  ]);
  expect(wrapped("one, two three", 12, 20)).toEqual(["one,", "two three"]);
});

test("tables with few rows are whole, and the others share what is left", () => {
  const many = {
    ...STATUS,
    chunkServers: Array.from({ length: 120 }, (_, index) => sampleCs({ csId: 1025 + index })),
  };
  const lines = top({}, 100, 50, many);
  expect(lines.filter((line) => / 10\.30\.17\.1\d:2510$/.test(line))).toHaveLength(3);
  expect(lines.some((line) => /^ {2}\.\.\. \d+ more$/.test(line))).toBe(true);
  // The latest event is at the end, and whole.
  expect(lines.slice(-2).map((line) => line.trim())).toEqual([
    expect.stringMatching(
      /^2024-05-17 09:30:29 MDS info CS#1054 said something that is as long as a sentence/,
    ),
    "events often is",
  ]);
  // No event begins above the screen.
  expect(lines.length).toBeGreaterThan(48);
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

const MB = 2 ** 20;

test.each([
  ["OK", "a fifth is free", 2000 * MB, 10_000 * MB],
  ["WARN", "less than a fifth is free", 2000 * MB - 1, 10_000 * MB],
  ["OK", "1024 MB are free", 1024 * MB, 2048 * MB],
  ["WARN", "less than 1024 MB are free, of however little", 1024 * MB - 1, 1024 * MB],
  ["WARN", "there is no chunk server", 0, 0],
])("space is [%s] when %s", (state, _, freeBytes, totalBytes) => {
  const space = { ...STATUS.space, freeBytes, totalBytes };
  const lines = statLines({ ...STATUS, space }, PLAIN_VIEW);
  expect(lines[1]).toMatch(/^Space: \[\w+\] allocatable /);
  expect(lines[1]).toContain(`[${state}]`);
});

test("space is what pstorage.conf calls too little", () => {
  const space = { ...STATUS.space, freeBytes: 50 * MB, totalBytes: 100 * MB };
  const line = (text: string): string | undefined => {
    const { thresholds } = parseSettings(text, "p.conf");
    return statLines({ ...STATUS, space }, { ...PLAIN_VIEW, thresholds })[1];
  };
  expect(line("freespace.threshold.mb = 50\nfreespace.threshold.percent = 50\n")).toContain("[OK]");
  expect(line("freespace.threshold.mb = 51\nfreespace.threshold.percent = 50\n")).toContain("[WARN]");
  expect(line("freespace.threshold.mb = 50\nfreespace.threshold.percent = 51\n")).toContain("[WARN]");
});

test.each([
  ["OK", ["healthy", "overcommitted", "void", "unique"]],
  ["WARN", ["standby", "degraded", "urgent", "blocked", "pending", "offline", "replicating", "deleting"]],
] as const)("chunks are [%s] while one is %s", (state, names) => {
  const none = Object.fromEntries(
    Object.keys(STATUS.chunks).map((name) => [name, 0]),
  ) as unknown as ClusterStatus["chunks"];
  for (const name of names) {
    const chunks = { ...none, healthy: 9, total: 10, [name]: name === "healthy" ? 10 : 1 };
    const lines = statLines({ ...STATUS, chunks }, PLAIN_VIEW);
    const line = lines.find((text) => text.startsWith("Chunks: ")) ?? "";
    expect(line).toContain(`Chunks: [${state}] `);
    expect(line).toMatch(new RegExp(` ${name === "healthy" ? "10 \\(100%\\)" : "1 \\(10%\\)"} ${name}\\b`));
  }
});

test.each(["healthy", "degraded", "failure", "unknown"] as const)(
  "the first line ends in %s when the cluster is",
  (health) => {
    expect(statLines({ ...STATUS, health }, PLAIN_VIEW)[0]).toBe(`Cluster 'stor1': ${health}`);
  },
);

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
