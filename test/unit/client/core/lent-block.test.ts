import { describe, expect, test } from "vitest";
import { LentBlock, Loan } from "../../../../src/client/core/lent-block.js";

const LENGTH = 64;

/** A block of sevens, and the memory of it that came free. */
function block(bytes = new Uint8Array(LENGTH).fill(7)): { block: LentBlock; freed: Uint8Array[] } {
  const freed: Uint8Array[] = [];
  return { block: new LentBlock(bytes, (memory) => freed.push(memory)), freed };
}

describe("a block that is lent", () => {
  test("comes free when it was dropped and its last loan is over, in any order", () => {
    for (const order of [
      ["first", "second", "drop"],
      ["drop", "first", "second"],
      ["second", "drop", "first"],
    ] as const) {
      const { block: lent, freed } = block();
      const loans = { first: new Loan(), second: new Loan() };
      const views = [lent.lend(0, 8, loans.first), lent.lend(4, LENGTH, loans.second)];
      for (const step of order) {
        expect(freed).toEqual([]);
        expect(views.map((view) => view.length)).toEqual([8, LENGTH - 4]);
        if (step === "drop") lent.drop();
        else loans[step].end();
      }
      expect(freed.map(({ length }) => length)).toEqual([LENGTH]);
    }
  });

  test("is never free once somebody was given bytes for good", () => {
    const { block: lent, freed } = block();
    const loan = new Loan();
    lent.lend(0, LENGTH, loan);
    const kept = lent.lend(0, LENGTH, undefined);

    lent.drop();
    loan.end();

    expect(freed).toEqual([]);
    expect(kept).toEqual(new Uint8Array(LENGTH).fill(7));
  });

  test("leaves nothing in the hands of who looks at it after the loan", () => {
    const { block: lent, freed } = block();
    const loan = new Loan();
    const view = lent.lend(0, 8, loan);
    lent.drop();
    loan.end();

    freed[0]?.fill(9);

    expect(view.length).toBe(0);
  });

  test("comes free once, however often it is dropped and loans are ended", () => {
    const { block: lent, freed } = block();
    const loan = new Loan();
    lent.lend(0, 8, loan);
    lent.lend(8, 16, loan);
    loan.end();
    loan.end();
    lent.drop();
    lent.drop();
    expect(freed).toHaveLength(1);
  });

  test("gives no memory away that belongs to others as well", () => {
    const larger = new Uint8Array(2 * LENGTH);
    const { block: lent, freed } = block(larger.subarray(0, LENGTH));
    lent.drop();
    expect(freed).toEqual([]);
    expect(larger.length).toBe(2 * LENGTH);
  });

  test("is read through when as many bytes were lent as it has", () => {
    const { block: lent } = block();
    const loan = new Loan();
    lent.lend(0, LENGTH / 2, loan);
    expect(lent.isReadThrough).toBe(false);
    lent.lend(LENGTH / 2, LENGTH, loan);
    expect(lent.isReadThrough).toBe(true);
  });

  test("is lent neither after it was dropped nor under a loan that is over", () => {
    const { block: lent } = block();
    const over = new Loan();
    over.end();
    expect(() => lent.lend(0, 8, over)).toThrow("over");
    lent.drop();
    expect(() => lent.lend(0, 8, new Loan())).toThrow("dropped");
  });
});
