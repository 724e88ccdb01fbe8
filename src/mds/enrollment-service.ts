import {
  type ClusterSecrets,
  DEFAULT_RATE_LIMITS,
  decodeClusterSecrets,
  EnrollmentServer,
  RateLimiter,
} from "../auth/index.js";
import type { Clock, Random } from "../io/index.js";
import { ENROLLMENT, type Service } from "../rpc/index.js";
import type { Logger } from "../telemetry/index.js";
import type { Tables } from "./core/tables.js";

export interface EnrollmentServiceWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly tables: Tables;
}

/** Lets in hosts that know the cluster password; any MDS that knows the cluster's secrets can. */
export function defineEnrollment(
  service: Service,
  { clock, random, log, tables }: EnrollmentServiceWorld,
): void {
  let known: { readonly encoded: Uint8Array; readonly secrets: ClusterSecrets } | undefined;
  const secrets = (): ClusterSecrets | undefined => {
    const encoded = tables.cluster.get()?.secrets;
    if (encoded === undefined) return undefined;
    if (known?.encoded !== encoded) known = { encoded, secrets: decodeClusterSecrets(encoded) };
    return known.secrets;
  };
  const server = new EnrollmentServer({
    secrets,
    clock,
    random,
    limiter: new RateLimiter(DEFAULT_RATE_LIMITS),
    onIssued: ({ hostId, roles, serial }, address) =>
      log.info("a host was authenticated", { hostId, roles, serial, address }),
    onAbandoned: (address) => log.warn("a host did not prove the cluster password", { address }),
  });
  service.unary(ENROLLMENT.start, (message, peer) => server.start(message, peer.address));
  service.unary(ENROLLMENT.finish, async (message, peer) => server.finish(message, peer.address));
}
