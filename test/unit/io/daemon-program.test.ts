import { expect, test } from "vitest";
import { csdProgram, type DaemonFlags, logLevelOf } from "../../../src/io/real/daemon/index.js";

const flagsOf = (...args: string[]): DaemonFlags =>
  csdProgram()
    .parse(["-r", "/r", ...args], { from: "user" })
    .opts<DaemonFlags>();

test("what is logged is said by -d, or by -v", () => {
  expect(logLevelOf(flagsOf())).toBe("info");
  expect(logLevelOf(flagsOf("-v"))).toBe("debug");
  expect(logLevelOf(flagsOf("-v", "-d", "warn"))).toBe("warn");
  expect(() => logLevelOf(flagsOf("-d", "loud"))).toThrow("log level is one of");
});

test("flags of the original may be written together", () => {
  expect(flagsOf("-Dv", "-a", "ssl", "-u", "vstorage")).toMatchObject({
    daemonise: true,
    verbose: true,
    authentication: "ssl",
    user: "vstorage",
  });
});
