/**
 * Preloaded into a daemon (`NODE_OPTIONS=--import`): its wall clock is wrong by as many milliseconds as the file `clock-offset` in
 * its `PSTORAGE_ROOT` says, from one moment to the next, as after a jump of CLOCK_REALTIME. Monotonic time and timers go on.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const LOOK_MS = 100;
const path = join(process.env.PSTORAGE_ROOT ?? "/", "clock-offset");
const now = Date.now.bind(Date);
let offsetMs = 0;

function look() {
  try {
    offsetMs = Number(readFileSync(path, "utf8"));
  } catch {
    offsetMs = 0;
  }
}

look();
setInterval(look, LOOK_MS).unref();
Date.now = () => now() + offsetMs;
