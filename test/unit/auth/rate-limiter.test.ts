import assert from "node:assert/strict";
import { test } from "vitest";
import { RateLimiter } from "../../../src/auth/index.js";
import { rateKey } from "../../../src/auth/rate-limiter.js";

const LIMITS = {
  addressBurst: 2,
  addressRefillMs: 1000,
  globalBurst: 5,
  globalRefillMs: 100,
  addressCountMax: 3,
};

test("an address has its burst and then one attempt each refill time", () => {
  const limiter = new RateLimiter(LIMITS);

  const answers = [0, 0, 0, 999, 1000, 1000, 2000].map((nowMs) => limiter.take("10.0.0.1:1", nowMs));

  assert.deepEqual(answers, [true, true, false, false, true, false, true]);
});

test("another port is the same address and another address is not", () => {
  const limiter = new RateLimiter(LIMITS);
  limiter.take("10.0.0.1:1", 0);
  limiter.take("10.0.0.1:2", 0);

  assert.equal(limiter.take("10.0.0.1:3", 0), false);
  assert.equal(limiter.take("10.0.0.2:3", 0), true);
});

test("an address that is refused takes nothing from the others", () => {
  const limiter = new RateLimiter(LIMITS);
  for (let i = 0; i < 100; i++) limiter.take("10.0.0.1:1", 0);

  const others = ["10.0.0.2:1", "10.0.0.2:1", "10.0.0.3:1"].map((address) => limiter.take(address, 0));

  assert.deepEqual(others, [true, true, true]);
});

test("all addresses together have a burst and a refill time too", () => {
  const limiter = new RateLimiter({ ...LIMITS, addressCountMax: 100 });
  const take = (i: number, nowMs: number) => limiter.take(`10.0.0.${i}:1`, nowMs);

  const answers = [1, 2, 3, 4, 5, 6].map((i) => take(i, 0));

  assert.deepEqual(answers, [true, true, true, true, true, false]);
  assert.deepEqual([take(7, 99), take(7, 100), take(8, 100)], [false, true, false]);
});

test("an attempt that was given back can be made again, but never more than the burst", () => {
  const limiter = new RateLimiter(LIMITS);
  limiter.take("10.0.0.1:1", 0);
  for (let i = 0; i < 10; i++) limiter.refund("10.0.0.1:1");

  const answers = [0, 0, 0].map((nowMs) => limiter.take("10.0.0.1:1", nowMs));

  assert.deepEqual(answers, [true, true, false]);
});

test("a full table refuses new addresses until an old one has been quiet for long enough", () => {
  const limiter = new RateLimiter({ ...LIMITS, globalBurst: 1000 });
  for (const i of [1, 2, 3]) limiter.take(`10.0.0.${i}:1`, 0);

  assert.equal(limiter.take("10.0.0.4:1", 999), false);
  assert.equal(limiter.take("10.0.0.4:1", 1000), true);
});

test("a clock that stands still or goes back earns nothing", () => {
  const limiter = new RateLimiter(LIMITS);
  limiter.take("10.0.0.1:1", 5000);
  limiter.take("10.0.0.1:1", 5000);

  assert.equal(limiter.take("10.0.0.1:1", 0), false);
  assert.equal(limiter.take("10.0.0.1:1", 5999), false);
  assert.equal(limiter.take("10.0.0.1:1", 6000), true);
});

test("addresses are told apart by IPv4 address or IPv6 /64", () => {
  const cases: Record<string, string> = {
    "10.1.2.3:4567": "10.1.2.3",
    "::ffff:10.1.2.3:4567": "10.1.2.3",
    "[::ffff:10.1.2.3]:4567": "10.1.2.3",
    "[2001:db8:1:2:aaaa::1]:80": "2001:db8:1:2::/64",
    "2001:0db8:1:2:bbbb:0:0:9:80": "2001:db8:1:2::/64",
    "[::1]:80": "0:0:0:0::/64",
    "[fe80::1]:80": "fe80:0:0:0::/64",
    garbage: "other",
    "": "other",
  };

  for (const [address, key] of Object.entries(cases)) assert.equal(rateKey(address), key, address);
});
