import { describe, expect, test } from "vitest";
import { AssertionError, assert, defined, unreachable } from "../../../src/base/index.js";

describe("assertions", () => {
  test("a false condition throws its sentence as an AssertionError", () => {
    expect(() => assert(1 > 2, "one is more than two")).toThrow(AssertionError);
    expect(() => assert(1 > 2, "one is more than two")).toThrow("one is more than two");
    expect(() => assert(2 > 1, "two is more than one")).not.toThrow();
  });

  test("defined passes every value but undefined and null", () => {
    expect([0, "", false, Number.NaN].map((value) => defined(value, "is there"))).toEqual([
      0,
      "",
      false,
      Number.NaN,
    ]);
    expect(() => defined(undefined, "is there")).toThrow(AssertionError);
    expect(() => defined(null, "is there")).toThrow("is there");
  });

  test("unreachable shows the value that should not be", () => {
    // Only code that the compiler could not see gets there.
    const impossible = { type: "new kind" } as never;

    expect(() => unreachable(impossible)).toThrow('unexpected {"type":"new kind"}');
  });
});
