import { storageError } from "../base/index.js";
import type { Role } from "./role.js";

/** Method path as on the wire (`/pstorage.Metadata/Session`) to the roles any one of which may call it. */
export type AuthorizationTable = Readonly<Record<string, "anyone" | readonly Role[]>>;

/**
 * Returns if the peer may call the method; otherwise throws `unauthenticated` (no certificate) or `unauthorized`.
 * A method that is not in the table may be called by nobody.
 */
export function authorize(
  table: AuthorizationTable,
  path: string,
  peer: { readonly roles: readonly Role[] },
): void {
  const allowed = Object.hasOwn(table, path) ? table[path] : undefined;
  if (allowed === "anyone") return;
  if (peer.roles.length === 0) {
    throw storageError(
      "unauthenticated",
      "this host has no certificate of the cluster; run `pstorage -c NAME auth-node`",
    );
  }
  if (allowed?.some((role) => peer.roles.includes(role))) return;
  throw storageError("unauthorized", "the certificate of this host does not allow this call");
}
