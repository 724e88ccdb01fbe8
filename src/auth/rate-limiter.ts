/**
 * How often strangers may try a password: a token bucket for each address and one for all of them.
 *
 * Pure: the caller passes the monotonic time in. An attempt costs one token of both buckets, or of neither when it
 * is refused, so that one noisy address cannot lock out the others. Memory is bounded: a bucket that has filled
 * up again says nothing and is forgotten, and beyond `addressCountMax` unknown addresses are refused.
 */

export interface RateLimits {
  /** Attempts one address may make in a row. */
  readonly addressBurst: number;
  /** Time until an address earns one more attempt. */
  readonly addressRefillMs: number;
  /** Attempts all addresses together may make in a row. */
  readonly globalBurst: number;
  readonly globalRefillMs: number;
  /** Addresses remembered at most. */
  readonly addressCountMax: number;
}

/**
 * Room for a rack of hosts that enrol at once; in the long run at most 2,880 guesses a day from one address and
 * 17,280 from all of them, at each MDS.
 */
export const DEFAULT_RATE_LIMITS: RateLimits = {
  addressBurst: 16,
  addressRefillMs: 30_000,
  globalBurst: 64,
  globalRefillMs: 5_000,
  addressCountMax: 4096,
};

interface Bucket {
  tokens: number;
  atMs: number;
}

export class RateLimiter {
  readonly #limits: RateLimits;
  readonly #addresses = new Map<string, Bucket>();
  readonly #global: Bucket;

  constructor(limits: RateLimits = DEFAULT_RATE_LIMITS) {
    this.#limits = limits;
    this.#global = { tokens: limits.globalBurst, atMs: 0 };
  }

  /** Takes one attempt of `IP:PORT`; false when there is none left. */
  take(address: string, nowMs: number): boolean {
    const limits = this.#limits;
    const key = rateKey(address);
    refill(this.#global, limits.globalBurst, limits.globalRefillMs, nowMs);
    if (this.#global.tokens < 1) return false;
    const bucket = this.#addresses.get(key) ?? this.#remember(key, nowMs);
    if (bucket === undefined) return false;
    refill(bucket, limits.addressBurst, limits.addressRefillMs, nowMs);
    if (bucket.tokens < 1) return false;
    this.#global.tokens -= 1;
    bucket.tokens -= 1;
    return true;
  }

  /** Gives an attempt back: it proved the right password, so it was no guess. */
  refund(address: string): void {
    const bucket = this.#addresses.get(rateKey(address));
    if (bucket === undefined) return;
    bucket.tokens = Math.min(this.#limits.addressBurst, bucket.tokens + 1);
    this.#global.tokens = Math.min(this.#limits.globalBurst, this.#global.tokens + 1);
  }

  #remember(key: string, nowMs: number): Bucket | undefined {
    if (this.#addresses.size >= this.#limits.addressCountMax) this.#forgetFull(nowMs);
    if (this.#addresses.size >= this.#limits.addressCountMax) return undefined;
    const bucket = { tokens: this.#limits.addressBurst, atMs: nowMs };
    this.#addresses.set(key, bucket);
    return bucket;
  }

  #forgetFull(nowMs: number): void {
    const { addressBurst, addressRefillMs } = this.#limits;
    for (const [key, bucket] of this.#addresses) {
      refill(bucket, addressBurst, addressRefillMs, nowMs);
      if (bucket.tokens >= addressBurst) this.#addresses.delete(key);
    }
  }
}

function refill(bucket: Bucket, burst: number, refillMs: number, nowMs: number): void {
  const elapsedMs = Math.max(0, nowMs - bucket.atMs);
  bucket.tokens = Math.min(burst, bucket.tokens + elapsedMs / refillMs);
  bucket.atMs = Math.max(bucket.atMs, nowMs);
}

/**
 * What counts as one address: an IPv4 address, or the /64 of an IPv6 address (one customer has them all). Takes the
 * port off; understands `IP:PORT`, `[IP]:PORT` and the mapped form `::ffff:IPv4`. Anything else shares one bucket.
 */
export function rateKey(address: string): string {
  const host = address
    .slice(0, 64)
    .replace(/:\d{1,5}$/, "")
    .replace(/^\[|\]$/g, "");
  const v4 = /^(?:::ffff:)?(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(host)?.[1];
  if (v4 !== undefined) return v4;
  if (!/^[0-9a-f:]{2,39}$/i.test(host)) return "other";
  return prefix64(host.toLowerCase());
}

function prefix64(host: string): string {
  const [left = "", right] = host.split("::");
  const groups = left === "" ? [] : left.split(":");
  const tail = right === undefined || right === "" ? [] : right.split(":");
  while (right !== undefined && groups.length + tail.length < 8) groups.push("0");
  const all = [...groups, ...tail].slice(0, 4);
  return `${all.map((group) => group.replace(/^0+(?=.)/, "")).join(":")}::/64`;
}
