import { REGION_BYTES } from "../../chunk/index.js";
import type { Bitmap } from "../core/bitmap.js";

/** The parts of a range of bytes that lie in these regions, joined where they touch. */
export function writtenRuns(written: Bitmap, from: number, to: number): [from: number, to: number][] {
  const runs: [number, number][] = [];
  for (const region of written) {
    const start = Math.max(from, region * REGION_BYTES);
    const end = Math.min(to, (region + 1) * REGION_BYTES);
    const last = runs.at(-1);
    if (last?.[1] === start) last[1] = Math.max(start, end);
    else if (start < end) runs.push([start, end]);
  }
  return runs;
}
