import type * as Opaque from "@serenity-kit/opaque";

const CHEAP = { "argon2id-custom": { iterations: 1, memory: 64, parallelism: 1 } };

/** The real protocol with a password stretching that costs nothing: for tests that do it hundreds of times. */
export function cheapOpaque(real: typeof Opaque): Pick<typeof Opaque, "client" | "server" | "ready"> {
  const client: typeof Opaque.client = {
    ...real.client,
    finishLogin: (parameters) => real.client.finishLogin({ ...parameters, keyStretching: CHEAP }),
    finishRegistration: (parameters) =>
      real.client.finishRegistration({ ...parameters, keyStretching: CHEAP }),
  };
  return { client, server: real.server, ready: real.ready };
}
