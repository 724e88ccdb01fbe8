/** The world of a real machine. Only `main.ts` files import it; everyone else is handed interfaces. */
import type { Clock, Disk, Net, Random } from "../index.js";
import { RealClock } from "./real-clock.js";
import { RealDisk } from "./real-disk.js";
import { RealNet } from "./real-net.js";
import { RealRandom } from "./real-random.js";

export { filesId } from "./files-id.js";
export { leaveGarbage } from "./garbage.js";
export { processReadings } from "./process-readings.js";
export { type Page, type PageServer, servePages } from "./real-pages.js";

/** Everything a daemon may use of the machine it runs on. */
export interface RealWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly net: Net;
}

export function realWorld(): RealWorld {
  const clock = new RealClock();
  return { clock, random: new RealRandom(), disk: new RealDisk(clock), net: new RealNet() };
}
