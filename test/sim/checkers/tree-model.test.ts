import { expect, test } from "vitest";
import { checkLinearizable, type Operation } from "./linearizability.js";
import { type TreeAction, type TreeAnswer, TreeModel, type TreeRequest } from "./tree-model.js";

const X = 10;
const Y = 11;

/** One operation after the other; an undefined answer is an unknown outcome. */
function verdictOf(...steps: readonly (readonly [TreeRequest, TreeAnswer | undefined])[]): string {
  const answered = new Set<number>();
  const operations = steps.map(([request, answer], index): Operation<TreeAction> => {
    if (request.type === "create" && answer?.type === "node") answered.add(answer.ino);
    const returnedAt = answer === undefined ? Number.POSITIVE_INFINITY : 2 * index + 1;
    return { action: { number: index + 1, request, answer }, calledAt: 2 * index, returnedAt };
  });
  return checkLinearizable(new TreeModel([X, Y], answered), operations).type;
}

const create = (name: string, parent = X): TreeRequest => ({ type: "create", parent, name, kind: "file" });
const lookup = (name: string, parent = X): TreeRequest => ({ type: "lookup", parent, name });
const rename = (fromName: string, toName: string): TreeRequest => ({
  type: "rename",
  from: X,
  fromName,
  to: Y,
  toName,
  mode: "replace",
});
const remove = (name: string): TreeRequest => ({ type: "remove", parent: X, name, directory: false });
const file = (ino: number, linkCount = 1): TreeAnswer => ({ type: "node", ino, kind: "file", linkCount });
const failed = (code: string): TreeAnswer => ({ type: "failure", code });
const ok: TreeAnswer = { type: "ok" };

test("what was created is found, and only once", () => {
  expect(verdictOf([create("a"), file(20)], [lookup("a"), file(20)], [create("a"), failed("exists")])).toBe(
    "ok",
  );
  expect(verdictOf([create("a"), file(20)], [create("a"), file(21)])).toBe("violation");
  expect(verdictOf([create("a"), file(20)], [lookup("a"), failed("not_found")])).toBe("violation");
});

test("a name that was moved is in one place", () => {
  expect(verdictOf([create("a"), file(20)], [rename("a", "b"), ok], [lookup("b", Y), file(20)])).toBe("ok");
  expect(verdictOf([create("a"), file(20)], [rename("a", "b"), ok], [lookup("a"), file(20)])).toBe(
    "violation",
  );
});

test("a removed file may be seen by its number while somebody has it open, but by no name", () => {
  const stat = { type: "stat", ino: 20 } as const;
  const removed = [
    [create("a"), file(20)],
    [remove("a"), ok],
  ] as const;
  expect(verdictOf(...removed, [stat, file(20, 0)], [stat, failed("not_found")])).toBe("ok");
  expect(verdictOf(...removed, [stat, file(20, 1)])).toBe("violation");
  expect(verdictOf(...removed, [lookup("a"), file(20, 0)])).toBe("violation");
  expect(verdictOf([create("a"), file(20)], [stat, file(20, 0)])).toBe("violation");
  const link = (name: string) => ({ type: "link", ino: 20, parent: X, name }) as const;
  expect(verdictOf(...removed, [create("b"), file(21)], [link("b"), failed("exists")])).toBe("ok");
  expect(verdictOf(...removed, [link("b"), failed("exists")])).toBe("violation");
  expect(verdictOf(...removed, [link("b"), file(20)])).toBe("violation");
  const value = { type: "value", value: "v" } as const;
  const set = { type: "setXattr", ino: 20, value: "v" } as const;
  const get = { type: "getXattr", ino: 20 } as const;
  expect(verdictOf(...removed, [set, ok], [get, value])).toBe("ok");
  expect(verdictOf(...removed, [get, value])).toBe("violation");
});

test("a removal of unknown outcome happens once or not at all", () => {
  const history = [
    [create("a"), file(20)],
    [remove("a"), undefined],
  ] as const;
  expect(verdictOf(...history, [lookup("a"), file(20)], [lookup("a"), failed("not_found")])).toBe("ok");
  expect(verdictOf(...history, [lookup("a"), failed("not_found")], [lookup("a"), file(20)])).toBe(
    "violation",
  );
});

test("a creation of unknown outcome makes one file, whatever its number", () => {
  expect(verdictOf([create("a"), undefined], [lookup("a"), file(33)], [lookup("a"), file(33)])).toBe("ok");
  expect(verdictOf([create("a"), undefined], [lookup("a"), file(33)], [lookup("a"), file(34)])).toBe(
    "violation",
  );
  expect(verdictOf([create("a"), undefined], [create("b"), file(33)], [lookup("a"), file(33)])).toBe(
    "violation",
  );
});

test("links are counted", () => {
  const link: TreeRequest = { type: "link", ino: 20, parent: Y, name: "b" };
  expect(
    verdictOf([create("a"), file(20)], [link, file(20, 2)], [remove("a"), ok], [lookup("b", Y), file(20)]),
  ).toBe("ok");
  expect(verdictOf([create("a"), file(20)], [link, file(20, 1)])).toBe("violation");
});
