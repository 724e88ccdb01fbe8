import { expect, test } from "vitest";
import { limitLines, limitsOf } from "../../../src/cli/commands/cluster/view-limits.js";
import { isWanted, parseSeverity, parseSince, parseSystems } from "../../../src/cli/event-filter.js";
import { STATUS } from "./screen/sample.js";

const EVENT = { number: 7, wallMs: 1_000_000, system: "CS", severity: "warn", message: "" };

test("a severity wants itself and worse", () => {
  expect((["info", "warn", "err"] as const).map((severity) => isWanted(EVENT, { severity }))).toEqual([
    true,
    true,
    false,
  ]);
});

test("systems and a moment narrow the log, and without any everything is wanted", () => {
  expect(isWanted(EVENT, {})).toBe(true);
  expect(isWanted(EVENT, { systems: ["MDS", "CS"] })).toBe(true);
  expect(isWanted(EVENT, { systems: ["JRN"] })).toBe(false);
  expect([999_999, 1_000_000, 1_000_001].map((sinceMs) => isWanted(EVENT, { sinceMs }))).toEqual([
    true,
    true,
    false,
  ]);
});

test("words that are none are refused, and those there are named", () => {
  expect(parseSeverity("WARN")).toBe("warn");
  expect(() => parseSeverity("fatal")).toThrow("info, warn, err");
  expect(parseSystems("cs, jrn")).toEqual(["CS", "JRN"]);
  expect(() => parseSystems("cs,disk")).toThrow("MDS, JRN, CS, CLN");
});

test("a moment is so long ago, or a date with or without a time", () => {
  expect(parseSince("30m", 10_000_000)).toBe(10_000_000 - 30 * 60_000);
  expect(parseSince("2d", 0)).toBe(-2 * 86_400_000);
  expect(parseSince("2024-05-17 09:30:01", 0)).toBe(new Date(2024, 4, 17, 9, 30, 1).getTime());
  expect(parseSince("2024-05-17", 0)).toBe(new Date(2024, 4, 17).getTime());
  for (const text of ["yesterday", "2024-13-01", "5w"])
    expect(() => parseSince(text, 0)).toThrow("no moment");
});

test("the limit is shown as the original shows its licence, with a line that has the status", () => {
  const lines = (capacityBytes: number, usedBytes: number): string[] =>
    limitLines(limitsOf({ ...STATUS.space, capacityBytes, usedBytes }));
  expect(lines(0, 2 ** 30)).toEqual([
    "STORAGE",
    '    status="ACTIVE"',
    '    capacity="unlimited"',
    '    used="1GB"',
  ]);
  expect(lines(2 ** 40, 2 ** 40)[1]).toBe('    status="LIMIT REACHED"');
});
