/**
 * Deadlines of tests on real processes are for what hangs, not for what is slow: a machine that has other things to do
 * may be thirty times slower than an idle one. How fast something is is measured by the benchmarks.
 */

/** For one thing to come true. */
export const PATIENCE_MS = 240_000;
/** For a test, or a hook, in which several things come true one after the other. */
export const TEST_MS = 900_000;
