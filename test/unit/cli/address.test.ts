import { expect, test } from "vitest";
import { hostAndPort, parseCsAddress, parseMdsAddress } from "../../../src/cli/address.js";

test("an MDS address without a port has the port of the original", () => {
  expect(parseMdsAddress("10.0.0.1")).toBe("10.0.0.1:2510");
  expect(parseMdsAddress("10.0.0.1:4110")).toBe("10.0.0.1:4110");
});

test("an IPv6 address stands in brackets once it has a port", () => {
  expect(parseMdsAddress("[fd00::1]:4110")).toBe("[fd00::1]:4110");
  expect(parseMdsAddress("[fd00::1]")).toBe("[fd00::1]:2510");
  expect(hostAndPort("[fd00::1]:4110")).toEqual({ host: "fd00::1", port: 4110 });
});

test("what is no IP address, or has no room for the second port, is refused with an example", () => {
  for (const text of [
    "",
    "host1",
    "10.0.0",
    "10.0.0.1:",
    "10.0.0.1:x",
    "10.0.0.1:65535",
    "10.0.0.1:0",
    "1.2.3.4:99999",
  ]) {
    expect(() => parseMdsAddress(text), text).toThrow(/no address|port must be/);
  }
});

test("a chunk server may leave its port to chance", () => {
  expect(parseCsAddress("10.0.0.1")).toBe("10.0.0.1:0");
  expect(parseCsAddress("10.0.0.1:65535")).toBe("10.0.0.1:65535");
});
