import { describe, expect, test } from "vitest";
import { WORLDS } from "./worlds.js";

describe.each(WORLDS)("the $name clock", ({ run }) => {
  test("fires a timer not before its delay has passed, and once", () =>
    run(async ({ clock }) => {
      const startMs = clock.monotonicMs();
      const firedAtMs: number[] = [];
      clock.after("contract", 20, () => firedAtMs.push(clock.monotonicMs()));
      await clock.sleep("contract wait", 60);

      expect(firedAtMs).toHaveLength(1);
      expect(firedAtMs[0]).toBeGreaterThanOrEqual(startMs + 20);
    }));

  test("never fires a timer inside the call that sets it, even without delay", () =>
    run(async ({ clock }) => {
      let hasFired = false;
      clock.after("contract", 0, () => {
        hasFired = true;
      });

      expect(hasFired).toBe(false);
      await clock.sleep("contract wait", 5);
      expect(hasFired).toBe(true);
    }));

  test("fires timers in the order of their delays", () =>
    run(async ({ clock }) => {
      const fired: string[] = [];
      clock.after("late", 30, () => fired.push("late"));
      clock.after("early", 10, () => fired.push("early"));
      await clock.sleep("contract wait", 50);

      expect(fired).toEqual(["early", "late"]);
    }));

  test("does not fire a timer that was cancelled; cancelling again does nothing", () =>
    run(async ({ clock }) => {
      let hasFired = false;
      const timer = clock.after("contract", 10, () => {
        hasFired = true;
      });
      timer.cancel();
      timer.cancel();
      await clock.sleep("contract wait", 25);

      expect(hasFired).toBe(false);
    }));

  test("monotonic time goes on and wall time tells the year", () =>
    run(async ({ clock }) => {
      const before = clock.monotonicMs();
      await clock.sleep("contract", 5);

      expect(clock.monotonicMs()).toBeGreaterThanOrEqual(before + 5);
      expect(new Date(clock.wallMs()).getUTCFullYear()).toBeGreaterThanOrEqual(2025);
    }));

  test("a sleeper wakes at once when its signal aborts, and does not reject", () =>
    run(async ({ clock }) => {
      const controller = new AbortController();
      const startMs = clock.monotonicMs();
      clock.after("abort", 10, () => controller.abort());
      await clock.sleep("contract", 60_000, controller.signal);
      await clock.sleep("already aborted", 60_000, controller.signal);

      expect(clock.monotonicMs() - startMs).toBeLessThan(5_000);
    }));

  test("a delay longer than 2^31 milliseconds does not fire at once", () =>
    run(async ({ clock }) => {
      let hasFired = false;
      const timer = clock.after("contract", 2 ** 33, () => {
        hasFired = true;
      });
      await clock.sleep("contract wait", 20);
      timer.cancel();

      expect(hasFired).toBe(false);
    }));
});
