import { describe, expect, test } from "vitest";
import { Prng } from "../../../src/base/index.js";
import { checkLinearizable, type Model, type Operation } from "./linearizability.js";

type Register = { readonly write: number } | { readonly read: number };

const register: Model<number, Register> = {
  initial: 0,
  step: (state, action) => ("write" in action ? action.write : action.read === state ? state : undefined),
  key: String,
};

const at = (
  action: Register,
  calledAt: number,
  returnedAt: number,
  isOptional = false,
): Operation<Register> => ({
  action,
  calledAt,
  returnedAt,
  isOptional,
});
const verdictOf = (...operations: Operation<Register>[]): string =>
  checkLinearizable(register, operations).type;

describe("a history is linearizable exactly when some order explains it", () => {
  test("a read sees the write before it", () => {
    expect(verdictOf(at({ write: 1 }, 1, 2), at({ read: 1 }, 3, 4))).toBe("ok");
  });

  test("a read that misses the write before it is a violation", () => {
    expect(verdictOf(at({ write: 1 }, 1, 2), at({ read: 0 }, 3, 4))).toBe("violation");
  });

  test("a read during a write may see either, but reads never go back", () => {
    expect(verdictOf(at({ write: 1 }, 1, 9), at({ read: 0 }, 2, 3), at({ read: 1 }, 4, 5))).toBe("ok");
    expect(verdictOf(at({ write: 1 }, 1, 9), at({ read: 1 }, 2, 3), at({ read: 0 }, 4, 5))).toBe("violation");
  });

  test("a write without an answer may happen late, or never", () => {
    const lost = at({ write: 1 }, 1, Number.POSITIVE_INFINITY);
    expect(verdictOf(lost, at({ read: 0 }, 2, 3), at({ read: 1 }, 4, 5))).toBe("ok");
    expect(verdictOf(lost, at({ read: 0 }, 2, 3), at({ read: 0 }, 4, 5))).toBe("ok");
    expect(verdictOf(lost, at({ read: 1 }, 2, 3), at({ read: 0 }, 4, 5))).toBe("violation");
  });

  test("a write that was fenced off happened before the fence, or never", () => {
    const fenced = at({ write: 1 }, 1, 4, true);
    expect(verdictOf(fenced, at({ read: 0 }, 5, 6), at({ read: 0 }, 7, 8))).toBe("ok");
    expect(verdictOf(fenced, at({ read: 1 }, 5, 6))).toBe("ok");
    expect(verdictOf(fenced, at({ read: 0 }, 5, 6), at({ read: 1 }, 7, 8))).toBe("violation");
  });
});

test("the search agrees with trying all orders, on random small histories", () => {
  const prng = new Prng(7);
  const counts = { ok: 0, violation: 0 };
  for (let round = 0; round < 3000; round++) {
    const history = randomHistory(prng);
    const expected = tryAllOrders(history, 0) ? "ok" : "violation";
    counts[expected]++;
    expect(checkLinearizable(register, history).type).toBe(expected);
  }
  expect(counts.ok).toBeGreaterThan(200);
  expect(counts.violation).toBeGreaterThan(200);
});

function randomHistory(prng: Prng): Operation<Register>[] {
  const points = prng.shuffle(Array.from({ length: 10 }, (_, i) => i));
  return Array.from({ length: 5 }, (_, i) => {
    const [a = 0, b = 0] = [points[2 * i], points[2 * i + 1]];
    const isLost = prng.chance(0.2);
    const value = prng.below(3);
    const isWrite = isLost || prng.chance(0.5);
    const returnedAt = isLost && prng.chance(0.5) ? Number.POSITIVE_INFINITY : Math.max(a, b);
    return at(isWrite ? { write: value } : { read: value }, Math.min(a, b), returnedAt, isLost);
  });
}

/** The dumb twin. */
function tryAllOrders(left: readonly Operation<Register>[], state: number): boolean {
  if (left.every(({ isOptional }) => isOptional === true)) return true;
  const firstReturn = Math.min(...left.map(({ returnedAt }) => returnedAt));
  return left.some((operation) => {
    if (operation.calledAt > firstReturn) return false;
    const rest = left.filter((other) => other !== operation);
    const after = register.step(state, operation.action);
    if (after !== undefined && tryAllOrders(rest, after)) return true;
    return operation.isOptional === true && tryAllOrders(rest, state);
  });
}
