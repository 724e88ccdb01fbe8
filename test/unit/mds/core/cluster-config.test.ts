import { describe, expect, test } from "vitest";
import { configEntries, configNumber, configText } from "../../../../src/mds/core/cluster-config.js";
import { CoreWorld, codeOf } from "./core-world.js";

const set = (world: CoreWorld, name: string, value: string, expectedSequence?: number) =>
  world.apply({ type: "setConfig", body: { name, value, expectedSequence } }).outcome;

describe("a variable", () => {
  test("has its documented default until it is set", () => {
    const { tables } = new CoreWorld();
    expect(configNumber(tables, "mds.wd.offline_tout")).toBe(300_000);
    expect(configNumber(tables, "mds.wd.max_offline_cs_hosts")).toBe(2);
    expect(configNumber(tables, "mds.alloc.fill_margin")).toBe(5);
    expect(configNumber(tables, "mds.alloc.free_space_margin")).toBe(512);
    expect(configText(tables, "cs.log.level")).toBe("info");
    for (const { name, value, defaultValue, sequence, description } of configEntries(tables)) {
      expect(value, name).toBe(defaultValue);
      expect(sequence).toBe(0);
      expect(description).not.toBe("");
    }
  });

  test("is set in its one way of writing, and counts its changes", () => {
    const world = new CoreWorld();
    expect(set(world, "mds.wd.offline_tout", "060000")).toEqual({ type: "done", value: 1 });
    expect(world.effects).toContainEqual({ type: "configChanged", name: "mds.wd.offline_tout" });
    expect(configNumber(world.tables, "mds.wd.offline_tout")).toBe(60_000);
    const entry = configEntries(world.tables).find(({ name }) => name === "mds.wd.offline_tout");
    expect(entry).toMatchObject({ value: "60000", sequence: 1, defaultValue: "300000" });
  });

  test("changes only from the sequence that was seen, if one is given", () => {
    const world = new CoreWorld();
    expect(codeOf(set(world, "cs.log.level", "debug", 1))).toBe("conflict");
    expect(codeOf(set(world, "cs.log.level", "debug", 0))).toBe("done");
    expect(codeOf(set(world, "cs.log.level", "warn", 0))).toBe("conflict");
    expect(configText(world.tables, "cs.log.level")).toBe("debug");
  });

  test("of placement lets those try again who wait for space", () => {
    const world = new CoreWorld();
    set(world, "mds.alloc.fill_margin", "0");
    expect(world.effects).toContainEqual({ type: "wake", key: { type: "space" } });
  });
});

describe("how long a chunk server may be silent", () => {
  const silence = "mds.wd.inactive_tout";
  const period = "mds.wd.heartbeat_period";

  test("is never less than two heartbeats", () => {
    const world = new CoreWorld();
    expect(set(world, silence, "1999")).toMatchObject({
      failure: { code: "invalid", detail: expect.stringMatching(/less than twice mds.wd.heartbeat_period/) },
    });
    expect(codeOf(set(world, silence, "2000"))).toBe("done");
    expect(set(world, period, "1001")).toMatchObject({
      failure: { code: "invalid", detail: expect.stringMatching(/more than half of mds.wd.inactive_tout/) },
    });
    expect(codeOf(set(world, period, "500"))).toBe("done");
    expect(codeOf(set(world, silence, "1000"))).toBe("done");
  });

  test("is anything at the first level, as for programs of that level", () => {
    expect(codeOf(set(new CoreWorld({}), silence, "1000"))).toBe("done");
  });
});

describe("refused, in one line, is", () => {
  test.each([
    ["no.such.thing", "1"],
    ["toString", "1"],
    ["mds.alloc.fill_margin", "91"],
    ["mds.alloc.fill_margin", "-1"],
    ["mds.alloc.fill_margin", "5.5"],
    ["mds.alloc.fill_margin", ""],
    ["mds.alloc.fill_margin", "1e1"],
    ["mds.alloc.strict_tier", "2"],
    ["mds.log.level", "loud"],
    ["mds.log.level\nx", "y".repeat(500)],
  ])("%s=%s", (name, value) => {
    const world = new CoreWorld();
    const outcome = set(world, name, value);
    expect(codeOf(outcome)).toBe("invalid");
    const detail = outcome.type === "failure" ? outcome.failure.detail : "";
    expect(detail).not.toContain("\n");
    expect(detail.length).toBeLessThan(200);
    expect(world.tables.config.size).toBe(0);
  });
});
