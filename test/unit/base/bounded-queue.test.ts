import { describe, expect, test } from "vitest";
import { BoundedQueue, Prng } from "../../../src/base/index.js";

describe("a bounded queue", () => {
  test("gives back in order what was pushed", () => {
    const queue = new BoundedQueue<string>(3);
    queue.push("a");
    queue.push("b");

    expect([queue.shift(), queue.shift(), queue.shift()]).toEqual(["a", "b", undefined]);
  });

  test("refuses when it is full, and nothing changes", () => {
    const queue = new BoundedQueue<number>(2);

    expect([queue.push(1), queue.push(2), queue.push(3)]).toEqual([true, true, false]);
    expect(queue.isFull).toBe(true);
    expect(queue.drain()).toEqual([1, 2]);
    expect(queue.isFull).toBe(false);
    expect(queue.length).toBe(0);
  });

  test("cannot be made without room", () => {
    expect(() => new BoundedQueue<number>(0)).toThrow("must hold something");
  });

  test("agrees with an array over random pushes, shifts and drains", () => {
    const prng = new Prng(8);
    const queue = new BoundedQueue<number>(300);
    const twin: number[] = [];
    for (let step = 0; step < 20_000; step++) {
      const choice = prng.below(1_000);
      if (choice < 1) {
        expect(queue.drain()).toEqual(twin.splice(0));
      } else if (choice < (step % 4_000 < 2_000 ? 600 : 300)) {
        const fits = twin.length < 300;
        if (fits) twin.push(step);
        expect(queue.push(step)).toBe(fits);
      } else {
        expect(queue.shift()).toBe(twin.shift());
      }
      expect(queue.length).toBe(twin.length);
    }
  });
});
