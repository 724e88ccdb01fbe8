import { describe, expect, test } from "vitest";
import { failureOf } from "../../../src/base/index.js";
import { fuzz } from "./fuzz.js";
import { PARSERS } from "./parsers.js";

/** What comes from the network or a disk may be anything. `npm run fuzz -- --minutes N` goes on with new seeds. */

describe.each(PARSERS.map((parser) => [parser.name, parser] as const))("%s", (_, parser) => {
  test("reads or refuses whatever it is given, soon", () => {
    expect(fuzz(parser, 1, 400)).toBeUndefined();
  });
});

test("a parser that falls is noticed", () => {
  const sample = (): Uint8Array => Uint8Array.of(1, 2, 3);
  const careless = (bytes: Uint8Array): unknown => JSON.parse(String.fromCharCode(...bytes));
  expect(fuzz({ name: "careless", sample, parse: careless }, 1, 50)?.what).toMatch(/SyntaxError/);
  expect(failureOf(new Error("not of ours"))).toBeUndefined();
});
