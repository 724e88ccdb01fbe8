import { expect, test } from "vitest";
import { clientAddressOf, parseMdsName, parseMdsNames } from "../../../src/discovery/index.js";

test("an MDS is named by address or host, with or without the lower port", () => {
  expect(parseMdsName("10.0.0.1")).toBe("10.0.0.1:2510");
  expect(parseMdsName("mds1.example:4110")).toBe("mds1.example:4110");
  expect(parseMdsName("[fd00::1]:4110")).toBe("[fd00::1]:4110");
  expect(parseMdsName("fd00::1")).toBe("[fd00::1]:2510");
});

test("a list has one on each line, comments, and each server once", () => {
  const text = "# my cluster, all of it\n10.0.0.1\n\n 10.0.0.2:2600 # rack 2\n10.0.0.1:2510\nnode-3.lan\n";
  expect(parseMdsNames(text)).toEqual(["10.0.0.1:2510", "10.0.0.2:2600", "node-3.lan:2510"]);
  expect(parseMdsNames("10.0.0.1,10.0.0.2")).toEqual(["10.0.0.1:2510", "10.0.0.2:2510"]);
});

test("what is no address, or leaves no room for the second port, is refused with an example", () => {
  for (const wrong of ["10.0.0.1:0", "10.0.0.1:65535", "a b", "10.0.0.1:x", ":2510", "[x]:1"])
    expect(() => parseMdsName(wrong), wrong).toThrow("for example 10.37.130.1:2510");
});

test("clients use the port after the one that is named", () => {
  expect(clientAddressOf("10.0.0.1:4110")).toBe("10.0.0.1:4111");
  expect(clientAddressOf("[fd00::1]:2510")).toBe("[fd00::1]:2511");
});
