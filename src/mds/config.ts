import type { MdsIdentity, RecoveryFile } from "./repository.js";

/** Everything a metadata server is told at its start; what may change while it runs is cluster configuration. */
export interface MdsConfig {
  readonly identity: MdsIdentity;
  /** The repository directory, absolute. */
  readonly directory: string;
  /** What the group shall begin with, on the very first start of the first server only. */
  readonly genesis?: Uint8Array | undefined;
  /** What the metadata were recovered from, until the group has noted it. */
  readonly recovery?: RecoveryFile | undefined;
}

/** `IP:PORT` of the MDS-to-MDS service to that of the service for clients and chunk servers. */
export function clientAddress(address: string): string {
  const colon = address.lastIndexOf(":");
  return `${address.slice(0, colon)}:${Number(address.slice(colon + 1)) + 1}`;
}
