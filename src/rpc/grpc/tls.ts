import type { ConnectionOptions, SecureContextOptions } from "node:tls";
import { PeerVerifier, type Role, type TlsMaterial, tlsServerName } from "../../auth/index.js";
import { StorageError, storageError } from "../../base/index.js";
import type { Clock } from "../../io/index.js";
import type { Peer } from "../transport.js";

/**
 * How this process proves who it is and checks who others are. Without a credential it is a stranger: it can
 * serve nothing, and does not know whom it calls. That is for enrolment only, which protects itself.
 */
export class Tls {
  readonly #material: TlsMaterial | undefined;
  readonly #verifier: PeerVerifier | undefined;
  readonly #clock: Clock;

  constructor(material: TlsMaterial | undefined, clock: Clock) {
    this.#material = material;
    this.#verifier = material && new PeerVerifier(material.caPem);
    this.#clock = clock;
  }

  /** For a connection to a server that must have one of the roles, if any are named. */
  clientOptions(roles: readonly Role[] | undefined, onPeer: (der: Uint8Array) => void): ConnectionOptions {
    if (this.#material === undefined) return { ...COMMON, rejectUnauthorized: false };
    return {
      ...this.#common(this.#material),
      servername: tlsServerName(this.#material.clusterId),
      rejectUnauthorized: true,
      checkServerIdentity: (_name, certificate) => {
        try {
          this.#checkServer(certificate.raw, roles);
          onPeer(certificate.raw);
          return undefined;
        } catch (error) {
          return error as Error;
        }
      },
    };
  }

  /** For a listener. Peers without a certificate, or with a wrong one, get a connection: what for, `identify` says. */
  serverOptions(): SecureContextOptions & { requestCert: boolean; rejectUnauthorized: boolean } {
    if (this.#material === undefined) throw storageError("unauthenticated", "this host has no certificate");
    return { ...this.#common(this.#material), requestCert: true, rejectUnauthorized: false };
  }

  /** Who showed that certificate. Without one: nobody. With one that is not of this cluster: `unauthenticated`. */
  identify(der: Uint8Array | undefined, address: string): Peer {
    if (der === undefined || this.#verifier === undefined) {
      return { address, clusterId: "", hostId: "", roles: [] };
    }
    const { clusterId, hostId, roles } = this.#verifier.identify(der, this.#clock.wallMs());
    return { address, clusterId, hostId, roles };
  }

  #checkServer(der: Uint8Array, roles: readonly Role[] | undefined): void {
    const peer = this.identify(der, "");
    if (roles !== undefined && !roles.some((role) => peer.roles.includes(role))) {
      throw storageError("unauthenticated", "the certificate of the server does not allow it to serve this");
    }
  }

  #common({ caPem, certPem, keyPem }: TlsMaterial): SecureContextOptions & ConnectionOptions {
    return { ...COMMON, ca: caPem, cert: certPem, key: keyPem };
  }
}

/** AES-128 costs a third less than the default AES-256, and is no less safe for what we do. */
const COMMON = {
  minVersion: "TLSv1.3",
  ciphers: "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256",
  ALPNProtocols: ["h2"],
} as const;

/** Why a connection failed: `unauthenticated` if one end refused the other's certificate, else `unavailable`. */
export function connectFailure(address: string, error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  if (error instanceof Error && error.cause !== undefined) return connectFailure(address, error.cause);
  const code = (error as { code?: unknown } | undefined)?.code;
  const text = typeof code === "string" ? code : "the connection broke";
  const isTls = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|^ERR_SSL/.test(text);
  return storageError(isTls ? "unauthenticated" : "unavailable", `${address}: ${text}`, error);
}
