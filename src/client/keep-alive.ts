import { failureOf } from "../base/index.js";
import type { Clock } from "../io/index.js";
import type { ClientLoad } from "../meta/index.js";
import type { LeaseClock } from "./core/lease-clock.js";
import type { LeaderConnection } from "./leader-finder.js";

/** Renews the session's lease over this connection until it ends; closes it if the MDS does not answer in time. */
export async function keepAlive(
  clock: Clock,
  lease: LeaseClock,
  connection: LeaderConnection,
  ended: AbortSignal,
  { load, renewed }: { readonly load: () => ClientLoad | undefined; readonly renewed: () => void },
): Promise<void> {
  const { leaseMs } = connection.welcome;
  while (!ended.aborted) {
    await clock.sleep("client.keep-alive", lease.keepAliveMs, ended);
    if (ended.aborted) return;
    const sentAtMs = clock.monotonicMs();
    try {
      await connection.calls.request(
        { type: "keepAlive", body: { load: load() } },
        { deadlineMs: lease.answerMs, signal: ended },
      );
      lease.renew(sentAtMs, leaseMs);
      renewed();
    } catch (error) {
      if (failureOf(error) === undefined) throw error;
      connection.calls.close();
      return;
    }
  }
}
