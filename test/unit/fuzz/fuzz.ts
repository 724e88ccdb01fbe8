import { failureOf, Prng } from "../../../src/base/index.js";
import { damaged } from "./damage.js";
import type { Parser } from "./parsers.js";

/** For one message, however busy the machine: a parser that takes so much processor time hangs. */
const PROCESSOR_MS_MAX = 1000;
/** What it may keep of one message: some objects for each byte. */
const HEAP_BYTES_MAX = 64 << 20;
const SAMPLES = 20;

/** One input that a parser did not bear, for people. */
export interface Fall {
  readonly parser: string;
  readonly what: string;
  readonly inputHex: string;
}

/** So many damaged inputs for the parser; the first that makes it fall, if one does. */
export function fuzz({ name, sample, parse }: Parser, seed: number, count: number): Fall | undefined {
  const prng = new Prng(seed);
  const samples = Array.from({ length: SAMPLES }, () => sample(prng));
  for (let i = 0; i < count; i++) {
    const input = damaged(prng.pick(samples), samples, prng);
    const what = fallOf(parse, input.slice());
    if (what !== undefined) return { parser: name, what, inputHex: Buffer.from(input).toString("hex") };
  }
  return undefined;
}

function fallOf(parse: (bytes: Uint8Array) => unknown, input: Uint8Array): string | undefined {
  const began = process.cpuUsage();
  const heapBytes = process.memoryUsage().heapUsed;
  try {
    parse(input);
  } catch (error) {
    // Refused with a failure that its callers know.
    if (failureOf(error) === undefined) return `throws ${String(error)}`;
  }
  const { user, system } = process.cpuUsage(began);
  if ((user + system) / 1000 > PROCESSOR_MS_MAX) return `takes ${(user + system) / 1000} ms`;
  if (process.memoryUsage().heapUsed - heapBytes > HEAP_BYTES_MAX) return "takes too much memory";
  return undefined;
}
