import { expect, test } from "vitest";
import {
  formatDuration,
  formatPercent,
  formatSize,
  formatTable,
  parseCount,
  parseId,
  parseSize,
} from "../../../src/cli/output.js";

test("sizes have three digits at most", () => {
  const sizes: [number, string][] = [
    [0, "0B"],
    [1023, "1023B"],
    [1024, "1KB"],
    [1536, "1.5KB"],
    [105 * 2 ** 30, "105GB"],
    [1.5 * 2 ** 40, "1.5TB"],
  ];
  for (const [bytes, text] of sizes) expect(formatSize(bytes)).toBe(text);
});

test("durations show their two greatest units", () => {
  expect(formatDuration(12 * 86400 + 3 * 3600 + 59)).toBe("12d 3h");
  expect(formatDuration(312)).toBe("5m 12s");
  expect(formatDuration(0.4)).toBe("0s");
  expect(formatDuration(3600)).toBe("1h");
});

test("a part of nothing is 0 %", () => {
  expect(formatPercent(0, 0)).toBe("0%");
  expect(formatPercent(1, 3)).toBe("33%");
});

test("tables are as wide as they need to be, without spaces at the end", () => {
  const lines = formatTable(
    [{ title: "ID", alignRight: true }, { title: "STATUS" }, { title: "HOST" }],
    [
      ["1025", "active", "10.0.0.1"],
      ["7", "", ""],
    ],
  );
  expect(lines).toEqual(["  ID STATUS HOST", "1025 active 10.0.0.1", "   7"]);
});

test("ids are taken with and without their kind", () => {
  expect(parseId("CS", "1025")).toBe(1025);
  expect(parseId("CS", "cs#1025")).toBe(1025);
  for (const text of ["", "0", "-1", "1.5", "MDS#1", "1025x"])
    expect(() => parseId("CS", text), text).toThrow("CSID");
});

test("sizes are read with the units of the original", () => {
  expect(parseSize("64M")).toBe(64 * 2 ** 20);
  expect(parseSize("1.5GiB")).toBe(1.5 * 2 ** 30);
  expect(parseSize("4096")).toBe(4096);
  for (const text of ["", "M", "-1", "12X", "1e3"]) expect(parseSize(text), text).toBeUndefined();
});

test("a count is a plain number", () => {
  expect(parseCount("12")).toBe(12);
  expect(() => parseCount("-1")).toThrow("no number");
});
