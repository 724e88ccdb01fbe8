import { describe, expect, test } from "vitest";
import { FIRST_LEVEL, LEVEL } from "../../../../src/chunk/index.js";
import { configEntries, inlineSize } from "../../../../src/mds/core/cluster-config.js";
import { levelOf, planLevel } from "../../../../src/mds/core/levels.js";
import { CoreWorld } from "./core-world.js";

const AT_FIRST = { level: FIRST_LEVEL };

describe("the level of a cluster", () => {
  test("is the first one where nobody ever spoke of levels", () => {
    expect(levelOf(new CoreWorld({}).tables)).toBe(FIRST_LEVEL);
  });

  test("is raised once, never lowered, and told to whoever listens", () => {
    const world = new CoreWorld(AT_FIRST);
    const raise = (level: number) => world.apply({ type: "raiseLevel", body: { level } });
    expect(raise(2).effects).toEqual([{ type: "levelRaised" }]);
    expect(levelOf(world.tables)).toBe(2);
    expect(raise(2)).toEqual({ outcome: { type: "done", value: 2 }, effects: [] });
    expect(raise(1)).toEqual({ outcome: { type: "done", value: 2 }, effects: [] });
    expect(levelOf(world.tables)).toBe(2);
  });

  test("below the second, files in the metadata are at most a block, whatever is configured", () => {
    const world = new CoreWorld(AT_FIRST);
    const set = (value: string) =>
      world.apply({ type: "setConfig", body: { name: "mds.inline.size", value } }).outcome;
    expect(inlineSize(world.tables)).toBe(4096);
    // An earlier member of the group refuses the same command.
    expect(set("4097")).toMatchObject({ type: "failure", failure: { code: "invalid" } });
    expect(set("100").type).toBe("done");
    expect(inlineSize(world.tables)).toBe(100);
    world.apply({ type: "raiseLevel", body: { level: 2 } });
    expect(set("65536").type).toBe("done");
    expect(inlineSize(world.tables)).toBe(65_536);
  });

  test("below the second, contents of more than a block are refused, but for what is there already", () => {
    const world = new CoreWorld({ level: LEVEL });
    const ann = world.session();
    const { ino } = world.create(ann, "f").attributes;
    const { sequence: leaseSequence } = world.open(ann, ino, "write");
    const settle = (length: number) => {
      const report = { sizeBytes: length, mtime: { seconds: 1, nanos: 0 }, inline: new Uint8Array(length) };
      const files = [{ ino, leaseSequence, report, closes: [] }];
      const { outcome } = world.apply(world.next(ann, "settleFiles", { files }));
      if (outcome.type !== "reply" || outcome.reply.type !== "settled") throw new Error("it is settled");
      return outcome.reply.body.results[0]?.failure;
    };
    expect(settle(20_000)).toBeUndefined();
    const cluster = world.tables.cluster.get();
    if (cluster === undefined) throw new Error("there is a cluster");
    world.tables.cluster.put({ ...cluster, level: undefined });
    expect(settle(20_001)).toBe("invalid");
    expect(settle(20_000)).toBeUndefined();
    expect(settle(4000)).toBeUndefined();
    expect(settle(4097)).toBe("invalid");
  });

  test("a variable of a later level does not exist before", () => {
    const world = new CoreWorld(AT_FIRST);
    const set = () =>
      world.apply({ type: "setConfig", body: { name: "mds.level.max", value: "2" } }).outcome.type;
    expect(set()).toBe("failure");
    world.apply({ type: "raiseLevel", body: { level: 2 } });
    expect(set()).toBe("done");
    expect(configEntries(world.tables).find(({ name }) => name === "mds.level.max")?.value).toBe("2");
  });
});

describe("the level is raised", () => {
  const knows = (name: string, level: number | undefined) => ({ name, level });

  test("to what everybody knows, when that is more than it is", () => {
    expect(planLevel(1, 0, [])).toEqual({ raiseTo: LEVEL, heldBy: [] });
    expect(planLevel(1, 0, [knows("a", LEVEL), knows("b", LEVEL + 1)]).raiseTo).toBe(LEVEL);
    expect(planLevel(LEVEL, 0, [knows("a", LEVEL)])).toEqual({ raiseTo: undefined, heldBy: [] });
  });

  test("not while one knows less, or cannot be asked; and who that is, is told", () => {
    const { raiseTo, heldBy } = planLevel(1, 0, [knows("a", 1), knows("b", undefined), knows("c", LEVEL)]);
    expect(raiseTo).toBeUndefined();
    expect(heldBy).toEqual(["a knows level 1 only", "b does not say what it knows"]);
  });

  test("not above the limit that an operator has set, which is nobody's fault", () => {
    expect(planLevel(1, 1, [knows("a", 1)])).toEqual({ raiseTo: undefined, heldBy: [] });
    expect(planLevel(1, 2, [knows("a", LEVEL)]).raiseTo).toBe(2);
  });
});
