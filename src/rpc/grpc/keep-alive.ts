import type { Http2Session } from "node:http2";
import type { Clock, Timer } from "../../io/index.js";
import { KEEP_ALIVE_MS } from "../pipe-channel.js";

/** What came while this process itself stood still is read within that time, before anybody is given up. */
const READING_MS = 1000;

/**
 * Breaks a connection whose peer does not answer a ping within one period: a host that lost power, or a network
 * that swallows packets, says nothing by itself. One whose peer said that it is stopping takes no pings: it has as long to come to
 * its end, for HTTP/2 would wait for calls that nobody will ever answer.
 */
export function keepAlive(session: Http2Session, clock: Pick<Clock, "after">, onDead: () => void): void {
  let isWaiting = false;
  let timer: Timer;
  const tick = (): void => {
    if (session.destroyed) return;
    if (isWaiting) {
      timer = clock.after("rpc.keep-alive.reading", READING_MS, judge);
      return;
    }
    isWaiting = true;
    session.ping((error) => {
      if (error === null) isWaiting = false;
    });
    timer = clock.after("rpc.keep-alive", KEEP_ALIVE_MS, tick);
  };
  const judge = (): void => {
    if (session.destroyed) return;
    if (isWaiting) onDead();
    else tick();
  };
  timer = clock.after("rpc.keep-alive", KEEP_ALIVE_MS, tick);
  session.once("close", () => timer.cancel());
}
